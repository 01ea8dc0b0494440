//! Roles of certificates, tokens of Kubernetes, and the record of who changed what.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::wait::until;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::certificates::{Authority, as_client, pem};
use crate::stage::{NAMESPACE, Stage};

const STOP: &str = "-X PUT -d {\"withoutSavepoint\":true}";

#[tokio::test(flavor = "multi_thread")]
async fn grants_decide_what_the_owner_of_a_certificate_may_do() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = Authority::new(stage.directory.path(), "ca")?;
    ca.server("server", 90)?;
    for (name, organization) in [("mary", "readers"), ("ops", "others"), ("root", "others"), ("nobody", "others")] {
        ca.client(name, organization, 30)?;
    }
    let grants = "grants:\n- subjects: [O=readers]\n  role: viewer\n- subjects: [ops]\n  role: operator\n  names: [demo-*]\n- subjects: [CN=r??t]\n  role: admin\n";
    std::fs::write(stage.path("grants.yaml"), grants)?;
    let operator = stage.operator(&format!("{} --authorization grants.yaml", pem("server", "ca"))).await?;
    let ask = |who: &str, flags: &str, path: &str| {
        operator.curl(&stage, &format!("{} {flags}", as_client("ca", who)), &format!("{path}?envelope=false"))
    };
    // Who gets past the rules learns that there is no such cluster.
    ask("mary", "", "/clusters")?.is(200, "[]")?;
    ask("mary", "", "/clusters/demo-1/status")?.is(404, "not found")?;
    ask("mary", STOP, "/clusters/demo-1/stop")?
        .is(403, "`mary` may not patch flinkclusters `demo-1` in namespace `flink`")?;
    ask("ops", STOP, "/clusters/demo-1/stop")?.is(404, "not found")?;
    ask("ops", STOP, "/clusters/other/stop")?.is(403, "the role operator is needed, and the grants give no role")?;
    ask("ops", "", "/clusters")?.is(403, "may not list flinkclusters of all names")?;
    ask("ops", "-X DELETE", "/clusters/demo-1")?.is(403, "the role admin is needed, and the grants give operator")?;
    ask("root", "-X DELETE", "/clusters/demo-1")?.is(404, "not found")?;
    ask("nobody", "", "/clusters")?.is(403, "no role")?;
    ask("nobody", "", "/openapi.json")?.is(200, "openapi")?;
    // The envelope tells it too.
    operator
        .curl(&stage, &format!("{} {STOP}", as_client("ca", "mary")), "/clusters/demo-1/stop")?
        .is(403, "FAILURE")?;

    let said = operator.said()?;
    let line = |words: &[&str]| {
        said.lines().any(|line| line.contains("audit") && words.iter().all(|word| line.contains(word)))
    };
    ensure!(
        line(&["caller=\"mary\"", "by=\"certificate\"", "operation=\"stop\"", "name=\"demo-1\"", "forbidden"]),
        "{said}"
    );
    ensure!(
        line(&["caller=\"root\"", "operation=\"delete\"", "resource=\"flinkclusters\"", "not-found", "milliseconds="]),
        "{said}"
    );
    ensure!(
        !said.lines().any(|line| line.contains("audit") && line.contains("operation=\"list\"")),
        "looking is not told"
    );

    std::fs::write(stage.path("grants.yaml"), "grants:\n- subjects: [mary]\n  role: owner\n")?;
    operator.says("failed to take up new grants; the old ones stay in use").await?;
    ask("mary", "", "/clusters")?.is(200, "[]")?;
    std::fs::write(stage.path("grants.yaml"), "grants:\n- subjects: [mary]\n  role: admin\n")?;
    until("new grants are taken up", Duration::from_secs(40), async || {
        Ok((ask("mary", STOP, "/clusters/demo-1/stop")?.code == 404).then_some(()))
    })
    .await?;
    ask("root", "", "/clusters")?.is(403, "no role")
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_kubernetes_are_accepted_where_they_are_asked_for() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = Authority::new(stage.directory.path(), "ca")?;
    ca.server("server", 90)?;
    ca.client("mary", "", 30)?;
    let token = token(&stage).await?;
    let bearer = |token: &str| {
        std::fs::write(stage.path("header"), format!("Authorization: Bearer {token}"))?;
        anyhow::Ok("--cacert ca.pem --header @header")
    };

    let closed = stage.operator(&pem("server", "ca")).await?;
    closed.curl(&stage, bearer(&token)?, "/clusters")?.is_refused()?;
    drop(closed);

    let operator = stage.operator(&format!("{} --token-authentication", pem("server", "ca"))).await?;
    operator.curl(&stage, bearer(&token)?, "/clusters")?.is_good()?;
    let flags = format!("{} {STOP}", bearer(&token)?);
    operator.curl(&stage, &flags, "/clusters/demo/stop?envelope=false")?.is(404, "not found")?;
    operator.curl(&stage, bearer("made-up")?, "/clusters")?.is(401, "Kubernetes does not know the bearer token")?;
    operator.curl(&stage, "--cacert ca.pem", "/clusters")?.is(401, "show a client certificate or a bearer token")?;
    operator.curl(&stage, &as_client("ca", "mary"), "/clusters")?.is_good()?;
    let other = Authority::new(stage.directory.path(), "other")?;
    other.client("stranger", "", 30)?;
    operator.curl(&stage, "--cacert ca.pem --cert stranger.pem --key stranger-key.pem", "/clusters")?.is_refused()?;
    let said = operator.said()?;
    ensure!(said.contains("caller=\"system:serviceaccount:flink:robot\""), "{said}");
    ensure!(!said.contains(&token) && !said.contains("made-up"), "no token is told");
    Ok(())
}

async fn token(stage: &Stage) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.client(), NAMESPACE);
    let account = serde_json::from_value(json!({ "metadata": { "name": "robot" } }))?;
    accounts.create(&PostParams::default(), &account).await?;
    let spec =
        TokenRequestSpec { audiences: Vec::new(), expiration_seconds: Some(3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request("robot", &PostParams::default(), &request).await?;
    Ok(answer.status.context("a token")?.token)
}
