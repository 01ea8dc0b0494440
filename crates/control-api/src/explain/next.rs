//! What happens by itself, and when: read from the records, as whoever decides reads them.

use std::time::Duration;

use api::record::{
    self, ClusterNext, ClusterPhase, ClusterRecord, End, JobNext, JobPhase, JobRecord, Rescaling, Restore,
};
use api::{FlinkCluster, FlinkJob, RestartPolicy};
use jiff::{SignedDuration, Timestamp};

use super::{Next, Verdict, What};

pub(super) fn of(what: &What<'_>, verdict: Verdict, now: Timestamp) -> Vec<Next> {
    let next = match what {
        What::Deployment { .. } => Vec::new(),
        What::Cluster { cluster, .. } => of_cluster(cluster, now),
        What::Job { job, .. } => of_job(job, now),
    };
    if next.is_empty() && verdict == Verdict::Blocked {
        return vec![once("it is tried again, and goes on by itself once that has changed")];
    }
    next
}

fn once(what: impl Into<String>) -> Next {
    Next { what: what.into(), at: None }
}

fn at(what: impl Into<String>, since: Timestamp, after: Duration) -> Next {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    Next { what: what.into(), at: since.checked_add(after).ok() }
}

fn of_cluster(cluster: &FlinkCluster, now: Timestamp) -> Vec<Next> {
    let record = cluster.status.as_ref().and_then(|status| status.record.as_ref());
    let Ok(record) = record::parse::<ClusterRecord>(record) else { return Vec::new() };
    let timeout = cluster.spec.supervisor.task_timeout();
    match record.phase {
        ClusterPhase::Starting { not_before: Some(until), .. } if until > now => {
            vec![Next { what: "another JobManager is started".into(), at: Some(until) }]
        }
        ClusterPhase::Starting { since, .. } => {
            vec![at("a JobManager that does not answer by then is replaced", since, timeout)]
        }
        ClusterPhase::Started { .. } => record
            .task_managers_after
            .filter(|until| *until > now)
            .map(|until| Next { what: "missing TaskManagers are started".into(), at: Some(until) })
            .into_iter()
            .collect(),
        ClusterPhase::Stopping { next, .. } => vec![once(match next {
            ClusterNext::Restart => "it starts again when its pods are gone",
            ClusterNext::Stay => "it stays stopped until START",
            ClusterNext::Delete => "it is released when its pods are gone",
        })],
        ClusterPhase::Stopped => vec![once("nothing until START")],
        ClusterPhase::New | ClusterPhase::Adopting | ClusterPhase::Terminated => Vec::new(),
    }
}

fn of_job(job: &FlinkJob, now: Timestamp) -> Vec<Next> {
    let record = job.status.as_ref().and_then(|status| status.record.as_ref());
    let Ok(record) = record::parse::<JobRecord>(record) else { return Vec::new() };
    match &record.phase {
        JobPhase::Waiting { .. } => {
            let from = match &record.restore {
                Restore::Newest => "the newest of savepoint and checkpoint that is found".to_owned(),
                Restore::Empty => "no state".to_owned(),
                Restore::Savepoint { path } | Restore::Checkpoint { path } => path.clone(),
            };
            vec![once(format!("it is submitted as soon as what it waits for is there, and starts from {from}"))]
        }
        JobPhase::Submitting { since, .. } => {
            vec![at("the submission is given up", *since, job.spec.restart.timeout())]
        }
        JobPhase::Running => running(job, &record, now),
        JobPhase::Stopping { next, .. } => vec![once(match next {
            JobNext::Restart => "it starts again from what the stop leaves",
            JobNext::Stay { .. } => "it stays stopped",
            JobNext::Delete => "it is released",
        })],
        JobPhase::Ended { end, at } => vec![ended(job, end, *at)],
        JobPhase::Terminated if record.adrift => {
            vec![once("its last execution is cancelled when a JobManager has brought it back, and the job is released")]
        }
        JobPhase::New | JobPhase::Adopting { .. } | JobPhase::Terminated => Vec::new(),
    }
}

/// What becomes of another parallelism that Flink is to give to the job while it runs.
fn rescaling(rescaling: &Rescaling) -> Next {
    let to = rescaling.parallelism;
    match rescaling.deadline() {
        _ if rescaling.given_up => {
            once("the job is restarted with a savepoint, since Flink did not change its parallelism")
        }
        Some(_) => {
            let what = format!("the job is restarted with a savepoint, unless it runs with parallelism {to} by then");
            Next { what, at: rescaling.deadline() }
        }
        None => once(format!("Flink is asked for parallelism {to} as soon as there are task slots; the job runs on")),
    }
}

fn running(job: &FlinkJob, record: &JobRecord, now: Timestamp) -> Vec<Next> {
    let held = record.hold.filter(|until| *until > now);
    let held = held.map(|until| Next { what: "the stop that failed is tried again".into(), at: Some(until) });
    let savepoint = match (&record.operation, job.spec.savepoint.interval(), record.savepoint_requested) {
        (Some(_), ..) => Some(once("the savepoint in progress is recorded when Flink has completed it")),
        (None, Some(interval), Some(last)) => Some(at("a periodic savepoint is taken", last, interval)),
        (None, ..) => None,
    };
    let leaving = record.made.iter().find(|made| made.leaving);
    let leaving =
        leaving.map(|made| once(format!("the savepoint {} is deleted (spec.savepoint.retention)", made.path)));
    held.into_iter().chain(record.rescaling.as_ref().map(rescaling)).chain(savepoint).chain(leaving).collect()
}

fn ended(job: &FlinkJob, end: &End, since: Timestamp) -> Next {
    let policy = job.spec.restart.policy();
    let failed = matches!(end, End::Failed { .. } | End::NotStarted { .. } | End::Lost);
    match (end, policy) {
        (End::Suspended, _) => once("nothing until its parallelism is more than 0"),
        (End::ClusterStopped, _) => once("nothing until its cluster is started"),
        (_, RestartPolicy::Always) => at("it is started again (restartPolicy Always)", since, job.spec.restart.delay()),
        (_, RestartPolicy::OnlyIfFailed) if failed => {
            at("it is started again (restartPolicy OnlyIfFailed)", since, job.spec.restart.delay())
        }
        (End::NotStarted { .. }, _) => once("it is tried again as soon as its definition is changed, or on START"),
        (_, RestartPolicy::Never | RestartPolicy::OnlyIfFailed) => {
            once(format!("nothing until START (restartPolicy {policy})"))
        }
    }
}
