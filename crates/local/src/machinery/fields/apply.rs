//! Server-side apply: an applied configuration is merged into the object; its fields become the manager's, and those that it
//! had applied before and no longer mentions go.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::error::Failure;
use super::manage::{Entry, Manager, entries, record};
use super::set::{Difference, Set};
use super::shape::{Lists, Node};

/// The outcome of an apply, to be written like an update.
pub(crate) type Applied = Result<Value, Failure>;

/// Applies `config` to what is there, if anything.
pub(crate) fn apply(
    root: Node<'_>,
    manager: &Manager<'_>,
    now: Timestamp,
    force: bool,
    live: Option<&Value>,
    config: &Value,
) -> Applied {
    let fields = Set::of_object(root, config);
    let mut own = Entry::new(manager, now, fields.clone());
    let Some(live) = live else {
        let mut object = config.clone();
        record(&mut object, vec![own]);
        return Ok(object);
    };
    let mut others = entries(live);
    let before = others.iter().position(|entry| entry.is(manager)).map(|index| others.remove(index));
    let mut merged = merge(root, live, config, true);
    let changed = Difference::between(root, live, &merged).changed;
    let conflicts: Vec<(usize, Set)> = others
        .iter()
        .enumerate()
        .map(|(index, entry)| (index, entry.fields.intersection(&changed)))
        .filter(|(_, common)| !common.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflict(&others, &conflicts));
    }
    for (index, common) in &conflicts {
        others[*index].fields.subtract(common);
    }
    if let Some(before) = &before {
        let mut dropped = before.fields.clone();
        dropped.subtract(&fields);
        let mut kept = Set::default();
        for entry in &others {
            kept.union(&entry.fields);
        }
        prune(root, &mut merged, &dropped, &kept, true);
        own.keep_time(before);
    }
    others.push(own);
    record(&mut merged, others);
    Ok(merged)
}

fn conflict(others: &[Entry], conflicts: &[(usize, Set)]) -> Failure {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (index, common) in conflicts {
        let who = others[*index].described();
        for path in common.paths() {
            causes.push(
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path}),
            );
            lines.push((who.clone(), path));
        }
    }
    let message = if let [(who, path)] = lines.as_slice() {
        format!("Apply failed with 1 conflict: conflict with {who}: {path}")
    } else {
        let line = |(index, (who, path)): (usize, &(String, String))| {
            let same = index > 0 && lines[index - 1].0 == *who;
            let head = if same { String::new() } else { format!(" conflicts with {who}:") };
            format!("{head}\n- {path}")
        };
        let text: String = lines.iter().enumerate().map(line).collect();
        format!("Apply failed with {} conflicts:{text}", lines.len())
    };
    Failure::new(409, "Conflict", message).with(json!({"causes": causes}))
}

fn merge(node: Node<'_>, live: &Value, config: &Value, root: bool) -> Value {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !node.whole_map() => {
            let mut merged = live.clone();
            for (key, value) in config {
                let child = match live.get(key) {
                    Some(old) => merge(node.field(key, root), old, value, false),
                    None => value.clone(),
                };
                merged.insert(key.clone(), child);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(config)) => {
            let lists = node.lists();
            let (Some(old), Some(new)) = (lists.elements(live), lists.elements(config)) else {
                return Value::Array(config.clone());
            };
            let mut merged = live.clone();
            for (element, item) in new.iter().zip(config) {
                match old.iter().position(|other| other == element) {
                    Some(index) => merged[index] = merge(node.item(), &live[index], item, false),
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        (_, config) => config.clone(),
    }
}

/// Removes what is in `dropped` and in nobody's set.
fn prune(node: Node<'_>, value: &mut Value, dropped: &Set, kept: &Set, root: bool) {
    let nobody = Set::default();
    for (element, less) in &dropped.below {
        let others = kept.below.get(element).unwrap_or(&nobody);
        let gone = less.own && others.is_empty();
        match value {
            Value::Object(map) => {
                let Some(key) = element.strip_prefix("f:") else { continue };
                if gone {
                    map.remove(key);
                    continue;
                }
                let Some(child) = map.get_mut(key) else { continue };
                prune(node.field(key, root), child, less, others, false);
                if is_hollow(child) && others.is_empty() {
                    map.remove(key);
                }
            }
            Value::Array(items) => {
                let lists: Lists<'_> = node.lists();
                let Some(index) = items.iter().position(|item| lists.element(item).as_deref() == Some(element)) else {
                    continue;
                };
                if gone {
                    items.remove(index);
                } else {
                    prune(node.item(), &mut items[index], less, others, false);
                }
            }
            _ => {}
        }
    }
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Node<'_> = Node::Known { field: "", parent: "", service: false };

    fn manager(name: &str, apply: bool) -> Manager<'_> {
        Manager { name, api_version: "apps/v1", subresource: "", apply }
    }

    fn by(name: &str, live: Option<&Value>, config: &Value) -> Applied {
        apply(LIVES, &manager(name, true), Timestamp::UNIX_EPOCH, false, live, config)
    }

    #[test]
    fn what_is_no_longer_applied_goes_unless_somebody_else_has_it() {
        let first = by("a", None, &json!({"metadata": {"name": "x", "labels": {"l": "1", "m": "1"}}, "spec": {"replicas": 1, "paused": true}})).expect("new");
        let both =
            by("b", Some(&first), &json!({"metadata": {"name": "x"}, "spec": {"paused": true}})).expect("same value");
        let last = by("a", Some(&both), &json!({"metadata": {"name": "x", "labels": {"l": "1"}}, "spec": {}}))
            .expect("fewer fields");
        assert_eq!(last["metadata"]["labels"], json!({"l": "1"}));
        assert_eq!(last["spec"], json!({"paused": true}));
    }

    #[test]
    fn another_managers_field_is_a_conflict_that_force_wins() {
        let mut live = json!({"metadata": {"name": "x"}, "spec": {"replicas": 1}});
        super::super::track(LIVES, &manager("kubectl", false), Timestamp::UNIX_EPOCH, None, &mut live);
        let config = json!({"metadata": {"name": "x"}, "spec": {"replicas": 2}});
        let refused = by("b", Some(&live), &config).expect_err("conflict");
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas"
        );
        let forced =
            apply(LIVES, &manager("b", true), Timestamp::UNIX_EPOCH, true, Some(&live), &config).expect("forced");
        assert_eq!(forced["spec"]["replicas"], 2);
        assert_eq!(forced["metadata"]["managedFields"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn list_items_are_told_apart_by_key() {
        let one = json!({"spec": {"containers": [{"name": "a", "image": "1", "env": [{"name": "E", "value": "1"}]}]}});
        let two = json!({"spec": {"containers": [{"name": "b", "image": "2"}]}});
        let live = by("x", None, &one).expect("new");
        let live = by("y", Some(&live), &two).expect("another item");
        assert_eq!(live["spec"]["containers"].as_array().map(Vec::len), Some(2));
        let live =
            by("x", Some(&live), &json!({"spec": {"containers": [{"name": "a", "image": "1"}]}})).expect("no env");
        assert_eq!(live["spec"]["containers"], json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]));
        let live = by("x", Some(&live), &json!({})).expect("nothing");
        assert_eq!(live["spec"]["containers"], json!([{"name": "b", "image": "2"}]));
    }

    #[test]
    fn applying_the_same_again_changes_nothing() {
        let config = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}});
        let first = by("x", None, &config).expect("new");
        let again = apply(LIVES, &manager("x", true), Timestamp::MAX, false, Some(&first), &config).expect("same");
        assert_eq!(first, again);
    }
}
