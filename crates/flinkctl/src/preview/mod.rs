//! What a change would do, before it is made: which fields differ, what restarts and what does not, and whether its pods fit.
//!
//! Pure: what there is comes in. What restarts is decided by `lifecycle`, what pods need by `manifests`.

mod fields;
mod pods;
mod show;

use api::{FlinkCluster, FlinkDeployment, FlinkJob, FlinkJobSpec, names};
use jiff::Timestamp;
use lifecycle::change::{self, Change, Consequence};
use manifests::room::{self, Limit, Line, Pods, Quota};
use serde_json::{Value, json};

pub use show::render;

/// What there is.
#[derive(Default)]
pub struct Present {
    pub deployment: Option<FlinkDeployment>,
    /// The cluster that the change is about, or that its job belongs to.
    pub cluster: Option<FlinkCluster>,
    /// All jobs of that cluster.
    pub jobs: Vec<FlinkJob>,
    pub quotas: Vec<Quota>,
    pub limits: Vec<Limit>,
}

/// What there is to be: resources with their names.
pub enum Wanted {
    Deployment(Box<FlinkDeployment>),
    Cluster(Box<FlinkCluster>),
    Job { cluster: String, job: Box<FlinkJob> },
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub path: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// What would be done.
pub struct Preview {
    pub kind: &'static str,
    pub name: String,
    pub exists: bool,
    pub fields: Vec<Field>,
    pub changes: Vec<Change>,
    pub pods: Vec<Pods>,
    pub lines: Vec<Line>,
    /// What cannot be, whatever is free.
    pub refused: Vec<String>,
    pub notes: Vec<String>,
}

impl Preview {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.exists && self.fields.is_empty() && self.changes.is_empty()
    }

    /// Whether all that is added has room.
    pub fn fits(&self) -> bool {
        self.refused.is_empty() && self.lines.iter().all(Line::fits)
    }

    /// Why it does not fit, in one line for each reason.
    pub fn shortage(&self) -> Vec<String> {
        let short = self.lines.iter().filter(|line| !line.fits()).map(|line| {
            let shown = |amount: manifests::Quantity| amount.shown(&line.resource);
            format!(
                "ResourceQuota {} has {} of {} free, and {} is needed",
                line.quota,
                shown(line.free()),
                line.resource,
                shown(line.added)
            )
        });
        short.chain(self.refused.iter().cloned()).collect()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let amounts = |amounts: &room::Amounts| -> Value {
            amounts.iter().map(|(name, amount)| (name.clone(), Value::from(amount.shown(name)))).collect()
        };
        json!({
            "kind": self.kind,
            "name": self.name,
            "exists": self.exists,
            "fields": self.fields.iter().map(|field| json!({ "path": field.path, "from": field.from, "to": field.to })).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(|change| json!({
                "kind": change.kind, "name": change.name, "sections": change.sections,
                "consequence": format!("{:?}", change.consequence), "why": change.why, "supervisorRestarts": change.supervisor,
            })).collect::<Vec<_>>(),
            "pods": self.pods.iter().map(|pods| json!({
                "role": pods.role, "now": pods.now, "then": pods.then,
                "each": { "requests": amounts(&pods.each.requests), "limits": amounts(&pods.each.limits) },
            })).collect::<Vec<_>>(),
            "quotas": self.lines.iter().map(|line| json!({
                "quota": line.quota, "resource": line.resource, "hard": line.hard.shown(&line.resource),
                "used": line.used.shown(&line.resource), "free": line.free().shown(&line.resource),
                "added": line.added.shown(&line.resource), "fits": line.fits(),
            })).collect::<Vec<_>>(),
            "refused": self.refused,
            "notes": self.notes,
            "fits": self.fits(),
        })
    }
}

/// Looks ahead.
pub fn preview(present: &Present, wanted: &Wanted, now: Timestamp) -> Preview {
    let jobs: Vec<&FlinkJob> = present.jobs.iter().collect();
    let mut preview = match wanted {
        Wanted::Deployment(wanted) => of_deployment(present, wanted, &jobs, now),
        Wanted::Cluster(wanted) => of_cluster(present, wanted, &jobs),
        Wanted::Job { job, .. } => of_job(present, job),
    };
    let (cluster, jobs) = after(present, wanted);
    match pods::all(present, cluster.as_ref(), &jobs, &preview.changes) {
        Ok(pods) => preview.pods = pods,
        Err(error) => preview.refused.push(kit::chain(&error)),
    }
    if preview.is_empty() {
        preview.pods.clear();
        return preview;
    }
    preview.notes.extend(pods::notes(cluster.as_ref(), &jobs, &preview.changes));
    preview.lines = room::lines(&present.quotas, &preview.pods);
    preview.refused.extend(room::refusals(&present.quotas, &present.limits, &preview.pods));
    if preview.lines.iter().any(|line| line.scoped) {
        preview
            .notes
            .push("quotas with scopes count some pods only; they are shown, and refuse nothing here".to_owned());
    }
    preview
}

fn empty(kind: &'static str, name: Option<&String>, exists: bool) -> Preview {
    Preview {
        kind,
        name: name.cloned().unwrap_or_default(),
        exists,
        fields: Vec::new(),
        changes: Vec::new(),
        pods: Vec::new(),
        lines: Vec::new(),
        refused: Vec::new(),
        notes: Vec::new(),
    }
}

fn of_deployment(present: &Present, wanted: &FlinkDeployment, jobs: &[&FlinkJob], now: Timestamp) -> Preview {
    let known = present.deployment.as_ref();
    let mut preview = empty("FlinkDeployment", wanted.metadata.name.as_ref(), known.is_some());
    preview.fields = fields::differing(known.map(|known| &known.spec), &wanted.spec);
    let mut after = wanted.clone();
    after.metadata = known.map_or_else(|| wanted.metadata.clone(), |known| known.metadata.clone());
    preview.changes = change::deployment(&after, present.cluster.as_ref(), jobs, now);
    let counts =
        |path: &str| path.ends_with("taskManagers") && path.contains("cluster") || path.ends_with("jobParallelism");
    if known.is_some() && preview.fields.iter().any(|field| counts(&field.path)) {
        preview.notes.push(
            "taskManagers and jobParallelism count when cluster and job are created; afterwards scale them".to_owned(),
        );
    }
    preview
}

fn of_cluster(present: &Present, wanted: &FlinkCluster, jobs: &[&FlinkJob]) -> Preview {
    let known = present.cluster.as_ref();
    let mut preview = empty("FlinkCluster", wanted.metadata.name.as_ref(), known.is_some());
    preview.fields = fields::differing(known.map(|known| &known.spec), &wanted.spec);
    match known {
        Some(known) => {
            let change = change::cluster(known, &wanted.spec);
            preview.changes.extend((!change.is_empty() || change.supervisor).then_some(change));
            change::with_cluster(&mut preview.changes, jobs);
            preview.notes.extend(owner(&known.metadata, "cluster", &preview.fields));
        }
        None => preview.changes.push(created("FlinkCluster", wanted.metadata.name.as_deref())),
    }
    preview
}

fn of_job(present: &Present, wanted: &FlinkJob) -> Preview {
    let known = present.jobs.iter().find(|job| job.metadata.name == wanted.metadata.name);
    let mut preview = empty("FlinkJob", wanted.metadata.name.as_ref(), known.is_some());
    preview.fields = fields::differing(known.map(|known| &known.spec), &wanted.spec);
    match known {
        Some(known) => {
            let change = change::job(known, &wanted.spec, present.cluster.as_ref());
            preview.changes.extend((!change.is_empty()).then_some(change));
            preview.notes.extend(owner(&known.metadata, "job", &preview.fields));
        }
        None => preview.changes.push(created("FlinkJob", wanted.metadata.name.as_deref())),
    }
    if present.cluster.is_none() {
        preview.notes.push("there is no cluster for it; it waits until there is one".to_owned());
    }
    preview
}

fn created(kind: &'static str, name: Option<&str>) -> Change {
    Change {
        kind,
        name: name.unwrap_or_default().to_owned(),
        sections: Vec::new(),
        consequence: Consequence::Created,
        why: None,
        supervisor: false,
    }
}

/// What a deployment declares is put back by it; the numbers that are scaled are not.
fn owner(
    meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    noun: &str,
    fields: &[Field],
) -> Option<String> {
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    let declared = |field: &Field| !field.path.ends_with(".taskManagers") && !field.path.ends_with(".jobParallelism");
    fields.iter().any(declared).then(|| {
        format!(
            "the {noun} belongs to {} {}, which puts such changes back: change that one",
            controller.kind, controller.name
        )
    })
}

/// Cluster and jobs as they will be declared.
fn after(present: &Present, wanted: &Wanted) -> (Option<FlinkCluster>, Vec<FlinkJob>) {
    match wanted {
        Wanted::Cluster(wanted) => {
            let mut cluster = present.cluster.clone().unwrap_or_else(|| wanted.as_ref().clone());
            cluster.spec = wanted.spec.clone();
            (Some(cluster), present.jobs.clone())
        }
        Wanted::Job { job, .. } => (present.cluster.clone(), with_job(&present.jobs, job)),
        Wanted::Deployment(wanted) => {
            let own = wanted.metadata.name.clone().unwrap_or_default();
            let mut cluster =
                present.cluster.clone().unwrap_or_else(|| FlinkCluster::new(&own, wanted.spec.cluster.clone()));
            let scaled = cluster.spec.task_managers;
            cluster.spec = wanted.spec.cluster.clone();
            if present.cluster.is_some() {
                cluster.spec.task_managers = scaled;
            }
            let jobs = wanted.spec.jobs().iter().map(|entry| declared(&present.jobs, &own, &entry.name, &entry.spec));
            (Some(cluster), jobs.collect())
        }
    }
}

fn declared(jobs: &[FlinkJob], deployment: &str, short: &str, spec: &FlinkJobSpec) -> FlinkJob {
    let full = names::job(deployment, short);
    let known = jobs.iter().find(|job| job.metadata.name.as_deref() == Some(&full));
    let mut job = known.cloned().unwrap_or_else(|| FlinkJob::new(&full, spec.clone()));
    let scaled = job.spec.job_parallelism;
    job.spec = spec.clone();
    if known.is_some() {
        job.spec.job_parallelism = scaled;
    }
    job
}

fn with_job(jobs: &[FlinkJob], wanted: &FlinkJob) -> Vec<FlinkJob> {
    let mut all = jobs.to_vec();
    match all.iter_mut().find(|job| job.metadata.name == wanted.metadata.name) {
        Some(known) => known.spec = wanted.spec.clone(),
        None => all.push(wanted.clone()),
    }
    all
}

#[cfg(test)]
mod tests;
