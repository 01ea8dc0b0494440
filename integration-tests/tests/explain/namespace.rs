//! What the namespace does not allow. Only a genuine API server enforces it.

use anyhow::{Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::world::{UP, find_condition};
use serde_json::{Value, json};

use crate::{Shared, advises, explained, state_of};

pub async fn a_supervisor_without_rights_is_told_of_by_the_operator(world: Shared) -> Result<()> {
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "powerless" } });
    let spec = cluster_spec(world.state(), json!({ "supervisor": { "serviceAccount": "powerless" } }));
    let job = objects::job("rights", "job", &counter_spec(world.state(), "rights", json!({})));
    world.apply(&[account, objects::cluster("rights", &spec), job]).await?;
    let words = ["SupervisorFailing", "lacks a right", "powerless", "cannot list resource", "spec.supervisor"];
    let (_, explanation) = explained(&world, &["cluster", "rights"], &words).await?;
    ensure!(explanation["verdict"] == "Stalled", "{explanation}");
    advises(&explanation, "flinkctl doctor")?;
    explained(&world, &["job", "rights", "job"], &["SupervisorFailing", "lacks a right"]).await?;
    let (_, checks, _) = world.local.flinkctl(&["doctor", "-o", "json"]).await?;
    let wrong = state_of(&checks, "rights of supervisors", "powerless")?;
    ensure!(wrong == "fail", "the doctor names the account that lacks rights: {checks}");
    world.patch("fc", "rights", &json!({ "spec": { "supervisor": { "serviceAccount": null } } })).await?;
    world.running("rights-job").await.map(drop)
}

pub async fn a_quota_that_is_used_up_is_told_and_mended(world: Shared) -> Result<()> {
    let living = |pod: &&Value| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let pods = world.local.list("pod", "").await?.iter().filter(living).count();
    // Room for a supervisor, and for nothing else.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "few" },
        "spec": { "hard": { "pods": (pods + 1).to_string() } },
    });
    world.apply(&[quota]).await?;
    let counted = |quota: &Value| quota["status"]["used"]["pods"].is_string();
    world.when("quota", "few", "is counted", UP, counted).await?;
    let job = objects::job("quota", "job", &counter_spec(world.state(), "quota", json!({})));
    world.apply(&[objects::cluster("quota", &cluster_spec(world.state(), json!({}))), job]).await?;
    let words = ["blocked", "QuotaExceeded", "exceeded quota: few", "ResourceQuota allows no more"];
    let (_, explanation) = explained(&world, &["cluster", "quota"], &words).await?;
    advises(&explanation, "kubectl describe resourcequota")?;
    explained(&world, &["job", "quota", "job"], &["FlinkCluster quota", "exceeded quota: few"]).await?;
    let (code, text, _) =
        world.local.flinkctl(&["job", "scale", "quota", "job", "--parallelism=4", "--dry-run"]).await?;
    ensure!(code == Some(1) && text.contains("Does not fit: ResourceQuota few"), "{code:?}: {text}");
    let (code, _, talk) = world.local.flinkctl(&["job", "scale", "quota", "job", "--parallelism=4"]).await?;
    ensure!(code == Some(1) && talk.contains("cannot fit") && talk.contains("--force"), "{code:?}: {talk}");
    let cluster = world.local.get("fc", "quota").await?.unwrap_or_default();
    let ready = find_condition(&cluster, "Ready").map(|ready| ready["reason"].clone());
    ensure!(ready == Some(json!("QuotaExceeded")), "kubectl shows it too: {ready:?}");
    world.local.kubectl(&["delete", "resourcequota", "few"]).await?;
    world.running("quota-job").await.map(drop)
}
