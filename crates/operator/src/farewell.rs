//! The end of the namespace. Kubernetes deletes its pods before all else, the operator's among them, and lets it have no new ones: nobody
//! would be left who could release our resources, which then held the namespace forever. So an operator that ends looks whether its
//! namespace ends too, and if so uses its grace period: once the pods of the clusters are gone, it takes our finalizers off.
//!
//! Not here: resources that are deleted one by one. Invariant: nothing is released in a namespace that goes on.

use std::time::Duration;

use api::{FlinkCluster, FlinkDeployment, FlinkJob, labels, names};
use k8s_openapi::api::core::v1::{Event, Pod};
use kit::client::{CallError, DEADLINE, call};
use kit::{Object, Outcome, object};
use kube::Client;
use kube::api::{Api, ListParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

/// How long the pods of clusters are waited for. They cannot be saved any more, and no others can be made.
const PATIENCE: Duration = Duration::from_secs(18);
/// All in all: less than the 30 seconds that pods have unless their manifest says otherwise.
const LIMIT: Duration = Duration::from_secs(26);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an API server that gives no answer is asked whether the namespace ends.
const ASKING: Duration = Duration::from_secs(5);

/// Releases everything if the namespace is being terminated; nothing happens otherwise.
pub async fn run(client: &Client, namespace: &str) {
    if !is_terminating(client, namespace).await {
        return;
    }
    tracing::info!(namespace, "the namespace is being terminated: its resources are released once the pods are gone");
    let since = Instant::now();
    while since.elapsed() < LIMIT {
        match release(client, namespace, since.elapsed() < PATIENCE).await {
            Ok(true) => return tracing::info!(namespace, "everything is released"),
            Ok(false) => {}
            Err(error) => tracing::warn!(error = kit::chain(&error), "failed to release what is in the namespace"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tracing::warn!(
        namespace,
        "not everything is released: run `flinkctl operator run --namespace={namespace}` elsewhere"
    );
}

/// Whether the namespace refuses new objects. Asked by a dry run, since the operator has no right to read its namespace.
async fn is_terminating(client: &Client, namespace: &str) -> bool {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let event = json!({
        "metadata": {"generateName": "flink-operator-", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "namespace": namespace},
        "reason": "Ending", "message": "the operator ends", "type": "Normal",
        "source": {"component": crate::COMPONENT},
    });
    let Ok(event) = serde_json::from_value::<Event>(event) else { return false };
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let since = Instant::now();
    loop {
        let answer = call(ASKING, events.create(&dry_run, &event)).await;
        if let Some(terminating) = verdict(answer.as_ref().err()) {
            return terminating;
        }
        if since.elapsed() >= ASKING {
            tracing::warn!(namespace, "whether the namespace is being terminated is not known; nothing is released");
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the answer to the dry run says of the namespace. No answer, or one that speaks of the API server's own trouble, says nothing.
fn verdict(error: Option<&CallError>) -> Option<bool> {
    let Some(error) = error else { return Some(false) };
    match error.status()?.code {
        429 | 500.. => None,
        _ => Some(error.is_terminating()),
    }
}

/// One round; whether nothing is left to do.
async fn release(client: &Client, namespace: &str, patient: bool) -> Result<bool, CallError> {
    if patient && has_pods(client, namespace).await? {
        return Ok(false);
    }
    let deployments = release_all::<FlinkDeployment>(client, namespace).await?;
    let clusters = release_all::<FlinkCluster>(client, namespace).await?;
    Ok(release_all::<FlinkJob>(client, namespace).await? && clusters && deployments)
}

/// Whether pods of clusters are left, supervisors among them.
async fn has_pods(client: &Client, namespace: &str) -> Result<bool, CallError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ours = format!("{}={},{}", labels::OWNER, labels::OWNER_VALUE, labels::CLUSTER_NAME);
    Ok(!call(DEADLINE, pods.list_metadata(&ListParams::default().labels(&ours))).await?.items.is_empty())
}

/// Takes our finalizers off all objects of a kind, whatever else they say; whether that has been done.
async fn release_all<K>(client: &Client, namespace: &str) -> Result<bool, CallError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + 'static,
    PartialObjectMeta<K>: Object,
{
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), namespace);
    let all = match call(DEADLINE, api.list(&ListParams::default())).await {
        Ok(all) => all.items,
        // The definition is gone, and all its objects with it.
        Err(error) if error.is_not_found() => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut done = true;
    for mut object in all {
        for finalizer in [names::SUPERVISOR_FINALIZER, names::OPERATOR_FINALIZER] {
            if !object.finalizers().iter().any(|present| present == finalizer) {
                continue;
            }
            match object::finalizer(&api, &object, finalizer, false).await? {
                Outcome::Written(written) => object = written,
                Outcome::Gone => break,
                Outcome::Conflict => {
                    done = false;
                    break;
                }
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(code: u16, cause: &str) -> CallError {
        let status = json!({"status": "Failure", "message": "no", "reason": "Forbidden", "code": code, "details": {"causes": [{"reason": cause}]}});
        CallError::Kube(kube::Error::Api(serde_json::from_value(status).expect("a status")))
    }

    #[test]
    fn only_an_answer_about_the_namespace_is_one() {
        assert_eq!(verdict(None), Some(false));
        assert_eq!(verdict(Some(&refused(403, "NamespaceTerminating"))), Some(true));
        assert_eq!(verdict(Some(&refused(403, ""))), Some(false), "no right to ask");
        assert_eq!(verdict(Some(&refused(404, ""))), Some(false), "the namespace is gone");
        for trouble in [429, 500, 503, 504] {
            assert_eq!(verdict(Some(&refused(trouble, ""))), None, "{trouble}");
        }
        assert_eq!(verdict(Some(&CallError::Timeout(ASKING))), None);
    }
}
