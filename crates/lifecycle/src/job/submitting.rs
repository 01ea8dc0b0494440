//! An attempt that is recorded: a bootstrap submits it, once.

use api::conditions::reasons;
use api::record::{Attempt, Checkpoints, End, JobNext, JobPhase, Restore, Stop};
use jiff::Timestamp;

use super::recovery::{Course, awaits, course, goes_on};
use super::running::after_loss;
use super::{
    BootstrapView, ClusterState, Effect, FlinkJobView, Observed, Outcome, SUBMISSION_TRIES, Step, Told, Waiting,
    begin_stop, earlier, end, finished, flink_job, lost,
};
use crate::notice::trouble_reason;
use crate::{Notice, Reading, command};

pub(super) fn step(observed: &Observed<'_>, mut step: Step, since: Timestamp, tries: u32) -> Step {
    let Some(attempt) = step.record.attempt.clone() else {
        step.goto(JobPhase::Waiting { since });
        return step;
    };
    match course(observed, &attempt) {
        Course::Here => {}
        Course::Gone => {
            let next = if may_have_run(observed, &attempt) { after_loss(observed) } else { JobNext::Restart };
            lost(&mut step, observed, next, Restore::Newest);
            return step;
        }
        Course::Back(incarnation) => {
            goes_on(&mut step, incarnation);
            return step;
        }
        Course::Awaited { why, until } => {
            if let Some(next) = withdrawn(observed, &attempt) {
                begin_stop(&mut step, observed, Stop::Abort { quiet: None }, next);
                return step;
            }
            return awaits(step, why, until);
        }
    }
    let answered = match flink_job(observed, &attempt) {
        Told::Job(job) => return submitted(observed, step, &attempt, job),
        Told::Absent => true,
        Told::Nothing => false,
    };
    if let Some(next) = withdrawn(observed, &attempt) {
        begin_stop(&mut step, observed, Stop::Abort { quiet: None }, next);
        return step;
    }
    let deadline = since + observed.desired.restart_timeout;
    if observed.now > deadline {
        let waited = format!("the job was not running after {:#}", observed.desired.restart_timeout);
        let (reason, message) = match &observed.bootstrap {
            BootstrapView::Active { detail: Some(detail), .. } => {
                (trouble_reason(detail), format!("{detail}; {waited}"))
            }
            _ => (reasons::TIMEOUT, waited),
        };
        let next = JobNext::Stay { end: End::NotStarted { reason: reason.into(), message } };
        begin_stop(&mut step, observed, Stop::Abort { quiet: None }, next);
        return step;
    }
    step.wake = earlier(step.wake, Some(deadline));
    submit(observed, step, attempt, answered, since, tries)
}

/// Whether the bootstrap may have submitted the attempt: to begin anew is then what the restart policy has to allow.
fn may_have_run(observed: &Observed<'_>, attempt: &Attempt) -> bool {
    match &observed.bootstrap {
        BootstrapView::Absent => false,
        BootstrapView::Leaving { started } => *started,
        BootstrapView::Active { attempt: number, started, .. } => *started && *number == attempt.number,
        BootstrapView::Ended { attempt: number, outcome, .. } => {
            *number == attempt.number && !matches!(outcome, Outcome::NotSubmitted { .. })
        }
    }
}

/// Flink has the job: it runs, or is over already.
fn submitted(observed: &Observed<'_>, mut step: Step, attempt: &Attempt, job: &FlinkJobView) -> Step {
    let checkpoints = match &observed.checkpoints {
        Reading::Known(checkpoints) => checkpoints.clone(),
        Reading::Unknown { .. } if job.terminal => Checkpoints::Unknown,
        Reading::Unknown { why, .. } => return step.wait(Waiting::Flink { why: why.clone() }),
    };
    if let Some(attempt) = step.record.attempt.as_mut() {
        attempt.checkpoints = checkpoints;
    }
    if job.terminal {
        return over(observed, step, attempt, job);
    }
    if matches!(job.state.as_str(), "INITIALIZING" | "CREATED" | "RECONCILING") {
        if let Some(next) = withdrawn(observed, attempt) {
            begin_stop(&mut step, observed, Stop::Cancel, next);
            return step;
        }
        return step.wait(Waiting::Tasks { state: job.state.clone() });
    }
    let from = attempt.restore.path().map_or_else(|| "without state".to_owned(), |path| format!("from {path}"));
    step.notices.push(Notice::normal("Running", format!("Flink job {} runs {from}", attempt.job_id)));
    step.done(command::Outcome::Done, format!("running as Flink job {}", attempt.job_id));
    step.goto(JobPhase::Running);
    step.wait(Waiting::Next)
}

/// It ran and ended, or Flink refused it and keeps it as FAILED: the bootstrap knows.
fn over(observed: &Observed<'_>, mut step: Step, attempt: &Attempt, job: &FlinkJobView) -> Step {
    match &observed.bootstrap {
        BootstrapView::Active { attempt: number, .. } if *number == attempt.number => {
            step.wait(Waiting::Submission { detail: format!("Flink says {}", job.state) })
        }
        BootstrapView::Ended { attempt: number, outcome: Outcome::NotSubmitted { reason, message }, .. }
            if *number == attempt.number =>
        {
            let end_of = End::NotStarted { reason: reason.clone(), message: message.clone() };
            end(&mut step, observed, JobNext::Stay { end: end_of }, Some(attempt.restore.clone()));
            step
        }
        _ => {
            finished(&mut step, observed, job, None);
            step
        }
    }
}

/// Why the submission is to be taken back, if it is.
fn withdrawn(observed: &Observed<'_>, attempt: &Attempt) -> Option<JobNext> {
    if observed.desired.deleting {
        return Some(JobNext::Delete);
    }
    match observed.cluster.state {
        ClusterState::Stopping | ClusterState::Stopped | ClusterState::Terminated | ClusterState::Missing => {
            return Some(JobNext::Stay { end: End::ClusterStopped });
        }
        ClusterState::Restarting => return Some(JobNext::Restart),
        ClusterState::Starting | ClusterState::Started => {}
    }
    let changed = observed.desired.digest != attempt.digest || observed.desired.parallelism != attempt.parallelism;
    changed.then_some(JobNext::Restart)
}

/// Sees to it that a bootstrap is at work. A retry uses the same id, which Flink accepts once.
fn submit(
    observed: &Observed<'_>,
    mut step: Step,
    attempt: Attempt,
    answered: bool,
    since: Timestamp,
    tries: u32,
) -> Step {
    match &observed.bootstrap {
        BootstrapView::Absent => {
            if !answered {
                return step.wait(Waiting::Flink { why: "the JobManager does not answer".into() });
            }
            step.effects.push(Effect::CreateBootstrap { attempt });
            step.wait(Waiting::Submission { detail: "the bootstrap is being created".into() })
        }
        BootstrapView::Leaving { .. } => step.wait(Waiting::OldBootstrap),
        BootstrapView::Active { uid, attempt: number, .. } | BootstrapView::Ended { uid, attempt: number, .. }
            if *number != attempt.number =>
        {
            step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
            step.wait(Waiting::OldBootstrap)
        }
        BootstrapView::Active { detail: Some(detail), .. } => step.wait(Waiting::Trouble { detail: detail.clone() }),
        BootstrapView::Active { detail: None, .. } => {
            step.wait(Waiting::Submission { detail: "the bootstrap is at work".into() })
        }
        BootstrapView::Ended { outcome: Outcome::Submitted, .. } => {
            step.wait(Waiting::Submission { detail: "Flink has accepted the job and does not list it yet".into() })
        }
        BootstrapView::Ended { outcome: Outcome::NotSubmitted { reason, message }, .. } => {
            let end_of = End::NotStarted { reason: reason.clone(), message: message.clone() };
            end(&mut step, observed, JobNext::Stay { end: end_of }, Some(attempt.restore));
            step
        }
        BootstrapView::Ended { uid, outcome: Outcome::Unknown, .. } => {
            if !answered {
                return step.wait(Waiting::Flink { why: "the JobManager does not answer".into() });
            }
            if tries >= SUBMISSION_TRIES {
                let message = format!("the bootstrap ended without a result {tries} times");
                let next = JobNext::Stay { end: End::NotStarted { reason: reasons::BOOTSTRAP_LOST.into(), message } };
                begin_stop(&mut step, observed, Stop::Abort { quiet: None }, next);
                return step;
            }
            step.notices.push(Notice::warning("BootstrapLost", "the bootstrap ended without a result; it is repeated"));
            step.goto(JobPhase::Submitting { since, tries: tries + 1 });
            step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
            step.wait(Waiting::OldBootstrap)
        }
    }
}
