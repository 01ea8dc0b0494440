//! A system at rest is quiet: jobs that checkpoint every second cause no writes to Kubernetes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use integration_tests::wait::until;
use integration_tests::world::World;

use crate::{counting, finish};

const WINDOW: Duration = Duration::from_secs(12);

/// D-01
pub async fn a_cluster_at_rest_causes_no_writes(world: Arc<World>) -> Result<()> {
    counting(&world, "quiet").await?;
    // Other scenarios share the server, so what counts is this cluster's objects. Settling may take some writes; then come
    // twelve seconds without one, with a checkpoint in each of them.
    let mut last = versions(&world).await?;
    let mut since = Instant::now();
    until("twelve seconds without a write", Duration::from_secs(90), async || {
        let now = versions(&world).await?;
        if now != last {
            let changed = now.iter().find(|one| !last.contains(one)).cloned().unwrap_or_default();
            last = now;
            since = Instant::now();
            bail!("{changed} was written");
        }
        Ok((since.elapsed() >= WINDOW).then_some(()))
    })
    .await?;
    finish(&world, "quiet").await
}

/// Kind, name and resourceVersion of everything of the cluster.
async fn versions(world: &World) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    for kind in ["fd", "fc", "fj", "pod", "job", "deployment", "replicaset", "service", "event", "lease"] {
        for object in world.local.list(kind, "").await? {
            let text = format!("{kind}/{} at {}", object["metadata"]["name"], object["metadata"]["resourceVersion"]);
            if text.contains("quiet") {
                versions.push(text);
            }
        }
    }
    versions.sort();
    Ok(versions)
}
