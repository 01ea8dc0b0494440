//! What a server answers.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::case::{Content, Step};

/// What takes longer has no end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub code: u16,
    /// JSON; a text where it is none; an array of events where it is a watch.
    pub body: Value,
    /// The texts of `Warning` headers.
    pub warnings: Vec<String>,
}

impl Answer {
    /// What is at a JSON pointer; `null` where nothing is.
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// All of it as one value, for comparison.
    pub fn whole(&self) -> Value {
        json!({ "code": self.code, "body": self.body, "warnings": self.warnings })
    }
}

/// Sends a request whose path is whole and whose placeholders are filled.
pub async fn ask(client: &Client, verb: &str, path: &str, step: &Step, body: Option<&Value>) -> Result<Answer> {
    let watch = verb == "WATCH";
    let mut bytes = match (&step.text, body) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(body)) if step.content == Content::Yaml => serde_yaml::to_string(body)?.into_bytes(),
        (None, Some(body)) => serde_json::to_vec(body)?,
        (None, None) => Vec::new(),
    };
    bytes.resize(bytes.len() + step.padding.unwrap_or_default(), b' ');
    let path = if watch { watching(path) } else { path.to_owned() };
    let mut request = http::Request::builder()
        .method(if watch { "GET" } else { verb })
        .uri(&path)
        .header("accept", step.accept.as_deref().unwrap_or("application/json"))
        .header("user-agent", "conformance");
    if !bytes.is_empty() {
        request = request.header("content-type", step.content.header());
    }
    let request = request.body(Body::from(bytes)).with_context(|| format!("`{verb} {path}` is no request"))?;
    let whole = async {
        let response = client.send(request).await.with_context(|| format!("no answer to `{verb} {path}`"))?;
        let (head, body) = response.into_parts();
        let bytes = body.collect_bytes().await.with_context(|| format!("the answer to `{verb} {path}` broke off"))?;
        anyhow::Ok((head, bytes))
    };
    let (head, bytes) = tokio::time::timeout(PATIENCE, whole)
        .await
        .with_context(|| format!("the answer to `{verb} {path}` does not end within {} s", PATIENCE.as_secs()))??;
    let code = head.status.as_u16();
    let warnings = head
        .headers
        .get_all("warning")
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    let body = if watch && code == 200 {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        Value::Array(lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!(line))).collect())
    } else {
        serde_json::from_str(&text).unwrap_or_else(|_| json!(text))
    };
    Ok(Answer { code, body, warnings })
}

/// A watch that ends by itself, soon: what it shows has happened before.
fn watching(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    let ends = if path.contains("timeoutSeconds") { "" } else { "&timeoutSeconds=1" };
    format!("{path}{sign}watch=true{ends}")
}
