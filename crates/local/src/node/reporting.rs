//! Tells the control plane how a pod is doing.
//!
//! Invariant: a status is written only over the version of the pod that it was computed from, and only if it says something new.

use super::Machine;
use super::board;
use super::sandbox::Sandbox;
use super::service::Endpoint;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const RETRY: Duration = Duration::from_millis(500);
/// How long the last status is tried when the node ends.
const LAST: Duration = Duration::from_secs(3);

/// Follows the board of a pod until it is `finished`; the last state is written before it returns.
pub(super) async fn run(sandbox: Arc<Sandbox>, updates: watch::Receiver<Arc<Pod>>, finished: CancellationToken) {
    let mut changes = sandbox.board.changes();
    let mut deletion = updates.clone();
    let mut names = sandbox.machine.services.changes();
    let mut reporter = Reporter { sandbox: Arc::clone(&sandbox), updates, latest: None };
    loop {
        changes.borrow_and_update();
        let ended = finished.is_cancelled();
        reporter.offer();
        let write = reporter.write();
        if ended {
            if tokio::time::timeout(LAST, write).await.is_err() {
                tracing::warn!(pod = sandbox.name(), "the last status of a pod was not written");
            }
            return;
        }
        write.await;
        tokio::select! {
            _ = changes.changed() => {}
            _ = deletion.changed() => {}
            () = finished.cancelled() => {}
            _ = names.changed() => {
                if let Err(error) = sandbox.write_hosts() {
                    tracing::warn!(pod = sandbox.name(), error = kit::chain(&error), "the names of a pod are out of date");
                }
            }
        }
    }
}

struct Reporter {
    sandbox: Arc<Sandbox>,
    updates: watch::Receiver<Arc<Pod>>,
    /// The pod as the last write left it.
    latest: Option<Pod>,
}

impl Reporter {
    fn api(&self) -> Api<Pod> {
        Api::namespaced(self.sandbox.machine.client.clone(), &self.sandbox.namespace())
    }

    /// Tells Services whether the pod can be reached; they do not wait for the control plane.
    fn offer(&self) {
        let pod = self.updates.borrow().clone();
        let status = board::status(&pod, &self.sandbox.board.read(), Timestamp::now());
        let ready = pod.metadata.deletion_timestamp.is_none() && is_ready(&status);
        let uid = self.sandbox.pod.uid().unwrap_or_default();
        self.sandbox.machine.services.endpoint(&uid, Some(Endpoint::new(&pod, self.sandbox.address, ready)));
    }

    /// Writes the status; comes back when it is written, or when the pod is not there any more.
    async fn write(&mut self) {
        let api = self.api();
        loop {
            let base = self.latest.clone().unwrap_or_else(|| self.updates.borrow().as_ref().clone());
            let status = board::status(&base, &self.sandbox.board.read(), Timestamp::now());
            if says_the_same(base.status.as_ref(), &status) {
                return;
            }
            match api
                .patch_status(&base.name_any(), &PatchParams::default(), &Patch::Merge(patch(&base, &status)))
                .await
            {
                Ok(pod) => {
                    self.latest = Some(pod);
                    return;
                }
                Err(kube::Error::Api(error)) if error.is_not_found() => return,
                Err(kube::Error::Api(error)) if error.is_conflict() => match api.get_opt(&base.name_any()).await {
                    Ok(Some(pod)) if pod.metadata.uid == self.sandbox.pod.metadata.uid => self.latest = Some(pod),
                    Ok(_) => return,
                    Err(error) => pause(&self.sandbox, &error).await,
                },
                Err(error) => pause(&self.sandbox, &error).await,
            }
        }
    }
}

async fn pause(sandbox: &Sandbox, error: &kube::Error) {
    tracing::warn!(
        pod = sandbox.name(),
        error = kit::chain(error),
        "the status of a pod was not written, it is tried again"
    );
    tokio::time::sleep(RETRY).await;
}

fn is_ready(status: &PodStatus) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a status would be written as it is read: in an object, a time has no fractions of a second.
fn says_the_same(written: Option<&PodStatus>, status: &PodStatus) -> bool {
    json!(written) == json!(status)
}

/// A merge patch from the status that is there to the new one. Members that are not there any more are removed by name.
fn patch(pod: &Pod, status: &PodStatus) -> Value {
    let (old, mut new) = (json!(pod.status), json!(status));
    if let (Some(old), Some(new)) = (old.as_object(), new.as_object_mut()) {
        for key in old.keys() {
            new.entry(key.clone()).or_insert(Value::Null);
        }
    }
    json!({"metadata": {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version}, "status": new})
}

/// Removes the object of a pod whose processes are gone.
pub(super) async fn delete(machine: &Machine, pod: &Pod, gone: &CancellationToken) {
    let api: Api<Pod> = Api::namespaced(machine.client.clone(), &pod.namespace().unwrap_or_default());
    let preconditions = Preconditions { uid: pod.uid(), ..Preconditions::default() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }.grace_period(0);
    loop {
        match api.delete(&pod.name_any(), &parameters).await {
            Ok(_) => return,
            Err(kube::Error::Api(error)) if error.is_not_found() || error.is_conflict() => return,
            Err(error) => tracing::warn!(
                pod = pod.name_any(),
                error = kit::chain(&error),
                "a pod was not removed, it is tried again"
            ),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = gone.cancelled() => return,
            () = machine.shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_server_gives_back_is_not_written_again() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [{"name": "a", "image": "i"}]}})).unwrap();
        let (init, main) = board::fresh(pod.spec.as_ref().unwrap());
        let board = board::Board::new(board::State { init, main, ..board::State::default() });
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        board.container("a", |status| status.state = Some(board::running(now)));
        let status = board::status(&pod, &board.read(), now);
        let mut text = json!(status);
        text["containerStatuses"][0]["lastState"] = json!({});
        let back: PodStatus = serde_json::from_value(text).unwrap();
        assert!(says_the_same(Some(&back), &status));
        let again = board::status(&Pod { status: Some(back.clone()), ..pod }, &board.read(), Timestamp::now());
        assert!(says_the_same(Some(&back), &again));
    }

    #[test]
    fn a_patch_names_the_version_and_removes_what_is_gone() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "uid": "u", "resourceVersion": "7"},
            "status": {"phase": "Pending", "reason": "Odd"},
        }))
        .unwrap();
        let status = PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() };
        let expected =
            json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"phase": "Running", "reason": null}});
        assert_eq!(patch(&pod, &status), expected);
    }
}
