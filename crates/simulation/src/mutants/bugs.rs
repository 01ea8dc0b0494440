//! The bugs, one by one.

use std::cell::Cell;

use api::record::{JobNext, JobPhase, Restore, Stop};
use flink::{JobId, JobsOverview, Listing, ListingOutcome, Operation, RunRequest, TriggerId};
use flink_client::Error;
use jiff::SignedDuration;
use lifecycle::cluster::{self, PodState, Role};
use lifecycle::{Reading, job};
use serde_json::{Value, json};

use super::Mutation;
use crate::objects::{Kind, Object};

type DecideJob = fn(&job::Observed<'_>) -> job::Step;
type DecideCluster = fn(&cluster::Observed<'_>) -> cluster::Step;

/// A bug as a set of changes; what is not given is as in production.
#[derive(Clone, Copy)]
pub struct Bug {
    pub name: &'static str,
    /// Where it was seen.
    pub seen: &'static str,
    decide_job: DecideJob,
    decide_cluster: DecideCluster,
    create: fn(Kind, &mut Value),
    status: fn(&mut Object),
    guards_deletes: bool,
    jobs: fn(&mut JobsOverview),
    operation: fn(&mut Result<Operation, Error>),
    listings: fn(&mut [Listing]),
    run: fn(&mut RunRequest),
    trigger: fn(&mut TriggerId),
    bootstrap_checks: bool,
}

impl Mutation for Bug {
    fn decide_job(&self, observed: &job::Observed<'_>) -> job::Step {
        (self.decide_job)(observed)
    }

    fn decide_cluster(&self, observed: &cluster::Observed<'_>) -> cluster::Step {
        (self.decide_cluster)(observed)
    }

    fn create(&self, kind: Kind, manifest: &mut Value) {
        (self.create)(kind, manifest);
    }

    fn status(&self, object: &mut Object) {
        (self.status)(object);
    }

    fn guards_deletes(&self) -> bool {
        self.guards_deletes
    }

    fn jobs(&self, answer: &mut JobsOverview) {
        (self.jobs)(answer);
    }

    fn operation(&self, answer: &mut Result<Operation, Error>) {
        (self.operation)(answer);
    }

    fn listings(&self, answer: &mut [Listing]) {
        (self.listings)(answer);
    }

    fn run(&self, request: &mut RunRequest) {
        (self.run)(request);
    }

    fn trigger(&self, trigger: &mut TriggerId) {
        (self.trigger)(trigger);
    }

    fn bootstrap_checks(&self) -> bool {
        self.bootstrap_checks
    }
}

const fn bug(name: &'static str, seen: &'static str) -> Bug {
    Bug {
        name,
        seen,
        decide_job: |observed| job::step(observed),
        decide_cluster: |observed| cluster::step(observed),
        create: |_, _| (),
        status: |_| (),
        guards_deletes: true,
        jobs: |_| (),
        operation: |_| (),
        listings: |_| (),
        run: |_| (),
        trigger: |_| (),
        bootstrap_checks: true,
    }
}

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

/// A number that was not given before.
fn fresh() -> u64 {
    COUNTER.with(|counter| {
        counter.set(counter.get() + 1);
        counter.get()
    })
}

fn with_job_id(kind: Kind, manifest: &mut Value, id: &str) {
    if kind != Kind::Bootstrap {
        return;
    }
    let args = manifest["spec"]["template"]["spec"]["containers"][0]["args"].as_array_mut();
    for argument in args.into_iter().flatten() {
        if argument.as_str().is_some_and(|text| text.starts_with("--job-id=")) {
            *argument = json!(format!("--job-id={id}"));
        }
    }
}

/// A decision after the restore point was replaced where the newest state was to be found out.
fn without_search(observed: &job::Observed<'_>, instead: fn(&job::Step) -> Option<Restore>) -> job::Step {
    let mut step = job::step(observed);
    if step.record.restore == Restore::Newest
        && let Some(restore) = instead(&step)
    {
        step.record.restore = restore;
    }
    step
}

/// All bugs.
pub fn all() -> Vec<Bug> {
    let mut all = duplicates();
    all.extend(states());
    all.extend(stuck());
    all
}

/// Two copies of a job, or of its parts.
fn duplicates() -> Vec<Bug> {
    vec![
        Bug {
            create: |kind, manifest| with_job_id(kind, manifest, &format!("{:032x}", 0xabc_0000 + fresh())),
            bootstrap_checks: false,
            ..bug("a new job id for each try", "FLINK-38858, FLINK-29464")
        },
        Bug { run: |request| request.job_id = None, ..bug("a submission without job id", "toolbox 8972e2e, GCP #88") },
        Bug {
            decide_job: |observed| {
                let mut observed = observed.clone();
                let current = observed.cluster.job_manager.as_ref().map(|manager| manager.number);
                observed.cluster.alive.retain(|number| Some(*number) == current);
                job::step(&observed)
            },
            ..bug("old pods are not waited for", "FLINK-34524, FLINK-34438")
        },
        Bug {
            decide_job: |observed| {
                let mut observed = observed.clone();
                if let Reading::Unknown { .. } = observed.cluster.jobs {
                    observed.cluster.jobs = Reading::Known(Vec::new());
                }
                job::step(&observed)
            },
            ..bug("a JobManager that does not answer has no jobs", "Spotify #401, FLINK-38077")
        },
        Bug {
            decide_cluster: |observed| {
                let mut observed = observed.clone();
                let current = observed.record.incarnation;
                observed.pods.retain(|pod| pod.incarnation == current);
                cluster::step(&observed)
            },
            ..bug("a JobManager starts beside the last one", "FLINK-34438, toolbox R-06")
        },
        Bug {
            jobs: |answer| answer.jobs.retain(flink::Job::is_fully_running),
            ..bug("a job that is being deployed is not counted", "Lyft #111")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if let (JobPhase::Stopping { stop: Stop::Abort { .. }, .. }, Some(attempt)) =
                    (&observed.record.phase, &observed.record.attempt)
                    && observed.bootstrap != job::BootstrapView::Absent
                {
                    step.record.restore = attempt.restore.clone();
                    step.record.phase = JobPhase::Waiting { since: observed.now };
                }
                step
            },
            bootstrap_checks: false,
            ..bug("what may still be submitted is not waited for", "GCP #147, FLINK-38858")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if matches!(step.record.phase, JobPhase::Ended { .. }) {
                    step.record.phase = JobPhase::Waiting { since: observed.now };
                }
                step
            },
            ..bug("a job that has ended is started again", "FLINK-35108, toolbox F-17")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if let JobPhase::Submitting { .. } = step.record.phase
                    && let job::BootstrapView::Active { uid, .. } = &observed.bootstrap
                {
                    step.effects.push(job::Effect::DeleteBootstrap { uid: uid.clone() });
                }
                step
            },
            ..bug("submitters are made and deleted all the time", "Spotify #399")
        },
        Bug {
            create: |_, manifest| {
                if let Some(metadata) = manifest["metadata"].as_object_mut() {
                    metadata.remove("ownerReferences");
                }
            },
            ..bug("children have no owner", "FLINK-39559, toolbox D-06")
        },
        Bug { guards_deletes: false, ..bug("deletes name no uid", "Sieve: stale state, toolbox F-09") },
        Bug {
            status: |object| object.meta_mut().resource_version = None,
            ..bug("a status is written whatever was seen", "FLINK-29959, toolbox R-01")
        },
    ]
}

/// State lost, or restored from the wrong place.
fn states() -> Vec<Bug> {
    vec![
        Bug {
            decide_job: |observed| {
                without_search(observed, |step| step.record.savepoint.clone().map(|path| Restore::Savepoint { path }))
            },
            ..bug("the recorded savepoint wins over what is newer", "FLINK-39270, FLINK-27495")
        },
        Bug {
            decide_job: |observed| without_search(observed, |_| Some(Restore::Empty)),
            ..bug("a lost job starts without state", "FLINK-30408, FLINK-27572")
        },
        Bug {
            decide_job: |observed| {
                without_search(observed, |step| step.record.attempt.as_ref().map(|attempt| attempt.restore.clone()))
            },
            ..bug("a lost job starts where it once started", "FLINK-35857, toolbox F-25")
        },
        Bug {
            listings: |answer| {
                for listing in answer {
                    if let ListingOutcome::Failed { .. } = listing.outcome {
                        listing.outcome = ListingOutcome::Found { snapshots: Vec::new() };
                    }
                }
            },
            ..bug("what cannot be listed is not there", "Spotify #979, FLINK-27594")
        },
        Bug {
            listings: |answer| {
                let newest = answer.iter().flat_map(Listing::snapshots).map(|one| one.modified).max();
                let several = answer.iter().flat_map(Listing::snapshots).count() > 1;
                for listing in answer {
                    if let ListingOutcome::Found { snapshots } = &mut listing.outcome
                        && several
                    {
                        snapshots.retain(|one| Some(one.modified) != newest);
                    }
                }
            },
            ..bug("the newest snapshot is overlooked", "FLINK-38867, FLINK-36037")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                for effect in &mut step.effects {
                    if let job::Effect::CreateBootstrap { attempt } = effect {
                        attempt.restore = Restore::Empty;
                    }
                }
                step
            },
            ..bug("the restore point is not given to Flink", "Spotify #389, FLINK-28845")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if let (JobPhase::Stopping { next, .. }, job::OperationView::Completed { .. }) =
                    (&observed.record.phase, &observed.operation)
                    && *next == JobNext::Restart
                {
                    step.record.phase = JobPhase::Waiting { since: observed.now };
                    step.record.restore = Restore::Empty;
                }
                step
            },
            ..bug("the savepoint of an upgrade is not used", "FLINK-37530, FLINK-33522")
        },
        Bug {
            status: |object| {
                if let Object::Job(job) = object {
                    let status = std::rc::Rc::make_mut(job).status.as_mut();
                    if let Some(record) = status.and_then(|status| status.record.as_mut())
                        && record["phase"]["name"] == "Submitting"
                    {
                        record["attempt"] = Value::Null;
                    }
                }
            },
            ..bug("an attempt is only in memory", "FLINK-29464, FLINK-28331")
        },
        Bug {
            trigger: |trigger| {
                if let Ok(other) = TriggerId::try_from(format!("{:032x}", 0xdef_0000 + fresh())) {
                    *trigger = other;
                }
            },
            ..bug("each stop is another operation", "GCP #392")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if let (JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, .. }, .. }, Some(attempt)) =
                    (&mut step.record.phase, &observed.record.attempt)
                    && observed.operation == job::OperationView::InProgress
                {
                    *trigger_id = lifecycle::ids::trigger_id(&observed.desired.uid, attempt.number, observed.now);
                }
                step
            },
            ..bug("a stop that takes its time is ordered anew", "GCP #392, FLINK-37372")
        },
        Bug {
            decide_job: |observed| {
                let mut observed = observed.clone();
                if let Reading::Known(job::InPlace::Can { asked, running }) = &mut observed.in_place {
                    *running = *asked;
                }
                job::step(&observed)
            },
            ..bug("what was asked for is taken for what runs", "Spotify #959")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if let (JobPhase::Running, Some(attempt)) = (&step.record.phase, &step.record.attempt)
                    && let Some(path) = attempt.restore.path().filter(|_| observed.desired.retention.is_some())
                {
                    let (incarnation, path) = (attempt.incarnation.clone(), path.to_owned());
                    step.effects.push(job::Effect::DeleteSavepoint { incarnation, path });
                }
                step
            },
            ..bug("the savepoint of an upgrade is deleted at once", "FLINK-38033")
        },
        Bug {
            create: |kind, manifest| with_job_id(kind, manifest, &JobId::from_bytes([7; 16]).to_string()),
            bootstrap_checks: false,
            ..bug("all jobs have the same id", "FLINK-32412, Dinky #3244")
        },
    ]
}

/// Stuck, forgotten, or in a loop.
fn stuck() -> Vec<Bug> {
    vec![
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                if observed.desired.deleting && observed.desired.supervised {
                    step.effects = vec![job::Effect::RemoveFinalizer];
                }
                step
            },
            ..bug("a job is released while it runs", "GCP #320, toolbox F-27")
        },
        Bug {
            decide_job: |observed| {
                let started = observed.cluster.state == job::ClusterState::Started;
                if observed.desired.deleting && !started {
                    return job::Step::from(observed.record.clone());
                }
                job::step(observed)
            },
            decide_cluster: |observed| {
                let mut observed = observed.clone();
                if observed.desired.deleting {
                    observed.jobs.iter_mut().for_each(|job| job.supervised = true);
                }
                cluster::step(&observed)
            },
            ..bug("cluster and job wait for each other", "FLINK-39618, FLINK-37766")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                step.effects.retain(|effect| !matches!(effect, job::Effect::RemoveFinalizer));
                step
            },
            ..bug("the finalizer stays", "FLINK-31860, Lyft #142")
        },
        Bug {
            jobs: |answer| {
                for job in answer.jobs.iter_mut().filter(|job| job.state == flink::JobState::Finished) {
                    job.state = flink::JobState::Reconciling;
                }
            },
            ..bug("a job that has finished is reconciled for ever", "FLINK-37320")
        },
        Bug {
            decide_job: |observed| {
                let mut observed = observed.clone();
                if let (JobPhase::Running, Some(attempt)) = (&observed.record.phase, &observed.record.attempt) {
                    let (id, state) = (attempt.job_id.clone(), "RUNNING".to_owned());
                    let runs = job::FlinkJobView { id, state, terminal: false, ready: true, failure: None };
                    observed.cluster.jobs = Reading::Known(vec![runs]);
                }
                job::step(&observed)
            },
            ..bug("a job that vanished is never noticed", "toolbox F-04, Spotify #1015")
        },
        Bug {
            decide_cluster: |observed| {
                let mut observed = observed.clone();
                let desired = cluster::Desired { deleting: false, ..observed.desired.clone() };
                observed.desired = &desired;
                cluster::step(&observed)
            },
            ..bug("a deletion is not looked at while a cluster runs", "Lyft #142")
        },
        Bug {
            decide_cluster: |observed| {
                let mut observed = observed.clone();
                for pod in observed.pods.iter_mut().filter(|pod| pod.role == Role::JobManager) {
                    if pod.state.is_over() {
                        pod.state = PodState::Running;
                    }
                }
                cluster::step(&observed)
            },
            ..bug("a JobManager that ended is not noticed", "toolbox F-04, F-16")
        },
        Bug {
            decide_cluster: |observed| {
                let mut step = cluster::step(observed);
                step.effects.retain(|effect| {
                    !matches!(effect, cluster::Effect::DeletePod { name, .. } if name.starts_with("taskmanager"))
                });
                step
            },
            ..bug("TaskManagers are left behind", "toolbox F-16, FLINK-30287")
        },
        Bug {
            operation: |answer| {
                if answer.is_err() {
                    *answer = Ok(Operation::Failed { cause: "no answer".into() });
                }
            },
            ..bug("a lost answer is a failure", "Spotify #340, FLINK-37371")
        },
        Bug {
            decide_job: |observed| {
                let mut step = job::step(observed);
                step.effects.retain(|effect| !matches!(effect, job::Effect::ResetAction { .. }));
                step
            },
            ..bug("a command is never taken back", "Spotify #978")
        },
        Bug {
            status: |object| {
                if let Object::Job(job) = object
                    && let Some(status) = std::rc::Rc::make_mut(job).status.as_mut()
                {
                    status.timestamp = Some(fresh().to_string());
                }
            },
            decide_job: |observed| {
                let mut step = job::step(observed);
                let soon = observed.now + SignedDuration::from_millis(50);
                step.wake = Some(step.wake.map_or(soon, |wake| wake.min(soon)));
                step
            },
            ..bug("a status differs each time", "FLINK-28534, Spotify #976")
        },
        Bug {
            decide_cluster: |observed| {
                let mut step = cluster::step(observed);
                if let (Some(flink), Some(manager)) = (
                    observed.flink.known(),
                    observed.pods.iter().find(|pod| pod.role == Role::JobManager && !pod.state.is_over()),
                ) {
                    for job in &flink.live_jobs {
                        step.effects
                            .push(cluster::Effect::CancelJob { job_manager: manager.uid.clone(), job_id: job.clone() });
                    }
                }
                step
            },
            ..bug("its own jobs are canceled as foreign", "GCP #401, toolbox F-40")
        },
        Bug {
            decide_cluster: |observed| {
                let mut observed = observed.clone();
                if matches!(observed.flink, Reading::Unknown { .. })
                    && matches!(observed.record.phase, api::record::ClusterPhase::Started { .. })
                {
                    for pod in observed.pods.iter_mut().filter(|pod| pod.role == Role::JobManager) {
                        pod.state = PodState::Over { detail: None };
                    }
                }
                cluster::step(&observed)
            },
            ..bug("one failed probe replaces a JobManager", "toolbox F-23")
        },
    ]
}
