//! Sets of fields: trees of path elements, in the form of `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shape::Node;

/// A field and what is below it. A node may be a member itself (`own`), or only lead to members.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Set {
    pub own: bool,
    pub below: BTreeMap<String, Set>,
}

/// What the server sets is nobody's.
const UNOWNED: [&str; 10] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "selfLink",
    "name",
    "namespace",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

impl Set {
    fn leaf() -> Self {
        Self { own: true, below: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        !self.own && self.below.values().all(Self::is_empty)
    }

    /// All fields of an object, without those that nobody owns.
    pub fn of_object(root: Node<'_>, object: &Value) -> Self {
        let mut set = Self::default();
        for (key, value) in object.as_object().into_iter().flatten() {
            set.add_field(root.field(key, true), key, value);
        }
        set.disown();
        set
    }

    pub fn disown(&mut self) {
        self.below.remove("f:apiVersion");
        self.below.remove("f:kind");
        if let Some(metadata) = self.below.get_mut("f:metadata") {
            for field in UNOWNED {
                metadata.below.remove(&format!("f:{field}"));
            }
            metadata.own = false;
        }
        self.tidy();
    }

    fn add_field(&mut self, node: Node<'_>, key: &str, value: &Value) {
        self.below.insert(format!("f:{key}"), Self::of(node, value));
    }

    /// The fields of a value: leaves, and everything that is taken whole.
    pub fn of(node: Node<'_>, value: &Value) -> Self {
        let mut set = Self::default();
        match value {
            Value::Object(map) if !map.is_empty() && !node.whole_map() => {
                for (key, child) in map {
                    set.add_field(node.field(key, false), key, child);
                }
            }
            Value::Array(items) => {
                let lists = node.lists();
                let Some(elements) = lists.elements(items).filter(|elements| !elements.is_empty()) else {
                    return Self::leaf();
                };
                for (element, item) in elements.into_iter().zip(items) {
                    let mut below = Self::of(node.item(), item);
                    below.own = true;
                    set.below.insert(element, below);
                }
            }
            _ => set.own = true,
        }
        set
    }

    pub fn union(&mut self, other: &Self) {
        self.own |= other.own;
        for (element, child) in &other.below {
            self.below.entry(element.clone()).or_default().union(child);
        }
    }

    /// Takes the members of `other` out of this set.
    pub fn subtract(&mut self, other: &Self) {
        self.own &= !other.own;
        for (element, child) in &other.below {
            if let Some(mine) = self.below.get_mut(element) {
                mine.subtract(child);
            }
        }
        self.tidy();
    }

    /// Takes out everything at and below the members of `other`: those fields exist no more.
    pub fn cut(&mut self, other: &Self) {
        self.below.retain(|element, mine| {
            let Some(theirs) = other.below.get(element) else { return true };
            if theirs.own && theirs.below.is_empty() {
                return false;
            }
            if theirs.own {
                mine.own = false;
            }
            mine.cut(theirs);
            !mine.is_empty()
        });
    }

    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { own: self.own && other.own, below: BTreeMap::new() };
        for (element, mine) in &self.below {
            if let Some(common) =
                other.below.get(element).map(|theirs| mine.intersection(theirs)).filter(|common| !common.is_empty())
            {
                both.below.insert(element.clone(), common);
            }
        }
        both
    }

    fn tidy(&mut self) {
        self.below.retain(|_, child| !child.is_empty());
    }

    /// Members as paths, as messages name them: `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, at: &str, paths: &mut Vec<String>) {
        if self.own {
            paths.push(at.to_owned());
        }
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
        let Some(map) = json.as_object() else { return Self::leaf() };
        let below: BTreeMap<String, Self> = map
            .iter()
            .filter(|(key, _)| *key != ".")
            .map(|(key, child)| (key.clone(), Self::from_json(child)))
            .collect();
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

/// What became of the fields between two states.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Added or changed.
    pub changed: Set,
    pub removed: Set,
}

impl Difference {
    pub fn between(root: Node<'_>, old: &Value, new: &Value) -> Self {
        let (changed, removed) = compare(root, Some(old), Some(new), true);
        let mut difference = Self { changed: changed.unwrap_or_default(), removed: removed.unwrap_or_default() };
        difference.changed.disown();
        difference.removed.disown();
        difference
    }
}

/// Changed and removed fields at and below a node; `None` where there are none.
fn compare(node: Node<'_>, old: Option<&Value>, new: Option<&Value>, root: bool) -> (Option<Set>, Option<Set>) {
    match (old, new) {
        (None, None) => (None, None),
        (Some(old), Some(new)) if old == new => (None, None),
        (None, Some(new)) => (Some(Set::of(node, new)), None),
        (Some(_), None) => (None, Some(Set::leaf())),
        (Some(Value::Object(old)), Some(Value::Object(new))) if !node.whole_map() && !new.is_empty() => {
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            gather(keys.map(|key| {
                let (changed, removed) = compare(node.field(key, root), old.get(key), new.get(key), false);
                (format!("f:{key}"), changed, removed)
            }))
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            let lists = node.lists();
            let (Some(old_elements), Some(new_elements)) = (lists.elements(before), lists.elements(after)) else {
                return (Some(Set::leaf()), None);
            };
            let old: BTreeMap<&String, &Value> = old_elements.iter().zip(before).collect();
            let new: BTreeMap<&String, &Value> = new_elements.iter().zip(after).collect();
            let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
            gather(keys.map(|key| {
                let (was, is) = (old.get(*key).copied(), new.get(*key).copied());
                let (mut changed, removed) = compare(node.item(), was, is, false);
                if let Some(changed) = changed.as_mut().filter(|_| was.is_none()) {
                    changed.own = true;
                }
                ((*key).clone(), changed, removed)
            }))
        }
        // A value in place of another: what was below the old one is gone.
        (Some(old), Some(new)) => {
            let gone = (old.is_object() || old.is_array()) && !node.whole_map();
            (Some(Set::of(node, new)), gone.then(|| Set::of(node, old)))
        }
    }
}

fn gather(children: impl Iterator<Item = (String, Option<Set>, Option<Set>)>) -> (Option<Set>, Option<Set>) {
    let (mut changed, mut removed) = (Set::default(), Set::default());
    for (element, more, less) in children {
        if let Some(more) = more {
            changed.below.insert(element.clone(), more);
        }
        if let Some(less) = less {
            removed.below.insert(element, less);
        }
    }
    (Some(changed).filter(|set| !set.is_empty()), Some(removed).filter(|set| !set.is_empty()))
}
