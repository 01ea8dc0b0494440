//! Events have two faces, `v1` and `events.k8s.io/v1`, on the same objects. They are stored in the first form.

use serde_json::{Map, Value};

/// The type of what is stored.
pub(super) const STORED: &str = "io.k8s.api.core.v1.Event";

/// Names in `v1`, and what `events.k8s.io/v1` calls them.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(crate) fn to_stored(event: &mut Value) {
    rename(event, "v1", NAMES.iter().map(|(old, new)| (*new, *old)));
}

pub(crate) fn to_new(event: &mut Value) {
    rename(event, "events.k8s.io/v1", NAMES.iter().copied());
}

fn rename<'a>(event: &mut Value, version: &str, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(map) = event.as_object_mut() else { return };
    let mut renamed: Map<String, Value> = Map::new();
    for (from, to) in names {
        if let Some(value) = map.remove(from) {
            renamed.insert(to.to_owned(), value);
        }
    }
    map.extend(renamed);
    map.insert("apiVersion".into(), version.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way_there_and_back() {
        let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "x"}, "note": "n", "reportingController": "c", "series": {"count": 2}});
        let mut stored = event.clone();
        to_stored(&mut stored);
        assert_eq!(stored["message"], "n");
        assert_eq!(stored["involvedObject"]["name"], "x");
        to_new(&mut stored);
        assert_eq!(stored, event);
    }
}
