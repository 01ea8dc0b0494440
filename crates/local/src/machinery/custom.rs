//! Kinds that custom resource definitions add.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::{Kind, Kinds, Scale};
use super::meta::{self, text};
use super::schema::Rules;
use super::table::CustomColumn;

/// What only custom resources have.
pub(crate) struct Custom {
    /// The version's schema as it stands in the definition.
    pub schema: Value,
    pub rules: Rules,
    /// Field paths that may stand in field selectors.
    pub selectable: Vec<String>,
    pub columns: Vec<CustomColumn>,
    /// The definition is being deleted: nothing new may come.
    pub terminating: bool,
}

/// Adds (or replaces) the kinds of a definition.
pub(crate) fn register(kinds: &mut Kinds, definition: &Value) {
    let (group, resource) = (text(definition, "/spec/group"), text(definition, "/spec/names/plural"));
    kinds.remove(group, resource);
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    for version in versions.into_iter().flatten().filter(|version| version["served"] == true) {
        kinds.add(kind(definition, version));
    }
}

fn kind(definition: &Value, version: &Value) -> Kind {
    let names = &definition["spec"]["names"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = |value: &Value| value.as_array().into_iter().flatten().map(word).collect::<Vec<_>>();
    let pointer = |path: &str| path.replace('.', "/");
    let scale = version.pointer("/subresources/scale").filter(|s| s.is_object()).map(|scale| Scale {
        spec: pointer(text(scale, "/specReplicasPath")),
        status: pointer(text(scale, "/statusReplicasPath")),
        selector: scale["labelSelectorPath"].as_str().map(pointer),
    });
    let mut subresources = Vec::new();
    if version.pointer("/subresources/status").is_some_and(Value::is_object) {
        subresources.push("status".to_owned());
    }
    if scale.is_some() {
        subresources.push("scale".to_owned());
    }
    let list = |key: &str| version[key].as_array().cloned().unwrap_or_default();
    let group = text(definition, "/spec/group");
    let schema = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_default();
    let resource = word(&names["plural"]);
    Kind {
        group: group.to_owned(),
        version: word(&version["name"]),
        singular: word(&names["singular"]),
        name: word(&names["kind"]),
        list_name: word(&names["listKind"]),
        namespaced: definition["spec"]["scope"] == "Namespaced",
        short_names: words(&names["shortNames"]),
        categories: words(&names["categories"]),
        subresources,
        scale,
        transient: false,
        prefix: format!("/{group}/{resource}/"),
        resource,
        custom: Some(Custom {
            rules: Rules::of(&schema),
            schema,
            selectable: list("selectableFields")
                .iter()
                .map(|f| text(f, "/jsonPath").trim_start_matches('.').to_owned())
                .collect(),
            columns: list("additionalPrinterColumns").iter().map(CustomColumn::new).collect(),
            terminating: meta::deleting(definition),
        }),
    }
}

/// Accepts a definition: every name is free here, so it is established at once.
pub(crate) fn establish(definition: &mut Value, now: Timestamp) {
    let names = definition["spec"]["names"].clone();
    let version = definition["spec"]["versions"]
        .as_array()
        .and_then(|versions| versions.iter().find(|version| version["storage"] == true))
        .map(|version| version["name"].clone())
        .unwrap_or_default();
    let status = meta::map_in(definition.as_object_mut().expect("objects are maps"), "status");
    status.retain(|_, value| !value.is_null());
    status.insert("acceptedNames".into(), names);
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Some(stored) = stored.as_array_mut().filter(|stored| !stored.contains(&version)) {
        stored.push(version);
    }
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    for (kind, reason, message) in [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ] {
        if let Some(conditions) = conditions.as_array_mut().filter(|all| !all.iter().any(|one| one["type"] == kind)) {
            conditions.push(json!({
                "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": meta::seconds(now),
            }));
        }
    }
}
