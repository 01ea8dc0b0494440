//! Files with specs: JSON or YAML, the spec alone or a whole resource, `-` for stdin.

use std::io::Read as _;
use std::path::Path;

use control_api::route::Target;
use serde_json::Value;

use crate::failure::Failure;

/// What a file holds, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    pub body: Vec<u8>,
    /// Of a whole resource that says which version it was made from.
    pub version: Option<String>,
}

/// Reads a file, or stdin.
pub fn read(path: &Path, target: Target) -> crate::Result<Spec> {
    let (name, content) = if path == Path::new("-") {
        let mut content = Vec::new();
        let read = std::io::stdin().read_to_end(&mut content);
        ("stdin".to_owned(), read.map(|_| content))
    } else {
        (path.display().to_string(), std::fs::read(path))
    };
    let content = content.map_err(|error| Failure::new(format!("failed to read {name}: {error}")))?;
    take(content, target).map_err(|why| Failure::new(format!("failed to use {name}: {why}")))
}

fn take(content: Vec<u8>, target: Target) -> Result<Spec, String> {
    let (value, is_json) = match serde_json::from_slice::<Value>(&content) {
        Ok(value) => (value, true),
        Err(error) if content.trim_ascii_start().starts_with(b"{") => return Err(format!("it is no JSON: {error}")),
        Err(_) => (from_yaml(&content)?, false),
    };
    if !value.is_object() {
        return Err("it must hold an object: the spec, or the whole resource".to_owned());
    }
    let Some(kind) = value.get("kind").and_then(Value::as_str) else {
        // What is JSON already goes out as it is.
        let body = if is_json { content } else { value.to_string().into_bytes() };
        return Ok(Spec { body, version: None });
    };
    let wanted = kind_of(target);
    if kind != wanted {
        return Err(format!("it is a {kind}, but a {wanted} is wanted"));
    }
    let spec = value.get("spec").filter(|spec| spec.is_object()).ok_or_else(|| format!("the {kind} has no spec"))?;
    let version = value.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
    Ok(Spec { body: spec.to_string().into_bytes(), version })
}

fn from_yaml(content: &[u8]) -> Result<Value, String> {
    use serde::Deserialize as _;
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_slice(content) {
        let mut value = serde_yaml::Value::deserialize(document).map_err(|error| format!("it is no YAML: {error}"))?;
        value.apply_merge().map_err(|error| format!("it is no YAML: {error}"))?;
        let value = serde_json::to_value(&value).map_err(|error| format!("it is not what JSON can hold: {error}"))?;
        documents.extend((!value.is_null()).then_some(value));
    }
    match documents.len() {
        1 => Ok(documents.remove(0)),
        0 => Err("it is empty".to_owned()),
        many => Err(format!("it holds {many} documents; give one")),
    }
}

/// The kind of the resource.
pub fn kind_of(target: Target) -> &'static str {
    match target {
        Target::Deployment => "FlinkDeployment",
        Target::Cluster => "FlinkCluster",
        Target::Job => "FlinkJob",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Result<String, String> {
        take(text.as_bytes().to_vec(), Target::Cluster).map(|spec| String::from_utf8(spec.body).expect("text"))
    }

    /// C-01
    #[test]
    fn json_goes_out_as_it_is() {
        let text = "{ \"taskManagers\" : 2 }\n";
        assert_eq!(body(text), Ok(text.to_owned()));
    }

    #[test]
    fn yaml_becomes_json() {
        assert_eq!(
            body("base: &b {a: 1}\nmore: {<<: *b, c: 2}\n"),
            Ok(r#"{"base":{"a":1},"more":{"a":1,"c":2}}"#.to_owned())
        );
    }

    #[test]
    fn of_a_whole_resource_the_spec_is_taken() {
        let text = "kind: FlinkCluster\nmetadata: {name: demo, resourceVersion: '7'}\nspec: {taskManagers: 2}\n";
        let spec = take(text.as_bytes().to_vec(), Target::Cluster).expect("a spec");
        assert_eq!(spec, Spec { body: br#"{"taskManagers":2}"#.to_vec(), version: Some("7".to_owned()) });
    }

    #[test]
    fn what_cannot_be_a_spec_is_told() {
        for (text, why) in [
            ("", "it is empty"),
            ("{", "it is no JSON"),
            ("a: [", "it is no YAML"),
            ("7", "it must hold an object"),
            ("a: 1\n---\nb: 2\n", "it holds 2 documents"),
            ("kind: FlinkJob\nspec: {}\n", "it is a FlinkJob, but a FlinkCluster is wanted"),
            ("kind: FlinkCluster\n", "the FlinkCluster has no spec"),
        ] {
            let said = body(text).expect_err(text);
            assert!(said.starts_with(why), "{said}");
        }
    }
}
