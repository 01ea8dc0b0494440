//! Running a program on one server.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use integration_tests::wait::until;
use kube::Client;
use regex::Regex;
use serde_json::{Value, json};

use crate::answer::{Answer, ask};
use crate::case::{Step, Until};
use integration_tests::conformance::path::expand;

/// Long enough for a garbage collector that looks twice.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and the namespace in which a program runs on it.
pub struct Run<'a> {
    client: &'a Client,
    namespace: String,
    saved: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    /// Makes the namespace.
    pub async fn start(client: &'a Client, namespace: &str) -> Result<Self> {
        let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        let answer = ask(client, "POST", "/api/v1/namespaces", &Step::default(), Some(&body)).await?;
        if answer.code != 201 {
            bail!("cannot create the namespace {namespace}: {}", answer.body);
        }
        Ok(Self {
            client,
            namespace: namespace.to_owned(),
            saved: BTreeMap::from([("ns".to_owned(), namespace.to_owned())]),
        })
    }

    /// Takes a step. Its answer may be a refusal; an error means that there was none.
    pub async fn take(&mut self, step: &Step) -> Result<Answer> {
        let (verb, path) = step.request.split_once(' ').with_context(|| format!("`{}` has no verb", step.request))?;
        let path = expand(&self.fill(path), &self.namespace);
        let body = step.body.as_ref().map(|body| self.fill_all(body));
        if let Some(missing) = missing(&path, body.as_ref()) {
            ensure!(step.optional, "`{}` needs {missing}, which no step has saved", step.request);
            return Ok(Answer { code: 0, body: Value::Null, warnings: Vec::new() });
        }
        let step = Step { text: step.text.as_deref().map(|text| self.fill(text)), ..step.clone() };
        let Some(wanted) = &step.until else {
            let answer = ask(self.client, verb, &path, &step, body.as_ref()).await?;
            self.save(&step, &answer);
            return Ok(answer);
        };
        let mut last = None;
        let what = format!("`{}` is as wanted", step.request);
        let waited = until(&what, PATIENCE, async || {
            // No answer at all is final.
            let answer = match ask(self.client, verb, &path, &step, body.as_ref()).await {
                Ok(answer) => answer,
                Err(error) => return Ok(Some(Err(error))),
            };
            if wanted.is_met(&answer) {
                return Ok(Some(Ok(answer)));
            }
            last = Some(answer.body);
            Ok(None)
        });
        let answer = waited.await.with_context(|| format!("{}", last.unwrap_or_default()))??;
        self.save(&step, &answer);
        Ok(answer)
    }

    fn save(&mut self, step: &Step, answer: &Answer) {
        for (name, pointer) in &step.save {
            if let Some(value) = answer.body.pointer(pointer) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.saved.insert(name.clone(), text);
            }
        }
    }

    /// A text with what was saved in place of `{name}`; what was not saved stays as it is.
    fn fill(&self, text: &str) -> String {
        self.saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (self.fill(name), self.fill_all(member))).collect()
            }
            other => other.clone(),
        }
    }
}

/// A placeholder that was not filled.
fn missing(path: &str, body: Option<&Value>) -> Option<String> {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[a-z][a-z0-9-]*\}").expect("a constant"));
    let text = format!("{path} {}", body.map(Value::to_string).unwrap_or_default());
    PLACEHOLDER.find(&text).map(|found| found.as_str().to_owned())
}

impl Until {
    fn is_met(&self, answer: &Answer) -> bool {
        match self {
            Self::Code(code) => answer.code == *code,
            Self::Values(values) => values.iter().all(|(pointer, wanted)| answer.at(pointer) == wanted),
        }
    }
}
