//! A cluster that starts: one JobManager, once no older one can live.

use api::record::ClusterPhase;
use jiff::{SignedDuration, Timestamp};

use super::{Effect, Node, Observed, PodState, PodView, Role, Step, Waiting, leave, replace, sweep, taskmanagers};
use crate::{Notice, Reading, command::Outcome};

pub(super) fn step(observed: &Observed<'_>, mut step: Step, since: Timestamp, not_before: Option<Timestamp>) -> Step {
    if leave(observed, &mut step) {
        return step;
    }
    let incarnation = step.record.incarnation;
    sweep(observed, &mut step);
    if observed.service.is_none() {
        step.effects.push(Effect::CreateService);
    }
    let ended = observed.pods.iter().find(|pod| {
        pod.role == Role::JobManager && pod.incarnation == incarnation && (pod.deleting || pod.state.is_over())
    });
    if let Some(pod) = ended {
        let why = describe(pod);
        replace(observed, &mut step, &why, detail(pod));
        return step;
    }
    match observed.job_manager(incarnation) {
        None => create(observed, step, since, not_before),
        Some(pod) => answer(observed, step, pod, since),
    }
}

fn describe(pod: &PodView) -> String {
    match detail(pod) {
        Some(detail) => format!("the JobManager {} has ended: {detail}", pod.name),
        None => format!("the JobManager {} has ended", pod.name),
    }
}

fn detail(pod: &PodView) -> Option<&str> {
    match &pod.state {
        PodState::Over { detail } | PodState::Pending { detail } => detail.as_deref(),
        PodState::Running => None,
    }
}

fn create(observed: &Observed<'_>, mut step: Step, since: Timestamp, not_before: Option<Timestamp>) -> Step {
    let patience = observed.desired.node_lost_timeout;
    let managers = || observed.pods.iter().filter(|pod| pod.role == Role::JobManager);
    let older: Vec<&PodView> = managers().filter(|pod| pod.may_live(patience)).collect();
    // With Flink's high availability only one of two JobManagers leads, whatever becomes of the other.
    if !older.is_empty() && !step.record.highly_available {
        let waiting = observed
            .lost(&older)
            .unwrap_or_else(|| Waiting::OldPods { names: older.iter().map(|pod| pod.name.clone()).collect() });
        if let Waiting::NodeLost { until, .. } = &waiting {
            step.wake = *until;
        }
        return step.wait(waiting);
    }
    if let Some(until) = not_before
        && observed.now < until
    {
        step.wake = Some(until);
        return step.wait(Waiting::Backoff { until });
    }
    for pod in managers().filter(|pod| !pod.state.is_over() && pod.node != Node::Fine) {
        let text = format!("{} is on a node that does not answer; another JobManager takes its place", pod.name);
        step.notices.push(Notice::warning("NodeLost", text));
    }
    // Its time to answer begins here, however long was waited before; not at each look, while its pod is created and not seen.
    if observed.now.duration_since(since) >= SignedDuration::from_secs(1) {
        step.record.phase = ClusterPhase::Starting { since: observed.now, not_before: None };
    }
    step.effects.push(Effect::CreateJobManager { incarnation: step.record.incarnation });
    step.wait(Waiting::JobManager { detail: "its pod is being created".into() })
}

fn answer(observed: &Observed<'_>, mut step: Step, pod: &PodView, since: Timestamp) -> Step {
    taskmanagers::create_missing(observed, &mut step, &pod.uid);
    match &observed.flink {
        Reading::Known(flink) if !flink.supported => step.wait(Waiting::Unsupported { version: flink.version.clone() }),
        Reading::Known(flink) => {
            let version = flink.version.clone();
            step.notices.push(Notice::normal("Started", format!("JobManager {} runs Flink {version}", pod.name)));
            step.done(Outcome::Done, "the cluster runs");
            step.goto(ClusterPhase::Started { uid: pod.uid.clone() });
            step.record.highly_available = flink.highly_available;
            // What holds back a crash loop, and the removal of TaskManagers, counts from here.
            step.record.rescaled = Some(observed.now);
            step.effects.clear();
            step.wait(Waiting::Next)
        }
        Reading::Unknown { why, .. } => {
            let deadline = since + observed.desired.task_timeout;
            if observed.now < deadline {
                step.wake = Some(deadline);
            } else if pod.state == PodState::Running {
                step.effects.push(Effect::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() });
                return step.wait(Waiting::JobManager { detail: format!("it does not answer ({why})") });
            }
            if let PodState::Pending { detail: Some(detail) } = &pod.state {
                return step.wait(Waiting::Trouble { detail: format!("{}: {detail}", pod.name) });
            }
            let detail = match &pod.state {
                PodState::Pending { .. } => "its pod is being started".into(),
                PodState::Running | PodState::Over { .. } => format!("it does not answer yet ({why})"),
            };
            step.wait(Waiting::JobManager { detail })
        }
    }
}
