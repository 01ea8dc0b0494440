//! Sets of fields: trees of path elements, in the form of `fieldsV1`.
//!
//! Invariant: a node without members at or below it is as good as none; operations leave none behind.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shape::Node;

/// A field and what is below it. A node may be a member itself (`own`), or only lead to members.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Set {
    pub own: bool,
    pub below: BTreeMap<String, Set>,
}

impl Set {
    pub fn leaf() -> Self {
        Self { own: true, below: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        !self.own && self.below.values().all(Self::is_empty)
    }

    /// A set from paths of field names.
    pub fn of_paths(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let mut at = &mut set;
            for name in *path {
                at = at.below.entry(format!("f:{name}")).or_default();
            }
            at.own = true;
        }
        set
    }

    pub fn put(&mut self, element: String, child: &Self) {
        if !child.is_empty() {
            self.below.entry(element).or_default().union(child);
        }
    }

    pub fn union(&mut self, other: &Self) {
        self.own |= other.own;
        for (element, child) in &other.below {
            self.below.entry(element.clone()).or_default().union(child);
        }
    }

    pub fn or(mut self, other: &Self) -> Self {
        self.union(other);
        self
    }

    /// Members of this set that are not members of the other. What is below a member is none of it.
    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a && !b, |child| Some(child.clone()))
    }

    pub fn and(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a && b, |_| None)
    }

    fn combine(&self, other: &Self, own: fn(bool, bool) -> bool, alone: fn(&Self) -> Option<Self>) -> Self {
        let below = self.below.iter().filter_map(|(element, child)| {
            let child = match other.below.get(element) {
                Some(theirs) => child.combine(theirs, own, alone),
                None => alone(child)?,
            };
            (!child.is_empty()).then(|| (element.clone(), child))
        });
        Self { own: own(self.own, other.own), below: below.collect() }
    }

    /// Takes out the members of `other` with everything below them.
    pub fn without(&self, other: &Self) -> Self {
        if other.own {
            return Self::default();
        }
        let below = self.below.iter().filter_map(|(element, child)| {
            let child = other.below.get(element).map_or_else(|| child.clone(), |theirs| child.without(theirs));
            (!child.is_empty()).then(|| (element.clone(), child))
        });
        Self { own: self.own, below: below.collect() }
    }

    /// With the fields that lead to members as members too, where they are fields of a type and no entries of a map.
    pub fn with_named(&self, node: Node<'_>) -> Self {
        let below = self.below.iter().map(|(element, child)| {
            let (node, named) = match element.strip_prefix("f:") {
                Some(name) => (node.field(name), node.names(name)),
                None => (node.item(), false),
            };
            let mut child = child.with_named(node);
            child.own |= named && !child.below.is_empty();
            (element.clone(), child)
        });
        Self { own: self.own, below: below.collect() }
    }

    /// Members as paths, as messages name them: `.spec.containers[name="a"].image`; at each level members come first.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, at: &str, paths: &mut Vec<String>) {
        paths.extend(
            self.below.iter().filter(|(_, child)| child.own).map(|(element, _)| format!("{at}{}", step(element))),
        );
        for (element, child) in &self.below {
            child.collect(&format!("{at}{}", step(element)), paths);
        }
    }

    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.own && !self.below.is_empty() {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for (element, child) in &self.below {
            map.insert(element.clone(), child.to_json());
        }
        Value::Object(map)
    }

    pub fn from_json(json: &Value) -> Self {
        let mut set = Self::parse(json);
        set.own = false;
        set
    }

    fn parse(json: &Value) -> Self {
        let Some(map) = json.as_object() else { return Self::leaf() };
        let below: BTreeMap<String, Self> =
            map.iter().filter(|(key, _)| *key != ".").map(|(key, child)| (key.clone(), Self::parse(child))).collect();
        Self { own: map.contains_key(".") || below.is_empty(), below }
    }
}

fn step(element: &str) -> String {
    match element.split_at_checked(2) {
        Some(("f:", name)) => format!(".{name}"),
        Some(("v:", value)) => format!("[={value}]"),
        Some(("k:", keys)) => {
            let keys: Value = serde_json::from_str(keys).unwrap_or_default();
            let pairs: Vec<String> =
                keys.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => element.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(json: &Value) -> Set {
        Set::from_json(json)
    }

    #[test]
    fn members_are_taken_out_one_by_one_or_with_all_below() {
        let all = set(&json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}, "f:d": {}}));
        assert_eq!(all.minus(&set(&json!({"f:a": {}}))), set(&json!({"f:a": {"f:b": {}, "f:c": {}}, "f:d": {}})));
        assert_eq!(all.without(&set(&json!({"f:a": {}}))), set(&json!({"f:d": {}})));
        assert_eq!(all.and(&set(&json!({"f:a": {"f:b": {}}, "f:e": {}}))), set(&json!({"f:a": {"f:b": {}}})));
        assert!(all.minus(&all).below.is_empty());
    }

    #[test]
    fn paths_name_members_level_by_level() {
        let fields = set(
            &json!({"f:spec": {"f:list": {"k:{\"name\":\"a\",\"port\":1}": {".": {}, "f:x": {}}}, "f:set": {"v:\"q\"": {}}, "f:z": {}}}),
        );
        assert_eq!(
            fields.paths(),
            [".spec.z", ".spec.list[name=\"a\",port=1]", ".spec.list[name=\"a\",port=1].x", ".spec.set[=\"q\"]"]
        );
    }
}
