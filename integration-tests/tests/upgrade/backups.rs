//! Backups: what `kubectl get -o yaml` printed becomes working resources, and with their statuses jobs go on from where they were.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration_tests::world::{UP, World, job_id, status};
use serde_json::{Value, json};

use crate::{left, with_operator, without_operator};

/// The name of the cluster, which the resources of the other scenario have after they were renamed.
pub const CLUSTER: &str = "restored";
const COUNTER: &str = "restored-counter";
const TERSE: &str = "restored-terse";
const ANNOTATION: &str = "operator.nextbreakpoint.com/";

pub async fn a_backup_becomes_working_resources(world: Arc<World>) -> Result<()> {
    // As users keep them: clusters and jobs that they had made themselves, or deployments. Old annotations count for nothing.
    for kinds in [&["FlinkCluster", "FlinkJob"][..], &["FlinkDeployment"]] {
        world.local.apply_text(backup_of_the_original(&world, kinds)?).await?;
        world.running(TERSE).await?;
        world.running(COUNTER).await?;
        let cluster = world.started(CLUSTER).await?;
        ensure!(cluster["metadata"]["deletionTimestamp"].is_null(), "nothing is deleted because of an old annotation");
        if kinds != ["FlinkDeployment"] {
            delete(&world).await?;
            fs::remove_dir_all(world.output(COUNTER))?;
        }
    }
    let job = world.running(COUNTER).await?;
    world.counted(COUNTER, job_id(&job), 50).await?;

    // With statuses, the original's or ours, it goes on from its newest state.
    let mut last = job_id(&job).to_owned();
    for ours in [false, true] {
        world.request("fj", COUNTER, "TRIGGER_SAVEPOINT").await?;
        world.when("fj", COUNTER, "has a savepoint", UP, |job| !status(job, "savepointPath").is_empty()).await?;
        world.consumed("fj", COUNTER).await?;
        let backup = world.local.kubectl(&["get", "fd,fc,fj", "-o", "json"]).await?;
        delete(&world).await?;
        restore(&world, serde_json::from_str(&backup)?, ours).await?;
        let job = world.running_again(COUNTER, &last).await?;
        job_id(&job).clone_into(&mut last);
        world.counted(COUNTER, &last, 50).await.context("it goes on from its newest state")?;
        // Its policy is Never, and it had lost its JobManager: that is for a user to decide.
        world.stopped(TERSE).await?;
        world.request("fj", TERSE, "START").await?;
        world.running(TERSE).await?;
    }
    delete(&world).await
}

async fn delete(world: &World) -> Result<()> {
    world.local.kubectl(&["delete", "fd,fc,fj", "--all", "--wait=true", "--timeout=90s"]).await?;
    world.leaves_nothing(CLUSTER).await
}

/// What the manual tells users to do: definitions first, then statuses, and only then the operator.
async fn restore(world: &World, mut backup: Value, ours: bool) -> Result<()> {
    without_operator(world).await?;
    let items = backup["items"].as_array_mut().context("kubectl prints a list")?;
    for item in &mut *items {
        let metadata = item["metadata"].as_object_mut().context("it has metadata")?;
        metadata.remove("ownerReferences");
    }
    let items = items.clone();
    world.local.create_text(backup.to_string()).await?;
    for item in &items {
        let (kind, name) = (text(&item["kind"]), text(&item["metadata"]["name"]));
        let mut status = item["status"].clone();
        if !ours {
            let members = status.as_object_mut().context("it has a status")?;
            members.retain(|name, _| {
                !["record", "conditions", "observedGeneration", "lastAction"].contains(&name.as_str())
            });
        }
        let patch = json!({ "status": status }).to_string();
        world.local.kubectl(&["patch", &kind, &name, "--subresource=status", "--type=merge", "-p", &patch]).await?;
    }
    with_operator(world).await
}

/// `kubectl get -o yaml` of a cluster of the original, by another name; it was being deleted, as far as its annotations tell.
fn backup_of_the_original(world: &World, kinds: &[&str]) -> Result<String> {
    let mut items = left::resources(world, "deadbeefdeadbeefdeadbeefdeadbeef")?;
    // A stopped job is a new one without its status, as it always was: it would start.
    items.retain(|item| item["metadata"]["name"] != "legacy-idle");
    let jobs = items[0]["spec"]["jobs"].as_array_mut().context("the deployment has jobs")?;
    jobs.retain(|job| job["name"] != "idle");
    items.retain(|item| kinds.contains(&text(&item["kind"]).as_str()));
    for (number, item) in items.iter_mut().enumerate() {
        let name = text(&item["metadata"]["name"]);
        let metadata = &mut item["metadata"];
        metadata["namespace"] = json!(world.local.namespace());
        metadata["uid"] = json!(format!("6a1f0c3e-0000-4000-8000-00000000000{number}"));
        metadata["resourceVersion"] = json!((4711 + number).to_string());
        metadata["generation"] = json!(7);
        metadata["creationTimestamp"] = json!("2021-01-17T09:00:00Z");
        metadata["selfLink"] = json!(format!("/apis/nextbreakpoint.com/v1/namespaces/flink/flinks/{name}"));
        metadata["managedFields"] = json!([{
            "manager": "okhttp", "operation": "Update", "apiVersion": "nextbreakpoint.com/v1", "time": "2021-01-17T10:30:40Z",
            "fieldsType": "FieldsV1", "fieldsV1": { "f:status": { ".": {}, "f:timestamp": {} } },
        }]);
        for (flag, value) in [("should-restart", "true"), ("delete-resources", "true"), ("requested-action", "NONE")] {
            metadata["annotations"][format!("{ANNOTATION}{flag}")] = json!(value);
        }
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "", "selfLink": "" }, "items": items });
    Ok(serde_yaml::to_string(&list)?.replace("legacy", CLUSTER))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
