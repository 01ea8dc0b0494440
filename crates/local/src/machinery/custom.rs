//! Kinds that custom resource definitions add.

use std::sync::Arc;

use serde_json::Value;

use super::kinds::{Kind, Kinds, Scale, stability};
use super::meta::{self, text};
use super::schema::{self, Rules};
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
    /// The revision at which the schema came to be as it is.
    pub since: u64,
    /// Versions have schemas of their own.
    pub varies: bool,
    /// All versions that the definition names.
    pub versions: Vec<String>,
    /// What is said to everybody who uses the version.
    pub deprecation: Option<String>,
    /// The version in which objects are stored.
    pub stored: String,
}

/// Adds (or replaces) the kinds of a definition.
pub(crate) fn register(kinds: &mut Kinds, definition: &Value) {
    let (group, resource) = (text(definition, "/spec/group"), text(definition, "/spec/names/plural"));
    let revision = meta::revision(definition);
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let versions = versions.into_iter().flatten().filter(|version| version["served"] == true && served(definition));
    let mut served: Vec<Kind> = versions.map(|version| kind(definition, version)).collect();
    for kind in &mut served {
        let before = kinds.get(group, &kind.version, resource).and_then(|kind| kind.custom.as_ref());
        let custom = kind.custom.as_mut().expect("made above");
        custom.since = before.filter(|before| before.schema == custom.schema).map_or(revision, |before| before.since);
    }
    kinds.remove(group, resource);
    for kind in served {
        kinds.add(kind);
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
            since: 0,
            varies: varies(definition),
            versions: definition["spec"]["versions"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|version| text(version, "/name").to_owned())
                .collect(),
            deprecation: deprecation(definition, version),
            stored: stored_version(definition).to_owned(),
        }),
    }
}

fn stored_version(definition: &Value) -> &str {
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["storage"] == true)
        .map(|version| text(version, "/name"))
        .next()
        .unwrap_or_default()
}

fn varies(definition: &Value) -> bool {
    let versions = definition["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    versions.windows(2).any(|pair| pair[0]["schema"] != pair[1]["schema"])
}

/// Whether a definition is served: its names are its own.
fn served(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let holds = |condition: &Value| {
        condition["status"] == "True" && (condition["type"] == "NamesAccepted" || condition["type"] == "Established")
    };
    conditions.into_iter().any(holds)
}

/// What users of a version are told that is on its way out.
fn deprecation(definition: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(warning) = version["deprecationWarning"].as_str() {
        return Some(warning.to_owned());
    }
    let (group, kind) = (text(definition, "/spec/group"), text(definition, "/spec/names/kind"));
    let name = text(version, "/name");
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let better = versions
        .filter(|other| other["served"] == true && other["deprecated"] != true)
        .map(|other| text(other, "/name"))
        .filter(|other| stability(other) > stability(name))
        .max_by_key(|other| stability(other));
    let instead = better.map(|other| format!("; use {group}/{other} {kind}")).unwrap_or_default();
    Some(format!("{group}/{name} {kind} is deprecated{instead}"))
}

/// An object as its kind shows it: a definition that has changed since, or that differs between versions, shows in its own way what
/// was stored before.
pub(crate) fn shown(kind: &Kind, object: &Arc<Value>) -> Arc<Value> {
    let Some(custom) = kind.custom.as_ref().filter(|custom| custom.varies || meta::revision(object) < custom.since)
    else {
        return object.clone();
    };
    let mut shown = Value::clone(object);
    schema::prune(&custom.schema, &mut shown);
    schema::apply_defaults(&custom.schema, &mut shown);
    Arc::new(shown)
}
