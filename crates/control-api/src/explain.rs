//! Why a resource is as it is, what happens next, and what a person can do about it.
//!
//! What it says of a resource is what the resource's own conditions say: whoever decides also explains. Added are whose fault it is
//! (the cluster of a job, the supervisor of a cluster, what Kubernetes refuses), when something happens by itself, and advice by reason.
//! Invariant: the same resources, events and time give the same explanation.

mod advice;
mod causes;
mod next;
mod text;

use api::conditions::{READY, STALLED, condition, reasons};
use api::{FlinkCluster, FlinkDeployment, FlinkJob, LastAction, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event as KubernetesEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use text::render;

/// How many events are shown.
const MOST_EVENTS: usize = 20;

/// A resource with what is known around it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    pub what: What<'a>,
    /// Events about the resource and what was made for it, in any order.
    pub events: Vec<Event>,
    /// Why the supervisor of the cluster does not work, if it does not.
    pub supervisor: Option<&'a str>,
    pub now: Timestamp,
}

/// What is explained, and what belongs to it as far as it exists.
#[derive(Clone, Debug)]
pub enum What<'a> {
    Deployment { deployment: &'a FlinkDeployment, cluster: Option<&'a FlinkCluster>, jobs: Vec<&'a FlinkJob> },
    Cluster { cluster: &'a FlinkCluster, jobs: Vec<&'a FlinkJob> },
    Job { job: &'a FlinkJob, cluster: Option<&'a FlinkCluster> },
}

/// Something that Kubernetes or flinkctl told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Timestamp>,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    /// Kind and name of what it is about.
    pub about: String,
    pub count: i32,
}

/// How a resource is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// It runs as declared.
    Ready,
    /// It is on its way, and nothing is wrong.
    Progressing,
    /// Something keeps it from running; it is tried again, and goes on once that has changed.
    Blocked,
    /// It does not go on until somebody acts.
    Stalled,
    /// It is not meant to run.
    Stopped,
    Deleting,
    /// Nobody has looked at it yet.
    Unknown,
}

/// One thing that keeps a resource from being as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExplainedCause")]
pub struct Cause {
    /// Kind and name of where it lies.
    pub about: String,
    pub reason: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
}

/// What happens by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    pub what: String,
    /// Absent where it waits for something else than time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// What a person can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    pub text: String,
    /// To be typed, where the words in capitals are yours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// A resource that belongs to the one that is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    pub kind: String,
    pub name: String,
    pub verdict: Verdict,
    pub reason: String,
    pub message: String,
}

/// An explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub kind: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub verdict: Verdict,
    /// The states that its status names, such as `Started` and `RUNNING`.
    pub state: Vec<String>,
    /// Reason of its condition `Ready`.
    pub reason: String,
    /// What it does, or waits for.
    pub message: String,
    /// Since when it is ready, or is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// What lies behind it, the nearest first.
    pub causes: Vec<Cause>,
    pub next: Vec<Next>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action: Option<LastAction>,
    pub parts: Vec<Part>,
    pub advice: Vec<Advice>,
    /// The last first.
    pub events: Vec<Event>,
}

/// Explains a resource.
pub fn explain(subject: &Subject<'_>) -> Explanation {
    let mut events = subject.events.clone();
    events.sort_by(|one, other| other.time.cmp(&one.time).then_with(|| one.message.cmp(&other.message)));
    let view = View::of(&subject.what);
    let own = view.standing();
    let causes = causes::of(subject, &own, &events);
    let verdict = own.verdict(&causes);
    events.truncate(MOST_EVENTS);
    Explanation {
        kind: view.kind.to_owned(),
        name: view.name().to_owned(),
        namespace: view.meta.namespace.clone(),
        verdict,
        state: view.state,
        advice: advice::of(&subject.what, verdict, &own.reason, &causes),
        next: next::of(&subject.what, verdict, subject.now),
        last_action: view.last_action,
        parts: parts_of(&subject.what),
        reason: own.reason,
        message: own.message,
        since: own.since,
        causes,
        events,
    }
}

impl Explanation {
    /// Whether an event is about the resource itself, or about one of its parts.
    fn is_about(&self, event: &Event) -> bool {
        let names = |kind: &str, name: &str| event.about == format!("{kind} {name}");
        names(&self.kind, &self.name) || self.parts.iter().any(|part| names(&part.kind, &part.name))
    }
}

impl Event {
    /// What of an event of Kubernetes is worth showing.
    pub fn of(event: &KubernetesEvent) -> Self {
        let series = event.series.as_ref();
        let micro = series.and_then(|series| series.last_observed_time.as_ref()).or(event.event_time.as_ref());
        let last = event.last_timestamp.as_ref().or(event.first_timestamp.as_ref()).map(|time| time.0);
        let object = &event.involved_object;
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            time: last.or(micro.map(|time| time.0)).or(event.metadata.creation_timestamp.as_ref().map(|time| time.0)),
            warning: event.type_.as_deref() == Some("Warning"),
            reason: word(&event.reason),
            message: word(&event.message),
            about: format!("{} {}", word(&object.kind), word(&object.name)),
            count: series.and_then(|series| series.count).or(event.count).unwrap_or(1).max(1),
        }
    }
}

/// Whether an event of Kubernetes is about a resource, or about what was made for it.
pub fn concerns(what: &What<'_>, event: &KubernetesEvent) -> bool {
    let kind = event.involved_object.kind.as_deref().unwrap_or_default();
    let name = event.involved_object.name.as_deref().unwrap_or_default();
    let view = View::of(what);
    if kind == view.kind && name == view.name() {
        return true;
    }
    let (cluster, job) = place(what);
    match what {
        What::Deployment { jobs, .. } => match kind {
            "FlinkCluster" => name == cluster,
            "FlinkJob" => jobs.iter().any(|job| job.metadata.name.as_deref() == Some(name)),
            _ => made_for_cluster(cluster, kind, name),
        },
        What::Cluster { .. } => made_for_cluster(cluster, kind, name),
        What::Job { .. } => {
            let bootstrap = names::bootstrap(cluster, job.unwrap_or_default());
            kind == "Job" && name == bootstrap || kind == "Pod" && parts(name, &bootstrap) == 1
        }
    }
}

fn made_for_cluster(cluster: &str, kind: &str, name: &str) -> bool {
    let supervisor = names::supervisor(cluster);
    let numbers = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.split('-').all(is_number));
    match kind {
        "Pod" => {
            numbers(&format!("jobmanager-{cluster}-"))
                || numbers(&format!("taskmanager-{cluster}-"))
                || parts(name, &supervisor) == 2
        }
        "ReplicaSet" => parts(name, &supervisor) == 1,
        "Deployment" => name == supervisor,
        "Service" => name == names::job_manager_service(cluster),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How many parts a name has after a prefix and a dash; names of other clusters may begin alike.
fn parts(name: &str, prefix: &str) -> usize {
    name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).map_or(0, |rest| rest.split('-').count())
}

/// What the kinds have in common.
struct View<'a> {
    kind: &'static str,
    meta: &'a ObjectMeta,
    conditions: &'a [Condition],
    /// A status is there and was written by a version that knows conditions.
    state: Vec<String>,
    last_action: Option<LastAction>,
}

/// What the conditions of a resource say.
pub(crate) struct Standing {
    pub about: String,
    pub reason: String,
    pub message: String,
    pub since: Option<Timestamp>,
    ready: bool,
    stalled: bool,
    deleting: bool,
    seen: bool,
}

impl<'a> View<'a> {
    fn of(what: &'a What<'a>) -> Self {
        match what {
            What::Deployment { deployment, .. } => Self::deployment(deployment),
            What::Cluster { cluster, .. } => Self::cluster(cluster),
            What::Job { job, .. } => Self::job(job),
        }
    }

    fn deployment(deployment: &'a FlinkDeployment) -> Self {
        let status = deployment.status.as_ref();
        Self {
            kind: "FlinkDeployment",
            meta: &deployment.metadata,
            conditions: status.map_or(&[], |status| status.conditions.as_slice()),
            state: words([status.and_then(|status| status.resource_status).map(|status| status.to_string())]),
            last_action: None,
        }
    }

    fn cluster(cluster: &'a FlinkCluster) -> Self {
        let status = cluster.status.as_ref();
        let managers = status.and_then(|status| Some((status.task_manager_replicas?, status.total_task_slots?)));
        Self {
            kind: "FlinkCluster",
            meta: &cluster.metadata,
            conditions: status.map_or(&[], |status| status.conditions.as_slice()),
            state: words([
                status.and_then(|status| status.supervisor_status).map(|status| status.to_string()),
                status.and_then(|status| status.cluster_health.clone()),
                managers.map(|(pods, slots)| format!("{pods} TaskManagers with {slots} task slots")),
            ]),
            last_action: status.and_then(|status| status.last_action.clone()),
        }
    }

    fn job(job: &'a FlinkJob) -> Self {
        let status = job.status.as_ref();
        let id = status.and_then(|status| status.job_id.clone()).filter(|id| !id.is_empty());
        Self {
            kind: "FlinkJob",
            meta: &job.metadata,
            conditions: status.map_or(&[], |status| status.conditions.as_slice()),
            state: words([
                status.and_then(|status| status.supervisor_status).map(|status| status.to_string()),
                status.and_then(|status| status.job_status.clone()),
                id.map(|id| format!("Flink job {id}")),
            ]),
            last_action: status.and_then(|status| status.last_action.clone()),
        }
    }

    fn name(&self) -> &'a str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    fn standing(&self) -> Standing {
        let (ready, stalled) = (condition(self.conditions, READY), condition(self.conditions, STALLED));
        let holds = |condition: Option<&Condition>| condition.is_some_and(|condition| condition.status == "True");
        let deleting = self.meta.deletion_timestamp.is_some();
        let about = format!("{} {}", self.kind, self.name());
        let Some(ready) = ready else {
            return Standing {
                about,
                reason: reasons::UNKNOWN.to_owned(),
                message: format!("nobody has looked at this {} yet", self.kind),
                since: self.meta.creation_timestamp.as_ref().map(|time| time.0),
                ready: false,
                stalled: false,
                deleting,
                seen: false,
            };
        };
        let seen = ready.observed_generation.is_none() || ready.observed_generation >= self.meta.generation;
        Standing {
            about,
            reason: ready.reason.clone(),
            message: ready.message.clone(),
            since: Some(ready.last_transition_time.0),
            ready: holds(Some(ready)),
            stalled: holds(stalled),
            deleting,
            seen,
        }
    }
}

impl Standing {
    fn verdict(&self, causes: &[Cause]) -> Verdict {
        let troubled = causes.iter().any(|cause| advice::nature(&cause.reason) == advice::Nature::Trouble);
        match advice::nature(&self.reason) {
            _ if self.deleting => Verdict::Deleting,
            _ if self.stalled => Verdict::Stalled,
            advice::Nature::Rest => Verdict::Stopped,
            _ if self.ready && self.seen => Verdict::Ready,
            advice::Nature::Trouble => Verdict::Blocked,
            _ if troubled => Verdict::Blocked,
            _ if self.reason == reasons::UNKNOWN => Verdict::Unknown,
            advice::Nature::Passing | advice::Nature::Fine => Verdict::Progressing,
        }
    }
}

fn words<const N: usize>(words: [Option<String>; N]) -> Vec<String> {
    words.into_iter().flatten().filter(|word| !word.is_empty()).collect()
}

fn parts_of(what: &What<'_>) -> Vec<Part> {
    let jobs = |jobs: &[&FlinkJob]| jobs.iter().map(|job| part(&View::job(job))).collect::<Vec<_>>();
    match what {
        What::Deployment { cluster, jobs: all, .. } => {
            cluster.iter().map(|cluster| part(&View::cluster(cluster))).chain(jobs(all)).collect()
        }
        What::Cluster { jobs: all, .. } => jobs(all),
        What::Job { .. } => Vec::new(),
    }
}

fn part(view: &View<'_>) -> Part {
    let standing = view.standing();
    Part {
        kind: view.kind.to_owned(),
        name: view.name().to_owned(),
        verdict: standing.verdict(&[]),
        reason: standing.reason,
        message: standing.message,
    }
}

/// The cluster's name, and a job's name within it.
pub(crate) fn place<'a>(what: &'a What<'a>) -> (&'a str, Option<&'a str>) {
    let name = |meta: &'a ObjectMeta| meta.name.as_deref().unwrap_or_default();
    match what {
        What::Deployment { deployment, .. } => (name(&deployment.metadata), None),
        What::Cluster { cluster, .. } => (name(&cluster.metadata), None),
        What::Job { job, cluster } => {
            let labels = job.metadata.labels.as_ref();
            let labelled = labels.and_then(|labels| labels.get(api::labels::CLUSTER_NAME)).map(String::as_str);
            let full = name(&job.metadata);
            let cluster = cluster.map(|cluster| name(&cluster.metadata)).or(labelled);
            let cluster = cluster.or_else(|| full.rsplit_once('-').map(|(cluster, _)| cluster)).unwrap_or_default();
            (cluster, Some(names::short_job_name(cluster, full).unwrap_or(full)))
        }
    }
}

#[cfg(test)]
mod tests;
