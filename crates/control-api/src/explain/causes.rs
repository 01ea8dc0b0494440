//! What lies behind the state of a resource: elsewhere than in itself.

use api::conditions::{SAVEPOINT_FAILED, condition, reasons};
use jiff::{SignedDuration, Timestamp};

use super::{Cause, Event, Standing, Subject, View, What, advice};

/// Older events tell of what has passed.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// The causes, the nearest first. A resource that is as it should be has none.
pub(super) fn of(subject: &Subject<'_>, own: &Standing, events: &[Event]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let fine = own.ready && own.seen || advice::nature(&own.reason) == advice::Nature::Rest;
    let supervisor = subject.supervisor.filter(|why| !own.message.contains(*why));
    causes.extend(supervisor.map(|why| Cause {
        about: format!("Deployment {}", api::names::supervisor(super::place(&subject.what).0)),
        reason: reasons::SUPERVISOR_FAILING.to_owned(),
        message: why.to_owned(),
        since: None,
    }));
    // It is told of a job that runs on, too.
    let saving = View::of(&subject.what).conditions;
    let unsaved = condition(saving, SAVEPOINT_FAILED).filter(|told| told.status == "True" && told.reason != own.reason);
    causes.extend(unsaved.map(|told| Cause {
        about: own.about.clone(),
        reason: told.reason.clone(),
        message: told.message.clone(),
        since: Some(told.last_transition_time.0),
    }));
    if fine {
        return causes;
    }
    match &subject.what {
        What::Job { cluster: Some(cluster), .. } if leads_to_cluster(&own.reason) => {
            push(&mut causes, &View::cluster(cluster).standing());
        }
        What::Job { .. } | What::Cluster { .. } => {}
        What::Deployment { cluster, jobs, .. } => {
            let views =
                cluster.iter().map(|cluster| View::cluster(cluster)).chain(jobs.iter().map(|job| View::job(job)));
            views.for_each(|view| push(&mut causes, &view.standing()));
        }
    }
    if advice::nature(&own.reason) != advice::Nature::Trouble && !own.stalled {
        causes.extend(told(events, subject.now).filter(|cause| !own.message.contains(cause.message.as_str())).take(3));
    }
    causes
}

/// Whether a job in that state may be what its cluster is the reason of.
fn leads_to_cluster(reason: &str) -> bool {
    use reasons::{CLUSTER_STOPPED, NOT_ENOUGH_SLOTS, STARTING, STOPPING, UNKNOWN, UNREACHABLE, WAITING_FOR_CLUSTER};
    [CLUSTER_STOPPED, NOT_ENOUGH_SLOTS, STARTING, STOPPING, UNKNOWN, UNREACHABLE, WAITING_FOR_CLUSTER].contains(&reason)
}

/// Another resource that is not as it should be.
fn push(causes: &mut Vec<Cause>, standing: &Standing) {
    if standing.ready && standing.seen || advice::nature(&standing.reason) == advice::Nature::Rest && !standing.stalled
    {
        return;
    }
    causes.push(Cause {
        about: standing.about.clone(),
        reason: standing.reason.clone(),
        message: standing.message.clone(),
        since: standing.since,
    });
}

/// What Kubernetes refuses to do for a resource is told in events alone.
fn told(events: &[Event], now: Timestamp) -> impl Iterator<Item = Cause> + '_ {
    let recent = move |event: &&Event| event.warning && event.time.is_none_or(|time| now.duration_since(time) < RECENT);
    events.iter().filter(recent).filter_map(|event| {
        let reason = reason(event)?;
        Some(Cause {
            about: event.about.clone(),
            reason: reason.to_owned(),
            message: event.message.clone(),
            since: event.time,
        })
    })
}

fn reason(event: &Event) -> Option<&'static str> {
    let says = |words: &str| event.message.contains(words);
    match event.reason.as_str() {
        "FailedCreate" | "WriteFailed" | "KubernetesFailed" if says("exceeded quota") => Some(reasons::QUOTA_EXCEEDED),
        "FailedCreate" | "WriteFailed" | "KubernetesFailed" if says("forbidden") => Some(reasons::FORBIDDEN),
        "FailedCreate" | "WriteFailed" | "KubernetesFailed" => Some(reasons::KUBERNETES_FAILED),
        "FailedScheduling" => Some(reasons::UNSCHEDULABLE),
        "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox" => Some(reasons::POD_TROUBLE),
        "RecordUnreadable" => Some(reasons::RECORD_UNREADABLE),
        "SupervisorFailing" => Some(reasons::SUPERVISOR_FAILING),
        _ => None,
    }
}
