//! The environment of a container, its command and its arguments.
//!
//! Pure: config maps and secrets have been read before. Order and expansion are Kubernetes': `envFrom` first, then `env` from top to bottom,
//! where `$(NAME)` means a variable defined before it and `$$` a dollar sign.

use super::quantity;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvVarSource, ObjectFieldSelector, Pod, ResourceFieldSelector, Secret,
};
use std::collections::BTreeMap;

/// The objects that a pod refers to. One that does not exist is not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub config_maps: BTreeMap<String, ConfigMap>,
    pub secrets: BTreeMap<String, Secret>,
}

/// What a pod's fields say that only the node knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub pod_address: String,
    pub host_address: String,
    pub cpu: String,
    pub memory: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("{kind} \"{name}\" not found")]
    Missing { kind: &'static str, name: String },
    #[error("couldn't find key {key} in {kind} \"{name}\"")]
    Key { kind: &'static str, name: String, key: String },
    #[error("{kind} \"{name}\" holds in key {key} what is not text")]
    Binary { kind: &'static str, name: String, key: String },
    #[error("field {0:?} cannot be shown to a container")]
    Field(String),
    #[error("resource {0:?} cannot be shown to a container")]
    Resource(String),
    #[error("variable {0:?} has a source that this node does not know")]
    Unknown(String),
}

/// The variables of a container, in the order in which they are defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name, value)),
        }
    }

    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// Replaces `$(NAME)`; what is not defined stays as it is written.
    pub fn expand(&self, text: &str) -> String {
        let (mut result, mut rest) = (String::new(), text);
        while let Some(position) = rest.find('$') {
            result.push_str(&rest[..position]);
            rest = &rest[position + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                result.push('$');
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
                let whole = format!("$({name})");
                result.push_str(self.get(name).unwrap_or(&whole));
                rest = after;
            } else {
                result.push('$');
            }
        }
        result + rest
    }
}

/// A pod with what its fields may refer to.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub pod: &'a Pod,
    pub sources: &'a Sources,
    pub facts: &'a Facts,
}

/// The environment that a container asks for, on top of `base`.
pub(super) fn resolve(view: View, container: &Container, base: Environment) -> Result<Environment, Error> {
    let sources = view.sources;
    let mut environment = base;
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &from.config_map_ref {
            match sources.config_maps.get(&reference.name) {
                Some(map) => {
                    for (key, value) in map.data.iter().flatten() {
                        environment.set(format!("{prefix}{key}"), value);
                    }
                }
                None => optional(reference.optional, "configmap", &reference.name)?,
            }
        }
        if let Some(reference) = &from.secret_ref {
            match sources.secrets.get(&reference.name) {
                Some(secret) => {
                    for (key, value) in secret.data.iter().flatten() {
                        environment.set(format!("{prefix}{key}"), text("secret", &reference.name, key, value)?);
                    }
                }
                None => optional(reference.optional, "secret", &reference.name)?,
            }
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => from(view, container, &variable.name, source)?,
            (Some(value), None) => Some(environment.expand(value)),
            (None, None) => Some(String::new()),
        };
        if let Some(value) = value {
            environment.set(&variable.name, value);
        }
    }
    Ok(environment)
}

fn from(view: View, container: &Container, name: &str, source: &EnvVarSource) -> Result<Option<String>, Error> {
    let View { pod, sources, facts } = view;
    if let Some(selector) = &source.config_map_key_ref {
        let value = match sources.config_maps.get(&selector.name) {
            Some(map) => map.data.as_ref().and_then(|data| data.get(&selector.key)).cloned(),
            None => return optional(selector.optional, "configmap", &selector.name).map(|()| None),
        };
        return key(value, selector.optional, "configmap", &selector.name, &selector.key);
    }
    if let Some(selector) = &source.secret_key_ref {
        let value = match sources.secrets.get(&selector.name) {
            Some(secret) => secret.data.as_ref().and_then(|data| data.get(&selector.key)),
            None => return optional(selector.optional, "secret", &selector.name).map(|()| None),
        };
        let value = value.map(|value| text("secret", &selector.name, &selector.key, value)).transpose()?;
        return key(value, selector.optional, "secret", &selector.name, &selector.key);
    }
    if let Some(selector) = &source.field_ref {
        return field(pod, facts, selector).map(Some);
    }
    if let Some(selector) = &source.resource_field_ref {
        return resource(pod, Some(container), facts, selector).map(Some);
    }
    Err(Error::Unknown(name.to_owned()))
}

fn optional(optional: Option<bool>, kind: &'static str, name: &str) -> Result<(), Error> {
    if optional == Some(true) { Ok(()) } else { Err(Error::Missing { kind, name: name.to_owned() }) }
}

fn key(
    value: Option<String>,
    optional: Option<bool>,
    kind: &'static str,
    name: &str,
    key: &str,
) -> Result<Option<String>, Error> {
    match value {
        None if optional != Some(true) => Err(Error::Key { kind, name: name.to_owned(), key: key.to_owned() }),
        value => Ok(value),
    }
}

fn text(kind: &'static str, name: &str, key: &str, value: &ByteString) -> Result<String, Error> {
    String::from_utf8(value.0.clone()).map_err(|_| Error::Binary { kind, name: name.to_owned(), key: key.to_owned() })
}

/// A field of the pod, for a variable or a file of the downward API.
pub(super) fn field(pod: &Pod, facts: &Facts, selector: &ObjectFieldSelector) -> Result<String, Error> {
    let path = selector.field_path.as_str();
    let (metadata, spec) = (&pod.metadata, pod.spec.as_ref());
    let entry = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default()
    };
    let all = |map: &Option<BTreeMap<String, String>>| {
        let lines: Vec<String> = map.iter().flatten().map(|(key, value)| format!("{key}={value:?}")).collect();
        lines.join("\n")
    };
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.labels" => Ok(entry(&metadata.labels, key)),
            "metadata.annotations" => Ok(entry(&metadata.annotations, key)),
            _ => Err(Error::Field(path.to_owned())),
        };
    }
    Ok(match path {
        "metadata.name" => metadata.name.clone().unwrap_or_default(),
        "metadata.namespace" => metadata.namespace.clone().unwrap_or_default(),
        "metadata.uid" => metadata.uid.clone().unwrap_or_default(),
        "metadata.labels" => all(&metadata.labels),
        "metadata.annotations" => all(&metadata.annotations),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => {
            spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_else(|| "default".to_owned())
        }
        "status.podIP" | "status.podIPs" => facts.pod_address.clone(),
        "status.hostIP" | "status.hostIPs" => facts.host_address.clone(),
        _ => return Err(Error::Field(path.to_owned())),
    })
}

/// A resource of a container; where it has no limit, what the node has.
pub(super) fn resource(
    pod: &Pod,
    container: Option<&Container>,
    facts: &Facts,
    selector: &ResourceFieldSelector,
) -> Result<String, Error> {
    let unknown = || Error::Resource(selector.resource.clone());
    let named = || {
        let spec = pod.spec.as_ref()?;
        spec.containers.iter().find(|container| Some(&container.name) == selector.container_name.as_ref())
    };
    let container = container.or_else(named).ok_or_else(unknown)?;
    let (kind, name) = selector.resource.split_once('.').ok_or_else(unknown)?;
    let resources = container.resources.as_ref();
    let limit = || resources.and_then(|resources| resources.limits.as_ref()?.get(name));
    let quantity = match kind {
        "limits" => limit().map_or_else(|| node_has(name, facts), |quantity| Some(quantity.0.clone())),
        "requests" => {
            let request = resources.and_then(|resources| resources.requests.as_ref()?.get(name));
            request.or_else(limit).map(|quantity| quantity.0.clone()).or(Some("0".to_owned()))
        }
        _ => None,
    };
    let divisor = selector.divisor.as_ref().map(|divisor| divisor.0.as_str());
    quantity::in_units(&quantity.ok_or_else(unknown)?, divisor).ok_or_else(unknown)
}

fn node_has(name: &str, facts: &Facts) -> Option<String> {
    match name {
        "cpu" => Some(facts.cpu.clone()),
        "memory" => Some(facts.memory.clone()),
        "ephemeral-storage" => Some("0".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts() -> Facts {
        Facts {
            pod_address: "127.9.1.2".into(),
            host_address: "127.9.0.1".into(),
            cpu: "2".into(),
            memory: "8Gi".into(),
        }
    }

    fn pod(container: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"role": "jobmanager"}, "annotations": {"a/b": "c"}},
            "spec": {"nodeName": "n", "containers": [container]},
        }))
        .unwrap()
    }

    fn environment(container: &serde_json::Value, sources: &Sources) -> Result<Environment, Error> {
        let (pod, facts) = (pod(container), facts());
        let view = View { pod: &pod, sources, facts: &facts };
        resolve(view, &pod.spec.as_ref().unwrap().containers[0], Environment::default())
    }

    #[test]
    fn a_later_variable_sees_an_earlier_one() {
        let environment = environment(
            &json!({"name": "c", "env": [
                {"name": "A", "value": "$(B)1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "$(A)-$(B)-$$(B)-$B-$(D"},
            ]}),
            &Sources::default(),
        );
        assert_eq!(environment.unwrap().get("C"), Some("$(B)1-2-$(B)-$B-$(D"));
    }

    #[test]
    fn fields_and_resources_of_the_pod_are_shown() {
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
        let resource =
            |name: &str, path: &str| json!({"name": name, "valueFrom": {"resourceFieldRef": {"resource": path}}});
        let environment = environment(
            &json!({"name": "c", "resources": {"limits": {"memory": "300Mi"}}, "env": [
                field("NAME", "metadata.name"), field("ROLE", "metadata.labels['role']"), field("NOTE", "metadata.annotations['a/b']"),
                field("IP", "status.podIP"), field("NODE", "spec.nodeName"), field("ACCOUNT", "spec.serviceAccountName"),
                resource("MEMORY", "limits.memory"), resource("CPU", "limits.cpu"), resource("ASKED", "requests.memory"),
            ]}),
            &Sources::default(),
        )
        .unwrap();
        let expected = ["p", "jobmanager", "c", "127.9.1.2", "n", "default", "314572800", "2", "314572800"];
        let names = ["NAME", "ROLE", "NOTE", "IP", "NODE", "ACCOUNT", "MEMORY", "CPU", "ASKED"];
        assert_eq!(names.map(|name| environment.get(name).unwrap()), expected);
    }

    #[test]
    fn config_maps_and_secrets_are_read_and_their_absence_is_told() {
        let config_map: ConfigMap = serde_json::from_value(json!({"data": {"FLINK_PROPERTIES": "a: b\n"}})).unwrap();
        let secret: Secret = serde_json::from_value(json!({"data": {"key": "czNjcjN0"}})).unwrap();
        let sources = Sources {
            config_maps: [("config".to_owned(), config_map)].into(),
            secrets: [("keys".to_owned(), secret)].into(),
        };
        let container = json!({"name": "c",
            "envFrom": [{"configMapRef": {"name": "config"}}, {"secretRef": {"name": "none", "optional": true}}],
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
                    {"name": "NO", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "none", "optional": true}}}]});
        let found = environment(&container, &sources).unwrap();
        assert_eq!(
            (found.get("FLINK_PROPERTIES"), found.get("KEY"), found.get("NO")),
            (Some("a: b\n"), Some("s3cr3t"), None)
        );
        assert_eq!(found.expand("\"$(FLINK_PROPERTIES)$(KEY)\""), "\"a: b\ns3cr3t\"");
        let missing = environment(&json!({"name": "c", "envFrom": [{"configMapRef": {"name": "other"}}]}), &sources);
        assert_eq!(missing.unwrap_err().to_string(), "configmap \"other\" not found");
    }
}
