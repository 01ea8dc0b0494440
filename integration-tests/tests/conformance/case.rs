//! Cases: programs of requests, as data.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A sentence about the API, and the requests that show it. Each case has a namespace of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

/// A request and what is compared of its answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Verb and path, such as `PUT configmaps/a?dryRun=All`; see `integration_tests::conformance::path` for short paths. `WATCH` is a GET that is read to
    /// its end as a stream of events. `{name}` stands for what an earlier step saved.
    #[serde(rename = "do")]
    pub request: String,
    /// A body that is sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// A body that is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Spaces after the body, for one that is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// The type of the body.
    #[serde(default, skip_serializing_if = "Content::is_json")]
    pub content: Content,
    /// The `Accept` header, where it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// What later steps need: names, and JSON pointers into the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub save: BTreeMap<String, String>,
    /// The code that the genuine server has to answer with, where the step of a case does not succeed: a case that is refused by accident shows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// What the answer of the genuine server has to have at JSON pointers, so that it shows what the case says; `null` means absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shows: BTreeMap<String, Value>,
    /// Ask again until the answer is like this; for what controllers do in their own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// JSON pointers to what is compared, where the whole says too much. Empty: the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// JSON pointers to what is not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Leave the step out where it needs what was not saved, since no object was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The words of `docs/local.md` that explain why the answers differ. An answer that does not differ is then a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// What a controller is waited for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Until {
    /// A status code.
    Code(u16),
    /// Values at JSON pointers; `null` means absent.
    Values(BTreeMap<String, Value>),
}

/// Types of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    #[default]
    Json,
    JsonPatch,
    MergePatch,
    StrategicPatch,
    Apply,
    Yaml,
    /// A type that no server knows.
    Text,
}

impl Content {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
    fn is_json(&self) -> bool {
        *self == Self::Json
    }

    /// The header.
    pub fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonPatch => "application/json-patch+json",
            Self::MergePatch => "application/merge-patch+json",
            Self::StrategicPatch => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
            Self::Yaml => "application/yaml",
            Self::Text => "text/plain",
        }
    }
}

/// The texts of all YAML files of a directory, each with its name.
pub fn files(directory: &Path) -> Result<Vec<(String, String)>> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok((file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text))
        })
        .collect()
}

/// The cases of all files of a directory, each with the name of its file before its own.
pub fn read(directory: &Path) -> Result<Vec<Case>> {
    let mut all = Vec::new();
    for (area, text) in files(directory)? {
        let cases: Vec<Case> = serde_yaml::from_str(&text).with_context(|| format!("{area} holds no cases"))?;
        all.extend(cases.into_iter().map(|case| Case { name: format!("{area}: {}", case.name), ..case }));
    }
    let mut names: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        ensure!(pair[0] != pair[1], "two cases have the name `{}`", pair[0]);
    }
    Ok(all)
}
