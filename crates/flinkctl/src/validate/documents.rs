//! Documents in files: YAML with several of them, JSON, directories, stdin; whole resources, or specs alone.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::failure::Failure;

/// A document.
pub struct Document {
    pub file: String,
    /// 1 for the first in its file.
    pub number: usize,
    /// Its first line in the file.
    pub line: usize,
    pub text: String,
    pub content: Result<Value, Unreadable>,
    /// It is a spec alone, and was made a resource.
    pub wrapped: bool,
}

/// Why a document cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    pub message: String,
    /// Within the document.
    pub line: Option<usize>,
}

/// The files that paths stand for; those of directories by their names.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            inside(path, &mut found)
                .map_err(|error| Failure::new(format!("failed to read {}: {error}", path.display())))?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        return Err(Failure::usage("there is no file that ends with .yaml, .yml or .json"));
    }
    Ok(found)
}

fn inside(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        directory.read_dir()?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let ending = entry.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if entry.is_dir() {
            inside(&entry, found)?;
        } else if ["yaml", "yml", "json"].contains(&ending) {
            found.push(entry);
        }
    }
    Ok(())
}

/// The documents of a file, or of stdin. Empty ones are left out.
pub fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let (file, text) = if path == Path::new("-") {
        let mut text = String::new();
        ("stdin".to_owned(), std::io::stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (path.display().to_string(), std::fs::read_to_string(path))
    };
    let text = text.map_err(|error| Failure::new(format!("failed to read {file}: {error}")))?;
    Ok(documents(&file, &text))
}

/// The documents of a text.
pub fn documents(file: &str, text: &str) -> Vec<Document> {
    let mut all = Vec::new();
    for (line, part) in split(text) {
        let content = match parse(&part) {
            Ok(Value::Null) => continue,
            other => other,
        };
        let (content, wrapped) = match content.map(whole) {
            Ok((value, wrapped)) => (Ok(value), wrapped),
            Err(why) => (Err(why), false),
        };
        let list = content.as_ref().ok().and_then(items);
        let base = |content, wrapped| Document {
            file: file.to_owned(),
            number: 0,
            line,
            text: part.clone(),
            content,
            wrapped,
        };
        match list {
            Some(items) => all.extend(items.into_iter().map(|item| base(Ok(item), false))),
            None => all.push(base(content, wrapped)),
        }
    }
    for (index, document) in all.iter_mut().enumerate() {
        document.number = index + 1;
    }
    all
}

/// The objects of a `List`, as kubectl writes them.
fn items(object: &Value) -> Option<Vec<Value>> {
    let is_list = object["kind"] == "List";
    object["items"].as_array().filter(|_| is_list).cloned()
}

/// Parts between `---`, each with its first line.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            parts.push((index + 2, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts.into_iter().filter(|(_, part)| !part.trim().is_empty()).collect()
}

fn parse(text: &str) -> Result<Value, Unreadable> {
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).map_err(|error| Unreadable {
            message: format!("it is no JSON: {error}"),
            line: Some(error.line().max(1)),
        });
    }
    let wrong = |error: &serde_yaml::Error| Unreadable {
        message: format!("it is no YAML: {error}"),
        line: error.location().map(|location| location.line()),
    };
    let mut value =
        serde_yaml::Value::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| wrong(&error))?;
    value.apply_merge().map_err(|error| wrong(&error))?;
    serde_json::to_value(value)
        .map_err(|error| Unreadable { message: format!("it is not what JSON can hold: {error}"), line: None })
}

/// A spec alone as a resource, as the control API would make it.
fn whole(value: Value) -> (Value, bool) {
    let has = |member: &str| value.get(member).is_some();
    if !value.is_object() || has("kind") || has("apiVersion") || has("metadata") {
        return (value, false);
    }
    let kind = match () {
        () if has("cluster") => "FlinkDeployment",
        () if has("bootstrap") => "FlinkJob",
        () if has("runtime") || has("jobManager") || has("supervisor") => "FlinkCluster",
        () => return (value, false),
    };
    let name = if kind == "FlinkJob" { "cluster-job" } else { "cluster" };
    let version = format!("{}/{}", api::GROUP, api::VERSION);
    (json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": value }), true)
}
