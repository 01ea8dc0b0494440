//! The control API of the operator that runs in the cluster, as plain HTTP.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::wait::until;
use integration_tests::world::{SOON, World};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Longer than any action may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// A client of the API.
#[derive(Clone)]
pub struct Api {
    /// `http://host:port`.
    pub base: String,
    http: Client,
}

impl Api {
    pub fn at(base: &str) -> Result<Self> {
        let http = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { base: base.to_owned(), http })
    }

    /// The API of the operator in the cluster, which the first scenario to come tells to serve it.
    pub async fn of(world: &World) -> Result<Self> {
        static INSECURE: OnceCell<String> = OnceCell::const_new();
        let base = INSECURE.get_or_try_init(async || {
            let args = ["operator", "run", &format!("--namespace={}", world.local.namespace()), "--insecure"];
            let patch = json!([{ "op": "add", "path": "/spec/template/spec/containers/0/args", "value": args }]);
            let operator = "deployment/flink-operator";
            until("the operator is installed", SOON, async || {
                let patch = patch.to_string();
                world.local.kubectl(&["patch", operator, "--type=json", "-p", &patch]).await.map(Some)
            })
            .await?;
            world.local.kubectl(&["rollout", "status", operator, "--timeout=90s"]).await?;
            let pod = until("the operator is one pod again", SOON, async || {
                world.pod("app.kubernetes.io/name=flink-operator").await.map(Some)
            })
            .await?;
            let pod = world.local.get("pod", &pod).await?.context("the operator's pod")?;
            anyhow::Ok(format!("http://{}:4444", pod["status"]["podIP"].as_str().context("an address")?))
        });
        let api = Self::at(base.await?)?;
        api.ready().await?;
        Ok(api)
    }

    /// Waits until it answers with what is there.
    pub async fn ready(&self) -> Result<()> {
        until("the control API answers", SOON, async || {
            let (code, _) = self.ask(Method::GET, "/resources/jobs", "").await?;
            Ok((code == 200).then_some(()))
        })
        .await
    }

    /// Code and plain answer.
    pub async fn ask(&self, method: Method, path: &str, body: &str) -> Result<(u16, Value)> {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base)).body(body.to_owned());
        let response = request.header("accept", "application/vnd.flinkctl.v1+json").send().await?;
        let code = response.status().as_u16();
        let text = response.text().await?;
        Ok((code, serde_json::from_str(&text).with_context(|| format!("{path}: {code}: this is no JSON: {text}"))?))
    }

    /// The plain answer of a request that must be carried out.
    pub async fn done(&self, method: Method, path: &str, body: &str) -> Result<Value> {
        let (code, answer) = self.ask(method.clone(), path, body).await?;
        ensure!(code == 200, "{method} {path}: {code}: {answer}");
        Ok(answer)
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.done(Method::GET, path, "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.done(Method::POST, path, &body.to_string()).await
    }

    /// What stands in the envelope of a question.
    pub async fn output(&self, path: &str) -> Result<Value> {
        let response = self.http.get(format!("{}/api/v1{path}", self.base)).send().await?;
        ensure!(response.status() == 200, "{path}: {}", response.text().await?);
        let envelope: Value = response.json().await?;
        ensure!(envelope["status"] == "OK", "{path}: {envelope}");
        Ok(serde_json::from_str(envelope["output"].as_str().with_context(|| format!("{path}: {envelope}"))?)?)
    }
}
