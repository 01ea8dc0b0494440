//! Answers without a table of their own: members one below the other, lists of objects as tables.

use serde_json::Value;

use super::{Cell, Details, Look};

/// Members of an object, with those of objects within it below it.
pub fn figures(value: &Value, look: &Look) -> String {
    let mut details = Details::default();
    collect(&mut details, "", value);
    details.render(look)
}

fn collect(details: &mut Details, above: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                collect(details, &path, member);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                collect(details, &format!("{above}[{number}]"), item);
            }
        }
        Value::String(text) => details.add(above, Cell::word(text.clone())),
        Value::Null => {}
        other => details.add(above, Cell::plain(said(above, other))),
    }
}

/// A number with its unit, as far as its name tells which.
fn said(path: &str, value: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let (Some(number), Some(signed)) = (value.as_u64(), value.as_i64()) else {
        return value.to_string();
    };
    let is_memory =
        name.starts_with("jvmMemory") || ["heap", "nonHeap", "direct", "mapped"].iter().any(|of| name.starts_with(of));
    match () {
        () if is_memory && ends(&["Used", "Max", "Committed", "Capacity"]) => bytes(number),
        () if ends(&["Memory", "lastCheckpointSize"]) => bytes(number),
        () if ends(&["Timestamp", "Heartbeat"]) => {
            let at = jiff::Timestamp::from_millisecond(signed).ok().filter(|_| number > 0);
            at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        }
        () if ends(&["uptime", "downtime", "restartingTime"]) => super::age(signed / 1000),
        () if ends(&["Duration", "CollectorCopyTime", "CompactTime"]) => format!("{number} ms"),
        () => number.to_string(),
    }
}

/// A number of bytes as people say it.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(number) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 || tenths >= 1000 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_of_members_have_paths() {
        let look = Look { width: None, color: false, wide: false };
        let text = figures(&json!({"a": 1, "b": {"c": "x", "d": [{"e": true}]}, "n": null}), &look);
        assert_eq!(text, "a:         1\nb.c:       x\nb.d[0].e:  true\n");
    }

    #[test]
    fn numbers_have_the_unit_that_their_names_tell() {
        for (name, number, text) in [
            ("metrics.heapUsed", 28_898_664_u64, "27.5 MiB"),
            ("hardware.freeMemory", 1024, "1.0 KiB"),
            ("jvmMemoryDirectCount", 12, "12"),
            ("uptime", 24_744, "24s"),
            ("lastCheckpointDuration", 141, "141 ms"),
            ("lastCheckpointRestoreTimestamp", 0, ""),
            ("timeSinceLastHeartbeat", 1_000_000_000_000, "2001-09-09 01:46:40 UTC"),
        ] {
            assert_eq!(said(name, &json!(number)), text, "{name}");
        }
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1_258_291_200), "1.1 GiB");
        assert_eq!(bytes(134_217_728), "128 MiB");
    }
}
