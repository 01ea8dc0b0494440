//! How a definition comes to be served: its names are accepted, unless another one of its group has them, and then it is
//! established. What the server notes of that is its own write, after that of the client.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::fields::{self, Manager, Node, Tracking};
use super::super::kinds::Kind;
use super::super::{Machinery, builtin, custom, meta};

const PREFIX: &str = "/apiextensions.k8s.io/customresourcedefinitions/";
const VERSION: &str = "apiextensions.k8s.io/v1";

/// Notes the version in which objects are stored from now on.
pub(crate) fn prepare(object: &mut Value) {
    let versions = object["spec"]["versions"].as_array().into_iter().flatten();
    let Some(name) =
        versions.filter(|version| version["storage"] == true).map(|version| version["name"].clone()).next()
    else {
        return;
    };
    let status = meta::map_in(object.as_object_mut().expect("objects are maps"), "status");
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if stored.is_null() {
        *stored = json!([]);
    }
    if let Some(stored) = stored.as_array_mut().filter(|stored| !stored.contains(&name)) {
        stored.push(name);
    }
}

/// A condition of a definition.
pub(super) fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    definition.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// What is asked of the names of a kind, and by what name a refusal goes.
const NAMES: [(&str, &str); 4] = [
    ("plural", "PluralConflict"),
    ("singular", "SingularConflict"),
    ("kind", "KindConflict"),
    ("listKind", "ListKindConflict"),
];

/// Names that are taken: of resources, and of kinds.
struct Taken {
    resources: Vec<String>,
    kinds: Vec<String>,
}

impl Machinery {
    /// Gives each definition the names that it asks for, as far as they are free.
    pub(crate) fn settle_definitions(&mut self, now: Timestamp) {
        // What one gives up another may have.
        while let Some((key, definition)) = self.unsettled(now) {
            let definition = self.store.put(&key, definition);
            custom::register(&mut self.kinds, &definition);
        }
    }

    fn unsettled(&self, now: Timestamp) -> Option<(String, Value)> {
        let all: Vec<(&String, &Arc<Value>)> = self.store.scan(PREFIX, "").collect();
        all.iter().find_map(|(key, definition)| {
            let settled = settled(definition, &taken(&all, key, &definition["spec"]["group"]), now)?;
            Some(((*key).clone(), self.noted(definition, settled, now)))
        })
    }

    /// The owner of what the server notes is the server.
    fn noted(&self, definition: &Value, mut settled: Value, now: Timestamp) -> Value {
        let Some(kind) = self.kinds.get("apiextensions.k8s.io", "v1", "customresourcedefinitions") else {
            return settled;
        };
        let kind: &Kind = kind;
        let tracking = Tracking {
            root: Node::root(kind),
            manager: Manager { name: "kube-apiserver", api_version: VERSION, subresource: "status" },
            now,
            empty: &builtin::empty(kind),
            ignored: &[&["metadata"], &["spec"]],
        };
        fields::track(&tracking, Some(definition), &mut settled);
        settled
    }
}

/// What others of a group have.
fn taken(all: &[(&String, &Arc<Value>)], own: &str, group: &Value) -> Taken {
    let mut taken = Taken { resources: Vec::new(), kinds: Vec::new() };
    for (_, other) in all.iter().filter(|(key, other)| *key != own && other["spec"]["group"] == *group) {
        let names = &other["status"]["acceptedNames"];
        let text = |field: &str| names[field].as_str().unwrap_or_default().to_owned();
        taken.resources.extend([text("plural"), text("singular")]);
        taken
            .resources
            .extend(names["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        taken.kinds.extend([text("kind"), text("listKind")]);
    }
    taken
}

/// The definition with its names accepted or refused; none if there is nothing new to say.
fn settled(definition: &Value, taken: &Taken, now: Timestamp) -> Option<Value> {
    let (wanted, accepted) = (&definition["spec"]["names"], &definition["status"]["acceptedNames"]);
    if wanted == accepted {
        return None;
    }
    let mut names = accepted.as_object().cloned().unwrap_or_default();
    let mut conflict: Option<(&str, String)> = None;
    for (field, reason) in NAMES {
        let used = if field.to_lowercase().ends_with("kind") { &taken.kinds } else { &taken.resources };
        match wanted.get(field) {
            Some(name) if accepted.get(field) == Some(name) => {}
            Some(name) if used.iter().any(|used| name == used) => conflict = Some((reason, in_use(name))),
            Some(name) => drop(names.insert(field.to_owned(), name.clone())),
            None => {}
        }
        if field == "singular" {
            short_names(wanted, accepted, taken, &mut names, &mut conflict);
        }
    }
    copy(wanted, "categories", &mut names);
    let mut settled = definition.clone();
    settled["status"]["acceptedNames"] = names.into();
    let installed = condition(definition, "Established").is_some_and(|condition| condition["status"] == "True");
    let named = match &conflict {
        Some((reason, message)) => ("NamesAccepted", "False", *reason, message.as_str()),
        None => ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    };
    set_condition(&mut settled, named, now);
    if !installed {
        let established = match conflict {
            Some(_) => ("Established", "False", "NotAccepted", "not all names are accepted"),
            None => ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
        };
        set_condition(&mut settled, established, now);
    }
    (settled != *definition).then_some(settled)
}

fn short_names(
    wanted: &Value,
    accepted: &Value,
    taken: &Taken,
    names: &mut Map<String, Value>,
    conflict: &mut Option<(&str, String)>,
) {
    let own = accepted["shortNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let asked = wanted["shortNames"].as_array().into_iter().flatten().filter(|name| !own.contains(name));
    let used: Vec<String> = asked.filter(|name| taken.resources.iter().any(|used| *name == used)).map(in_use).collect();
    match used.as_slice() {
        [] => copy(wanted, "shortNames", names),
        [one] => *conflict = Some(("ShortNamesConflict", one.clone())),
        several => *conflict = Some(("ShortNamesConflict", format!("[{}]", several.join(", ")))),
    }
}

fn in_use(name: &Value) -> String {
    format!("{name} is already in use")
}

fn copy(from: &Value, field: &str, to: &mut Map<String, Value>) {
    match from.get(field) {
        Some(value) => drop(to.insert(field.to_owned(), value.clone())),
        None => drop(to.remove(field)),
    }
}

fn set_condition(definition: &mut Value, (kind, status, reason, message): (&str, &str, &str, &str), now: Timestamp) {
    let conditions = &mut definition["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let conditions = conditions.as_array_mut().expect("was made a list above");
    let index = conditions.iter().position(|condition| condition["type"] == kind).unwrap_or_else(|| {
        conditions.push(json!({"type": kind, "status": ""}));
        conditions.len() - 1
    });
    let condition = &mut conditions[index];
    if condition["status"] != status {
        condition["lastTransitionTime"] = meta::seconds(now).into();
    }
    for (field, value) in [("status", status), ("reason", reason), ("message", message)] {
        condition[field] = value.into();
    }
}
