//! Whether an object that the API server holds says what we wanted it to say.
//!
//! Others may add to our objects: defaults, annotations, fields of newer versions. Only what we ask for is compared, and as the API
//! server understands it: an empty member is an absent one, and `1.0` of a CPU is `1`.

use serde_json::{Map, Value};

/// The first member of `wanted` that `observed` does not have as wanted, as a path for people.
pub fn first_difference(observed: &Value, wanted: &Value) -> Option<String> {
    difference(Some(observed), wanted, &mut Path::default())
}

#[derive(Default)]
struct Path {
    steps: Vec<String>,
}

impl Path {
    fn text(&self) -> String {
        self.steps.join(".")
    }

    /// Quantities appear below these members only; elsewhere `1` and `1.0` are two texts.
    fn holds_quantities(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.as_str(), "limits" | "requests" | "sizeLimit" | "overhead" | "divisor"))
    }
}

fn difference(observed: Option<&Value>, wanted: &Value, path: &mut Path) -> Option<String> {
    let Some(observed) = observed.filter(|value| !value.is_null()) else {
        return (!is_empty(wanted)).then(|| path.text());
    };
    match (observed, wanted) {
        (Value::Object(observed), Value::Object(wanted)) => members(observed, wanted, path),
        (Value::Array(observed), Value::Array(wanted)) => items(observed, wanted, path),
        (observed, Value::Null) => (!is_empty(observed)).then(|| path.text()),
        (observed, wanted) if observed == wanted => None,
        (observed, wanted) if path.holds_quantities() && same_quantity(observed, wanted) => None,
        _ => Some(path.text()),
    }
}

fn members(observed: &Map<String, Value>, wanted: &Map<String, Value>, path: &mut Path) -> Option<String> {
    wanted.iter().find_map(|(name, value)| {
        path.steps.push(name.clone());
        let found = difference(observed.get(name), value, path);
        path.steps.pop();
        found
    })
}

fn items(observed: &[Value], wanted: &[Value], path: &mut Path) -> Option<String> {
    if observed.len() != wanted.len() {
        return Some(path.text());
    }
    observed.iter().zip(wanted).enumerate().find_map(|(index, (observed, wanted))| {
        path.steps.push(index.to_string());
        let found = difference(Some(observed), wanted, path);
        path.steps.pop();
        found
    })
}

/// What the API server leaves out when it stores an object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
    }
}

fn same_quantity(one: &Value, other: &Value) -> bool {
    match (quantity(one), quantity(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= one.abs().max(other.abs()) * 1e-9,
        _ => false,
    }
}

/// The amount that a Kubernetes quantity stands for.
fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if let Ok(number) = text.parse::<f64>() {
        return Some(number);
    }
    let start = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (digits, suffix) = text.split_at(start);
    Some(digits.parse::<f64>().ok()? * factor(suffix)?)
}

fn factor(suffix: &str) -> Option<f64> {
    Some(match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::first_difference;

    #[test]
    fn what_others_add_is_no_difference() {
        let observed = json!({
            "replicas": 1, "progressDeadlineSeconds": 180,
            "template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}},
            "containers": [{"name": "supervisor", "terminationMessagePath": "/dev/termination-log"}],
        });
        let wanted = json!({
            "replicas": 1, "template": {"metadata": {}}, "containers": [{"name": "supervisor", "command": null, "env": []}],
        });
        assert_eq!(first_difference(&observed, &wanted), None);
    }

    #[test]
    fn quantities_are_compared_by_amount() {
        let observed = json!({"resources": {"limits": {"cpu": "1", "memory": "256Mi"}}, "args": ["1"]});
        let same = json!({"resources": {"limits": {"cpu": "1.0", "memory": "0.25Gi"}}, "args": ["1"]});
        assert_eq!(first_difference(&observed, &same), None);
        let more = json!({"resources": {"limits": {"cpu": "1001m"}}});
        assert_eq!(first_difference(&observed, &more).as_deref(), Some("resources.limits.cpu"));
        let text = json!({"args": ["1.0"]});
        assert_eq!(first_difference(&observed, &text).as_deref(), Some("args.0"));
    }

    #[test]
    fn a_changed_and_a_missing_member_are_named() {
        let observed = json!({"containers": [{"image": "a"}], "extra": []});
        let changed = json!({"containers": [{"image": "b"}]});
        assert_eq!(first_difference(&observed, &changed).as_deref(), Some("containers.0.image"));
        let missing = json!({"serviceAccountName": "flink-supervisor"});
        assert_eq!(first_difference(&observed, &missing).as_deref(), Some("serviceAccountName"));
        let longer = json!({"containers": [{"image": "a"}, {"image": "c"}]});
        assert_eq!(first_difference(&observed, &longer).as_deref(), Some("containers"));
    }
}
