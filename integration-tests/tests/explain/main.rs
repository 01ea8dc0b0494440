//! What a person who is paged at night finds out with `flinkctl explain` alone: the cause, and what to do, for each way in which a job
//! does not run.
//!
//! Quotas and rights are enforced by a genuine API server only; what is about them does nothing on `flinkctl local`.

mod clusters;
mod jobs;
mod namespace;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration_tests::cluster::Cluster;
use integration_tests::wait::until;
use integration_tests::world::{UP, World};
use integration_tests::{scenario, suite};
use serde_json::Value;

fn main() -> ExitCode {
    // A quota is one for all that is in the namespace.
    let enforced = matches!(Cluster::from_environment(), Ok(Cluster::Real { .. } | Cluster::Kubeconfig { .. }));
    let mut scenarios = vec![
        scenario!(jobs::a_wrong_class_is_named_with_the_field_to_mend, "class"),
        scenario!(jobs::a_job_image_that_is_nowhere_is_named, "image"),
        scenario!(jobs::a_savepoint_that_is_nowhere_is_named_with_two_ways_out, "savepoint"),
        scenario!(jobs::a_job_that_wants_more_slots_than_there_can_be_says_how_many, "slots"),
        scenario!(jobs::a_job_that_runs_says_so_and_what_comes_next, "well"),
        scenario!(clusters::a_flink_image_that_is_nowhere_is_named, "runtime"),
        scenario!(clusters::too_little_memory_for_the_jobmanager_is_told_in_flinks_words, "memory"),
    ];
    if enforced {
        scenarios.extend([
            scenario!(namespace::a_supervisor_without_rights_is_told_of_by_the_operator, "rights"),
            scenario!(namespace::a_quota_that_is_used_up_is_told_and_mended, "quota"),
        ]);
    }
    suite::run(if enforced { 1 } else { 3 }, scenarios)
}

type Shared = Arc<World>;

/// Waits until the explanation of a resource says all these words, and returns it as text and as JSON.
async fn explained(world: &World, resource: &[&str], words: &[&str]) -> Result<(String, Value)> {
    let mut last = String::new();
    let found = until(&format!("`flinkctl explain {}` says {words:?}", resource.join(" ")), UP, async || {
        let (code, text, talk) = world.local.flinkctl(&[&["explain"], resource].concat()).await?;
        last = format!("{text}{talk}");
        ensure!(code == Some(0), "it ends with {code:?}");
        Ok(words.iter().all(|word| plain(&text).contains(word)).then_some(text))
    })
    .await;
    let text = found.with_context(|| format!("it says:\n{last}"))?;
    ensure!(text.lines().all(|line| !line.contains('\u{1b}')), "it can be read without colour: {text}");
    let (_, json, _) = world.local.flinkctl(&[&["explain"], resource, &["-o", "json"]].concat()).await?;
    Ok((text, serde_json::from_str(&json).context("`-o json` is JSON")?))
}

/// How a check of `flinkctl doctor -o json` went: the one of this name whose message has this word.
fn state_of(checks: &str, name: &str, word: &str) -> Result<String> {
    let checks: Value = serde_json::from_str(checks).context("`-o json` is JSON")?;
    let all = checks["checks"].as_array().into_iter().flatten();
    let says =
        |check: &&Value| check["name"] == name && check["message"].as_str().is_some_and(|text| text.contains(word));
    let check =
        all.clone().find(says).with_context(|| format!("there is no check `{name}` about `{word}`: {checks}"))?;
    Ok(check["state"].as_str().unwrap_or_default().to_owned())
}

/// The text without its line breaks.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fails unless a command of the advice begins like this.
fn advises(explanation: &Value, command: &str) -> Result<()> {
    let advice = explanation["advice"].as_array().into_iter().flatten();
    let mut commands =
        advice.flat_map(|one| one["commands"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    ensure!(commands.any(|one| one.starts_with(command)), "`{command}` is advised: {}", explanation["advice"]);
    Ok(())
}
