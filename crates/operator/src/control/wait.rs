//! Waiting until an action is done, driven by the watch: a waiting request looks when something has changed, and never polls.

use std::sync::Arc;
use std::time::Duration;

use api::conditions::{PROGRESSING, READY, STALLED, condition};
use api::{SupervisorStatus, annotations};
use control_api::answer::{ActionResult, Outcome};
use control_api::route::{Action, Target};
use control_api::{Kind, Problem};
use kit::cache;
use kit::projection::Parsed;

use super::Control;
use super::names::Names;
use super::read::readable;
use super::served::Supervised;

/// What is waited for.
#[derive(Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The command with this id, which the annotations have since this version.
    Command { id: String, version: String },
    /// A scale to this number, which the resource has since this version.
    Scale { replicas: i32, version: String },
}

/// How an action stands.
#[derive(Debug, PartialEq)]
enum Stand {
    Done(ActionResult),
    Refused(Problem),
    /// It goes on; what it waits for, in words.
    Pending(String),
}

impl Control {
    /// Waits for the end of an action.
    pub(super) async fn done<K: Supervised>(
        &self,
        names: &Names,
        action: Action,
        awaited: &Awaited,
        patience: Duration,
    ) -> Result<ActionResult, Problem> {
        let name = names.resource(K::TARGET).unwrap_or_default();
        let mut pending = String::new();
        let look = |object: Option<&Arc<Parsed<K>>>| match stand(object.map(AsRef::as_ref), &name, action, awaited) {
            Stand::Done(result) => Some(Ok(result)),
            Stand::Refused(problem) => Some(Err(problem)),
            Stand::Pending(why) => {
                pending = why;
                None
            }
        };
        let ended = tokio::select! {
            answer = tokio::time::timeout(patience, self.cache::<K>()?.until(&name, look)) => answer.ok(),
            () = self.0.token.cancelled() => {
                Some(Err(Problem::new(Kind::Unavailable, "the operator ends; the action goes on without it")))
            }
        };
        ended.unwrap_or_else(|| {
            let (action, noun) = (action.as_str(), K::TARGET.noun().to_lowercase());
            let detail = format!("{action} of {noun} {name} goes on, but is not done after {patience:?}: {pending}");
            Err(Problem::new(Kind::StillWaiting, detail))
        })
    }
}

fn stand<K: Supervised>(object: Option<&Parsed<K>>, name: &str, action: Action, awaited: &Awaited) -> Stand {
    let Some(object) = object else {
        return Stand::Refused(Problem::not_found(K::TARGET.noun(), &format!("{name} (it was deleted meanwhile)")));
    };
    match readable(object) {
        Err(problem) => Stand::Refused(problem),
        Ok(object) => match awaited {
            Awaited::Command { version, .. } | Awaited::Scale { version, .. }
                if !cache::is_at_least(object.meta(), version) =>
            {
                Stand::Pending("the operator has not seen the change yet".to_owned())
            }
            Awaited::Command { id, .. } => command(object, action, id),
            Awaited::Scale { replicas, .. } => scale(object, *replicas),
        },
    }
}

fn command<K: Supervised>(object: &K, action: Action, id: &str) -> Stand {
    if let Some(last) = object.last_action().filter(|last| last.id == id) {
        let message = last.message.clone().unwrap_or_default();
        return match last.outcome.as_str() {
            "Done" => Stand::Done(result(object, action, Some(id), message)),
            "Accepted" => Stand::Pending(waits_for(object)),
            outcome => {
                let became =
                    if outcome == "Failed" { "failed".to_owned() } else { format!("was {}", outcome.to_lowercase()) };
                let detail = format!("{} {became}: {message}", action.as_str());
                Stand::Refused(Problem::new(Kind::ActionRefused, detail))
            }
        };
    }
    // The report comes before the annotation is reset, so whoever has changed the annotation did not report.
    if annotations::action_timestamp(object.meta().annotations.as_ref()) != Some(id) {
        let detail = format!("another action took the place of {} before it was taken up", action.as_str());
        return Stand::Refused(Problem::new(Kind::Conflict, detail));
    }
    Stand::Pending(format!("its supervisor has not taken it up yet; {}", waits_for(object)))
}

fn scale<K: Supervised>(object: &K, replicas: i32) -> Stand {
    if object.declared() != replicas {
        let detail =
            format!("it was scaled to {} meanwhile, by somebody else or by its rescale policy", object.declared());
        return Stand::Refused(Problem::new(Kind::Conflict, detail));
    }
    if object.observed_generation() < object.meta().generation {
        return Stand::Pending("its supervisor has not taken it up yet".to_owned());
    }
    if object.holds(STALLED) {
        return Stand::Refused(Problem::new(Kind::ActionRefused, format!("it is stalled: {}", waits_for(object))));
    }
    let (wanted, running) = (object.wanted(), object.running());
    let result = |message: String| Stand::Done(result(object, Action::Scale, None, message));
    let bounded = if wanted == replicas { String::new() } else { format!(", as the limits of its spec say {wanted}") };
    match object.supervisor_status() {
        SupervisorStatus::Stopped if !object.holds(PROGRESSING) => result(if wanted == 0 {
            "stopped".to_owned()
        } else {
            "stopped; the number counts from its next start on".to_owned()
        }),
        SupervisorStatus::Started if object.holds(READY) && running == wanted => {
            result(format!("{running} run{bounded}"))
        }
        _ => Stand::Pending(format!("{running} of {wanted} run; {}", waits_for(object))),
    }
}

fn result<K: Supervised>(object: &K, action: Action, id: Option<&str>, message: String) -> ActionResult {
    let mut result = ActionResult::new(action.as_str(), Outcome::Done);
    result.id = id.map(str::to_owned);
    result.message = Some(message).filter(|message| !message.is_empty());
    if matches!(action, Action::Stop | Action::TriggerSavepoint) {
        result.savepoint_path = object.savepoint_path().map(str::to_owned);
    }
    result.job_id = object.job_id().map(str::to_owned);
    match K::TARGET {
        Target::Cluster => result.task_managers = Some(object.running()),
        Target::Job => result.parallelism = Some(object.running()),
        Target::Deployment => {}
    }
    result
}

/// What the conditions say that it waits for.
fn waits_for<K: Supervised>(object: &K) -> String {
    let told = [STALLED, PROGRESSING]
        .into_iter()
        .filter(|type_| object.holds(type_))
        .chain([READY])
        .find_map(|type_| condition(object.conditions(), type_));
    told.map_or_else(
        || "it has no supervisor yet".to_owned(),
        |told| if told.message.is_empty() { told.reason.clone() } else { told.message.clone() },
    )
}

#[cfg(test)]
mod tests {
    use api::{FlinkCluster, FlinkJob};
    use serde_json::{Value, json};

    use super::*;

    fn job(status: Value, stamp: &str) -> Parsed<FlinkJob> {
        serde_json::from_value(json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob",
            "metadata": {
                "name": "a-b", "resourceVersion": "20", "generation": 3,
                "annotations": { "operator.nextbreakpoint.com/action-timestamp": stamp },
            },
            "spec": {
                "jobParallelism": 2, "bootstrap": { "image": "i", "jarPath": "j", "className": "c" },
                "savepoint": { "savepointInterval": 0, "savepointTargetPath": "" }, "restart": {},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn action(id: &str, outcome: &str) -> Value {
        json!({
            "lastAction": { "id": id, "action": "STOP", "outcome": outcome, "message": "because" }, "savepointPath": "file:/s",
            "conditions": [{ "type": "Progressing", "status": "True", "reason": "Stopping", "message": "a savepoint is in progress",
                             "lastTransitionTime": "2026-01-01T00:00:00Z" }],
        })
    }

    fn of(status: Value, stamp: &str) -> Stand {
        let awaited = Awaited::Command { id: "1000".to_owned(), version: "20".to_owned() };
        stand(Some(&job(status, stamp)), "a-b", Action::Stop, &awaited)
    }

    #[test]
    fn a_command_is_done_when_its_own_report_says_so() {
        let Stand::Done(result) = of(action("1000", "Done"), "2000") else { panic!("it is done") };
        assert_eq!((result.savepoint_path.as_deref(), result.id.as_deref()), (Some("file:/s"), Some("1000")));
        let accepted = of(action("1000", "Accepted"), "1000");
        assert_eq!(accepted, Stand::Pending("a savepoint is in progress".to_owned()));
        let Stand::Pending(why) = of(action("900", "Done"), "1000") else { panic!("an older report counts not") };
        assert!(why.starts_with("its supervisor has not taken it up yet"), "{why}");
    }

    #[test]
    fn a_command_that_was_refused_failed_or_replaced_is_not_waited_for() {
        let kind = |stand| match stand {
            Stand::Refused(problem) => (problem.kind, problem.detail),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            kind(of(action("1000", "Refused"), "2000")),
            (Kind::ActionRefused, "STOP was refused: because".into())
        );
        assert_eq!(kind(of(action("1000", "Failed"), "2000")), (Kind::ActionRefused, "STOP failed: because".into()));
        assert_eq!(kind(of(action("900", "Done"), "1001")).0, Kind::Conflict);
        assert_eq!(kind(of(action("1001", "Done"), "1002")).0, Kind::Conflict);
        let unseen = Awaited::Command { id: "1000".to_owned(), version: "21".to_owned() };
        let stale = stand(Some(&job(action("900", "Done"), "1001")), "a-b", Action::Stop, &unseen);
        assert_eq!(stale, Stand::Pending("the operator has not seen the change yet".to_owned()));
        let awaited = Awaited::Command { id: "1000".to_owned(), version: "20".to_owned() };
        assert_eq!(kind(stand::<FlinkJob>(None, "a-b", Action::Stop, &awaited)).0, Kind::NotFound);
    }

    #[test]
    fn a_job_is_scaled_when_it_runs_with_what_was_asked_for() {
        let conditions = |ready: &str| {
            json!([{ "type": "Ready", "status": ready, "reason": "Running", "message": "all tasks run",
                     "lastTransitionTime": "2026-01-01T00:00:00Z" }])
        };
        let of = |replicas, version: &str, status: Value| {
            let awaited = Awaited::Scale { replicas, version: version.to_owned() };
            stand(Some(&job(status, "1")), "a-b", Action::Scale, &awaited)
        };
        let status = |ready: &str, generation: i64, parallelism: i32| {
            json!({ "supervisorStatus": "Started", "observedGeneration": generation, "jobParallelism": parallelism,
                    "conditions": conditions(ready) })
        };
        assert!(matches!(of(2, "20", status("True", 3, 2)), Stand::Done(_)));
        assert!(matches!(of(2, "21", status("True", 3, 2)), Stand::Pending(_)));
        assert!(matches!(of(2, "20", status("True", 2, 2)), Stand::Pending(_)));
        assert!(matches!(of(2, "20", status("True", 3, 1)), Stand::Pending(_)));
        assert!(matches!(of(2, "20", status("False", 3, 2)), Stand::Pending(_)));
        assert!(matches!(of(3, "20", status("True", 3, 2)), Stand::Refused(_)));
    }

    #[test]
    fn a_cluster_without_status_has_no_supervisor_yet() {
        let cluster: FlinkCluster = serde_json::from_value(json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "metadata": { "name": "a" },
            "spec": { "runtime": { "image": "i" }, "jobManager": {}, "taskManager": {}, "supervisor": { "image": "i" } },
        }))
        .unwrap();
        assert_eq!(waits_for(&cluster), "it has no supervisor yet");
    }
}
