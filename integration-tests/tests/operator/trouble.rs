//! Conflicts, a second operator, definitions that are missing, and an object that cannot be read.

use anyhow::{Result, ensure};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, deployment, is_updated, soon};

/// SC-003, SC-580, R-01, D-13
#[tokio::test]
async fn edits_arrive_while_others_write_to_the_same_objects() -> Result<()> {
    let stage = Stage::new().await?;
    let second = stage.second_operator().await?;
    stage.create("fd", &deployment("demo", &[("a", "A")])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    let calm = CancellationToken::new();
    let meddle = async {
        let mut turn = 0;
        while !calm.is_cancelled() {
            turn += 1;
            let note = json!({ "metadata": { "annotations": { "turn": turn.to_string() } } });
            for (kind, name) in [("fc", "demo"), ("fj", "demo-a"), ("fd", "demo"), ("deployment", "supervisor-demo")] {
                stage.patch(kind, name, &note).await?;
            }
        }
        anyhow::Ok(turn)
    };
    let edit = async {
        for number in 1..=10 {
            let image = format!("flink:{number}");
            stage.patch("fd", "demo", &json!({ "spec": { "cluster": { "runtime": { "image": image } } } })).await?;
            stage.expect("fc", "demo", |cluster| cluster["spec"]["runtime"]["image"] == image.as_str()).await?;
        }
        calm.cancel();
        anyhow::Ok(())
    };
    let (turns, edited) = tokio::join!(meddle, edit);
    edited?;
    let last = turns?.to_string();
    stage.expect("fd", "demo", is_updated).await?;
    let cluster =
        stage.expect("fc", "demo", |cluster| cluster["metadata"]["annotations"]["turn"] == last.as_str()).await?;
    ensure!(cluster["spec"]["runtime"]["image"] == "flink:10", "{cluster}");
    stage.end().await?;
    second.await??;
    Ok(())
}

#[tokio::test]
async fn the_operator_says_which_definitions_are_missing_and_starts_when_they_come() -> Result<()> {
    let stage = Stage::bare().await?;
    let url = format!("http://127.0.0.1:{}/readyz", stage.monitoring);
    let ready = async || {
        let answer = reqwest::get(&url).await?;
        anyhow::Ok((answer.status().as_u16(), answer.text().await?))
    };
    soon(async || {
        let Ok((code, text)) = ready().await else { return Ok(None) };
        let names_all = ["flinkdeployments", "flinkclusters", "flinkjobs"].iter().all(|kind| text.contains(kind));
        Ok((code == 503 && names_all && text.contains("install the custom resource definitions")).then_some(()))
    })
    .await?;
    stage.define(api::crds()).await?;
    stage.create("fd", &deployment("demo", &[])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    soon(async || Ok((ready().await?.0 == 200).then_some(()))).await?;
    stage.end().await
}

/// F-30
#[tokio::test]
async fn an_object_that_cannot_be_read_hurts_only_itself() -> Result<()> {
    let stage = Stage::bare().await?;
    let mut loose = api::crds();
    for crd in &mut loose {
        let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let schema = Some(json!({ "openAPIV3Schema": schema }));
        crd.spec.versions[0].schema = serde_json::from_value(json!(schema))?;
    }
    stage.define(loose).await?;
    let mut broken = deployment("broken", &[]);
    broken["spec"] = json!({ "cluster": 7 });
    stage.create("fd", &broken).await?;
    stage.create("fd", &deployment("good", &[("a", "A")])).await?;
    stage.expect("fd", "good", is_updated).await?;
    soon(async || Ok(stage.events("broken").await?.contains(&"Invalid".to_owned()).then_some(()))).await?;
    ensure!(stage.names("fc").await? == ["good"], "nothing is made of what cannot be read");
    stage.end().await
}

#[tokio::test]
async fn a_supervisor_whose_image_is_missing_is_told_about_on_its_cluster() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[])).await?;
    let pod = soon(async || Ok(stage.names("pod").await?.pop())).await?;
    let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
    let container = json!({ "name": "supervisor", "state": waiting, "ready": false, "restartCount": 0, "image": "i", "imageID": "" });
    stage.patch_status("pod", &pod, &json!({ "containerStatuses": [container] })).await?;
    soon(async || Ok(stage.events("demo").await?.contains(&"SupervisorFailing".to_owned()).then_some(()))).await?;
    stage.end().await
}
