//! What could never run is refused by the API server, in words that name the field.

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration_tests::objects::{cluster, cluster_spec, counter_spec, deployment, job};
use integration_tests::world::World;
use serde_json::{Value, json};

pub async fn what_can_never_run_is_refused_with_the_name_of_the_field(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let counter = |patch: Value| counter_spec(&state, "refused", patch);
    let twice = [("twin", counter(json!({}))), ("twin", counter(json!({})))];
    let cases = [
        (cluster("refused", &cluster_spec(&state, json!({ "taskManager": { "taskSlots": -1 } }))), "taskSlots"),
        (cluster("refused", &cluster_spec(&state, json!({ "runtime": { "image": "" } }))), "runtime.image"),
        (
            cluster("refused", &cluster_spec(&state, json!({ "jobManager": { "serviceMode": "Sometimes" } }))),
            "serviceMode",
        ),
        (job("refused", "job", &counter(json!({ "bootstrap": { "image": "" } }))), "bootstrap.image"),
        (job("refused", "job", &counter(json!({ "restart": { "restartPolicy": "Perhaps" } }))), "restartPolicy"),
        (deployment("refused", &cluster_spec(&state, json!({})), &twice), "jobs"),
    ];
    for (object, field) in cases {
        let refusal = world.apply(&[object]).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refusal.contains("is invalid") && refusal.contains(field), "`{field}` is refused: `{refusal}`");
    }
    for kind in ["fd", "fc", "fj"] {
        let stored = world.local.list(kind, "").await?;
        ensure!(
            !stored.iter().any(|one| one["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("refused"))),
            "{kind}"
        );
    }
    Ok(())
}
