//! Objects under their types: which fields they have, what differs between two, how they merge, and what is left without some.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;
use super::shape::{Lists, Node};

/// All fields of a value: leaves, items, and what is taken whole. `own` is for the caller to set.
pub(super) fn fields(node: Node<'_>, value: &Value) -> Set {
    let mut set = Set::default();
    match value {
        Value::Object(_) if node.whole_map() => set.own = true,
        Value::Object(map) => {
            for (key, child) in map {
                let mut below = fields(node.field(key), child);
                let hollow = child.is_null() || child.as_object().is_some_and(Map::is_empty);
                below.own |= hollow || !node.names(key);
                set.put(format!("f:{key}"), &below);
            }
        }
        Value::Array(items) => {
            let lists = node.lists();
            if lists == Lists::Whole {
                set.own = true;
            }
            for (element, items) in grouped(&lists, items) {
                // Items that cannot be told apart are one, without anything below.
                let mut below = if let [only] = items.as_slice() { fields(node.item(), only) } else { Set::default() };
                below.own = true;
                set.put(element, &below);
            }
        }
        Value::Null => {}
        _ => set.own = true,
    }
    set
}

fn grouped<'v>(lists: &Lists<'_>, items: &'v [Value]) -> BTreeMap<String, Vec<&'v Value>> {
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for item in items {
        if let Some(element) = lists.element(item) {
            groups.entry(element).or_default().push(item);
        }
    }
    groups
}

/// What became of the fields between two states. No field is in two of the sets.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

impl Difference {
    fn put(&mut self, element: &str, below: &Self) {
        self.added.put(element.to_owned(), &below.added);
        self.modified.put(element.to_owned(), &below.modified);
        self.removed.put(element.to_owned(), &below.removed);
    }

    fn join(&mut self, other: &Self) {
        self.added.union(&other.added);
        self.modified.union(&other.modified);
        self.removed.union(&other.removed);
    }

    fn leaf(old: Option<&Value>, new: Option<&Value>) -> Self {
        let mut difference = Self::default();
        match (old, new) {
            (None, _) => difference.added.own = true,
            (_, None) => difference.removed.own = true,
            (Some(old), Some(new)) => difference.modified.own = old != new,
        }
        difference
    }

    pub fn without(mut self, ignored: &Set) -> Self {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            *set = set.without(ignored);
        }
        self
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Map,
    List,
    Plain,
}

fn form(value: &Value) -> Option<Form> {
    match value {
        Value::Null => None,
        Value::Object(_) => Some(Form::Map),
        Value::Array(_) => Some(Form::List),
        _ => Some(Form::Plain),
    }
}

/// Compares two objects.
pub(super) fn compare(root: Node<'_>, old: &Value, new: &Value) -> Difference {
    let mut difference = between(root, Some(old), Some(new));
    for set in [&mut difference.added, &mut difference.modified, &mut difference.removed] {
        set.own = false;
    }
    difference
}

fn between(node: Node<'_>, old: Option<&Value>, new: Option<&Value>) -> Difference {
    match (old.and_then(form), new.and_then(form)) {
        (Some(before), Some(after)) if before != after => {
            // Another form: what was below is gone, what is below is new.
            let mut difference = between_as(node, before, old, None);
            difference.removed.own = false;
            let mut fresh = between_as(node, after, None, new);
            fresh.added.own = false;
            difference.join(&fresh);
            difference.modified.own =
                after == Form::Plain || before == Form::Plain || node.whole_map() || node.lists() == Lists::Whole;
            difference
        }
        (Some(form), _) | (None, Some(form)) => between_as(node, form, old, new),
        (None, None) => Difference::leaf(old, new),
    }
}

fn between_as(node: Node<'_>, form: Form, old: Option<&Value>, new: Option<&Value>) -> Difference {
    let mut difference = match form {
        Form::Plain => return Difference::leaf(old, new),
        Form::Map => {
            let map = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
            if node.whole_map() || is_hollow(old) && is_hollow(new) {
                return Difference::leaf(old, new);
            }
            let (before, after) = (map(old), map(new));
            let mut difference = Difference::default();
            for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
                difference.put(&format!("f:{key}"), &between(node.field(key), before.get(key), after.get(key)));
            }
            difference
        }
        Form::List => {
            let lists = node.lists();
            if lists == Lists::Whole || is_hollow(old) && is_hollow(new) {
                return Difference::leaf(old, new);
            }
            let groups = |value: Option<&Value>| {
                let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                grouped(&lists, items).into_iter().map(|(k, v)| (k, v.into_iter().cloned().collect())).collect()
            };
            items(node, &groups(old), &groups(new))
        }
    };
    match (old, new) {
        (None, _) => difference.added.own = true,
        (_, None) => difference.removed.own = true,
        _ => {}
    }
    difference
}

type Groups = BTreeMap<String, Vec<Value>>;

fn items(node: Node<'_>, before: &Groups, after: &Groups) -> Difference {
    let mut difference = Difference::default();
    let none = Vec::new();
    for element in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let (old, new) = (before.get(element).unwrap_or(&none), after.get(element).unwrap_or(&none));
        let mut below = Difference::default();
        match (old.len(), new.len()) {
            (0 | 1, 0 | 1) => below = between(node.item(), old.first(), new.first()),
            (0 | 1, _) => {
                if let Some(old) = old.first() {
                    below = between(node.item(), Some(old), None);
                }
                below.added.own = true;
            }
            (_, 0 | 1) => {
                if let Some(new) = new.first() {
                    below = between(node.item(), None, Some(new));
                }
                below.removed.own = true;
            }
            (_, _) => below.modified.own = old != new,
        }
        difference.put(element, &below);
    }
    difference
}

fn is_hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// Merges a configuration into a live value: what it has wins, what it lacks stays.
pub(super) fn merge(node: Node<'_>, live: &Value, config: &Value) -> Value {
    match (live, config) {
        (Value::Object(old), Value::Object(new)) if !(node.whole_map() || old.is_empty() && new.is_empty()) => {
            let mut merged = old.clone();
            for (key, value) in new {
                let child = old.get(key).map_or_else(|| value.clone(), |old| merge(node.field(key), old, value));
                merged.insert(key.clone(), child);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) => match node.lists() {
            Lists::Whole => config.clone(),
            lists => merge_items(node, &lists, old, new),
        },
        // Nothing is said of a granular map or list by a null.
        (Value::Object(old), Value::Null) if !node.whole_map() && !old.is_empty() => live.clone(),
        (Value::Array(old), Value::Null) if node.lists() != Lists::Whole && !old.is_empty() => live.clone(),
        (_, config) => config.clone(),
    }
}

/// Items that both have keep the order of the configuration, others the order in which they stand in their own list.
fn merge_items(node: Node<'_>, lists: &Lists<'_>, live: &[Value], config: &[Value]) -> Value {
    let known = |items: &[Value]| -> Vec<(String, Value)> {
        items.iter().filter_map(|item| Some((lists.element(item)?, item.clone()))).collect()
    };
    let (old, new) = (known(live), known(config));
    let find = |items: &[(String, Value)], element: &str| {
        items.iter().find(|(other, _)| other == element).map(|(_, item)| item.clone())
    };
    let both = |element: &str, item: &Value| {
        find(&old, element).map_or_else(|| item.clone(), |old| merge(node.item(), &old, item))
    };
    let mut shared = new.iter().map(|(element, _)| element).filter(|element| find(&old, element).is_some());
    let mut awaited = shared.next();
    let mut done: Vec<&String> = Vec::new();
    let mut merged = Vec::new();
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        if let (Some((mine, _)), Some((theirs, item))) = (old.get(left), new.get(right)) {
            if mine == theirs {
                merged.push(both(theirs, item));
                done.push(theirs);
                (left, right) = (left + 1, right + 1);
                awaited = shared.next();
                continue;
            }
            if find(&new, mine).is_some() && awaited.is_some_and(|awaited| awaited != mine) {
                // Its turn comes with the configuration.
                left += 1;
                continue;
            }
        }
        if let Some((mine, item)) = old.get(left) {
            if find(&new, mine).is_none() {
                merged.push(item.clone());
                left += 1;
                continue;
            }
            if done.contains(&mine) {
                left += 1;
            }
        }
        if let Some((theirs, item)) = new.get(right) {
            merged.push(both(theirs, item));
            done.push(theirs);
            right += 1;
            if awaited == Some(theirs) {
                awaited = shared.next();
            }
        }
    }
    Value::Array(merged)
}

/// What is left of a value without some of its fields; null if that is nothing.
pub(super) fn remove(node: Node<'_>, value: &Value, gone: &Set) -> Value {
    match value {
        Value::Object(map) if !node.whole_map() => {
            let mut left = Map::new();
            for (key, child) in map {
                match gone.below.get(&format!("f:{key}")) {
                    Some(less) if less.own => {}
                    Some(less) if !less.is_empty() => {
                        left.insert(key.clone(), remove(node.field(key), child, less));
                    }
                    _ => {
                        left.insert(key.clone(), child.clone());
                    }
                }
            }
            if left.is_empty() { Value::Null } else { Value::Object(left) }
        }
        Value::Array(items) => {
            let lists = node.lists();
            let mut left = Vec::new();
            for item in items {
                match lists.element(item).and_then(|element| gone.below.get(&element)) {
                    Some(less) if less.own => {}
                    Some(less) if !less.is_empty() => left.push(remove(node.item(), item, less)),
                    _ => left.push(item.clone()),
                }
            }
            if lists == Lists::Whole || left.is_empty() { Value::Null } else { Value::Array(left) }
        }
        Value::Object(_) => Value::Null,
        plain => plain.clone(),
    }
}
