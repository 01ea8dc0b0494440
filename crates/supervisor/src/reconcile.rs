//! One pass: look, decide, write, act; for the cluster, then for each of its jobs.
//!
//! The record is in status before anything it announces is done. A write on stale knowledge does not happen; the
//! next pass looks again. What goes wrong with one job does not keep the others waiting.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{FlinkCluster, FlinkClusterStatus, FlinkJob, FlinkJobStatus, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::client::CallError;
use kit::events::Events;
use kit::kubernetes::Kind;
use kit::projection::Parsed;
use kit::{Clock, Kubernetes, Outcome as Written};
use kube::Resource;
use lifecycle::cluster::{self, JobView, PodView};
use lifecycle::{Notice, Reading, Refusal, job};

use crate::act::{Actor, Error};
use crate::caches::Caches;
use crate::edge::Edge;
use crate::jobmanager::JobManager;
use crate::knowledge::{ClusterFacts, JobFacts, Knowledge};
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::observe;

/// How often a step may follow another one without a look from outside.
const STEPS: usize = 8;
/// Between two looks while something is under way: short at first, longer while nothing changes.
const QUICK: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_secs(2);
/// After an error: longer each time, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When something is under way and nothing has happened for so long, an event may have been lost: longer each time, up to the second.
const FIRST_DOUBT: Duration = Duration::from_secs(30);
const LONGEST_DOUBT: Duration = Duration::from_mins(10);

/// The supervisor's state between two passes. Everything that must survive it is in the records.
pub struct Reconciler<E: Edge> {
    pub actor: Actor<E>,
    pub caches: Caches,
    pub events: Events,
    pub metrics: Metrics,
    pub polling_interval: Duration,
    manager: Option<JobManager<E::Flink>>,
    /// The last pass left something under way.
    busy: bool,
    /// Versions of cluster and jobs, by uid, that Flink was asked after, or that were written since. What it says is older than any other.
    known: BTreeMap<String, String>,
    /// TaskManagers are too many: whether they are idle matters.
    surplus: bool,
    nodes: Nodes,
    knowledge: Knowledge,
    quiet: Duration,
    /// When everything is listed anew unless something happens, by the monotonic clock, and how long was waited for that.
    doubt: (Duration, Duration),
    troubles: HashMap<String, Trouble>,
    /// Why status cannot be written, while the API server does not allow it.
    pub barred: Arc<Mutex<Option<String>>>,
}

/// What went wrong with an object, and when it is tried again.
struct Trouble {
    times: u32,
    /// By the monotonic clock.
    until: Duration,
    refused: Option<Refusal>,
}

/// What came of one look at one object.
struct Progress {
    changed: bool,
    again: bool,
    at_rest: bool,
    wake: Option<Timestamp>,
}

impl<E: Edge> Reconciler<E> {
    pub fn new(actor: Actor<E>, caches: Caches, events: Events, metrics: Metrics, polling_interval: Duration) -> Self {
        Self {
            actor,
            caches,
            events,
            metrics,
            polling_interval,
            manager: None,
            busy: true,
            known: BTreeMap::new(),
            surplus: false,
            nodes: Nodes::default(),
            knowledge: Knowledge::default(),
            quiet: QUICK,
            doubt: (Duration::ZERO, FIRST_DOUBT),
            troubles: HashMap::new(),
            barred: Arc::default(),
        }
    }

    /// Does what can be done now, and says when to look again.
    pub async fn pass(&mut self) -> Duration {
        let started = self.clock().monotonic();
        let (changed, at_rest, wake) = self.look().await;
        self.metrics.pass(self.clock().monotonic().saturating_sub(started));
        self.busy = !at_rest;
        self.quiet = if changed { QUICK } else { (self.quiet * 3 / 2).min(SLOW) };
        self.doubt(changed || at_rest);
        let pause = if at_rest { self.polling_interval } else { self.quiet };
        let wake = wake.map(|wake| {
            let left = wake.duration_since(self.clock().now());
            Duration::try_from(left).unwrap_or(Duration::ZERO).max(Duration::from_millis(10))
        });
        wake.map_or(pause, |wake| pause.min(wake))
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let cluster = self.caches.cluster.get(&self.actor.cluster);
        let cluster = cluster.iter().map(|cluster| (Self::uid(cluster.as_ref()), version(cluster.as_ref())));
        let jobs = self.caches.jobs.all();
        cluster.chain(jobs.iter().map(|job| (Self::uid(job.as_ref()), version(job.as_ref())))).collect()
    }

    /// Whether somebody else has written the object since Flink was asked, perhaps another supervisor: what Flink said is no news then.
    fn is_overtaken(&self, object: &impl Resource) -> bool {
        self.known.get(&Self::uid(object)) != Some(&version(object))
    }

    /// What is waited for and does not come may have been told, and lost.
    fn doubt(&mut self, well: bool) {
        let now = self.clock().monotonic();
        let (due, patience) = self.doubt;
        if well {
            self.doubt = (now + FIRST_DOUBT, FIRST_DOUBT);
        } else if now >= due {
            let patience = (patience * 2).min(LONGEST_DOUBT);
            self.doubt = (now + patience, patience);
            self.caches.list_again();
        }
    }

    async fn look(&mut self) -> (bool, bool, Option<Timestamp>) {
        let mut changed = false;
        let mut at_rest = true;
        let mut wake: Option<Timestamp> = None;
        let mut note = |progress: &Progress| {
            changed |= progress.changed;
            at_rest &= progress.at_rest;
            wake = match (wake, progress.wake) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        };
        let Some((cluster, facts)) = self.cluster() else {
            self.manager = None;
            return (false, true, None);
        };
        self.follow(&cluster, &facts).await;
        let names = self.caches.jobs.names();
        self.knowledge.keep(&names);
        note(&self.on(None).await);
        for name in &names {
            note(&self.on(Some(name)).await);
        }
        (changed, at_rest, wake)
    }

    fn clock(&self) -> &Clock {
        self.actor.edge.clock()
    }

    fn cluster(&mut self) -> Option<(Arc<Parsed<FlinkCluster>>, Arc<ClusterFacts>)> {
        let object = self.caches.cluster.get(&self.actor.cluster)?;
        let facts = self.knowledge.cluster(&object)?;
        Some((object, facts))
    }

    fn job(&mut self, name: &str) -> Option<(Arc<Parsed<FlinkJob>>, Arc<JobFacts>)> {
        let object = self.caches.jobs.get(name)?;
        let facts = self.knowledge.job(name, &object)?;
        Some((object, facts))
    }

    fn uid(object: &impl Resource) -> String {
        object.meta().uid.clone().unwrap_or_default()
    }

    /// Speaks to the JobManager that lives now, and asks it as often as matters.
    async fn follow(&mut self, cluster: &Parsed<FlinkCluster>, facts: &ClusterFacts) {
        self.nodes.look(&self.actor.edge, &self.caches.pods.all()).await;
        let now = self.clock().now();
        let Ok(record) = &facts.record else { return };
        let pods = observe::pods(&self.caches, &self.nodes, &Self::uid(cluster));
        let current =
            observe::current_job_manager(record, &pods).and_then(|pod| Some((pod.uid.clone(), pod.address.clone()?)));
        let versions = self.versions();
        let Some((uid, address)) = current else {
            self.manager = None;
            self.known = versions;
            return;
        };
        if self.manager.as_ref().is_none_or(|manager| manager.uid != uid) {
            self.manager = Some(JobManager::new(&uid, &address, &self.actor.edge));
        }
        let age = match (self.known == versions, self.busy) {
            (false, _) => Duration::ZERO,
            (true, true) => QUICK / 2,
            (true, false) => self.polling_interval,
        };
        if let Some(manager) = &mut self.manager {
            if manager.refresh(age, self.surplus, now).await {
                self.known = versions;
            }
            self.metrics.flink(manager.flink.known().is_some());
        }
    }

    fn views(&mut self) -> Vec<JobView> {
        let names = self.caches.jobs.names();
        names.iter().filter_map(|name| self.job(name).map(|(_, facts)| facts.view.clone())).collect()
    }

    /// Steps on the cluster, or on one of its jobs, as long as the next step follows at once.
    async fn on(&mut self, job: Option<&str>) -> Progress {
        let mut total = Progress { changed: false, again: true, at_rest: true, wake: None };
        let name = job.unwrap_or(&self.actor.cluster).to_owned();
        for _ in 0..STEPS {
            if self.pausing(&name, &mut total) {
                break;
            }
            let progress = match job {
                None => self.step_cluster().await,
                Some(name) => self.step_job(name).await,
            };
            match progress {
                Ok(progress) => {
                    self.troubles.remove(&name);
                    total = Progress { changed: total.changed || progress.changed, ..progress };
                }
                Err(error) => {
                    let about = match job {
                        None => self.cluster().map(|(cluster, _)| cluster.object_ref(&())),
                        Some(name) => self.job(name).map(|(job, _)| job.object_ref(&())),
                    };
                    self.trouble(&name, about, &error);
                    total.again = true;
                }
            }
            if !total.again {
                break;
            }
        }
        total
    }

    async fn step_cluster(&mut self) -> Result<Progress, Error> {
        let idle = Progress { changed: false, again: false, at_rest: true, wake: None };
        let Some((cached, known)) = self.cluster() else { return Ok(idle) };
        let Some(object) = cached.valid() else { return Ok(idle) };
        if self.is_overtaken(object) {
            return Ok(stale());
        }
        let record = match &known.record {
            Ok(record) => record,
            Err(error) => {
                self.unreadable(&object.object_ref(&()), error);
                if is_forced(&object.metadata) {
                    self.actor.on_cluster(object, &cluster::Effect::RemoveFinalizer, None).await?;
                }
                return Ok(idle);
            }
        };
        if observe::has_leftover(&object.metadata, object.status.as_ref().is_some_and(|status| status.record.is_some()))
        {
            self.actor.forget_leftover(object).await?;
            return Ok(stale());
        }
        let now = self.clock().now();
        let uid = Self::uid(object);
        let pods = observe::pods(&self.caches, &self.nodes, &uid);
        let observed = cluster::Observed {
            record,
            desired: &known.desired,
            service: observe::service(&self.caches, &names::job_manager_service(&self.actor.cluster), &uid),
            jobs: self.views(),
            flink: self.answer(record, &pods, |manager| manager.overview(now), now),
            pods,
            now,
        };
        let step = self.actor.edge.decide_cluster(&observed);
        self.surplus = matches!(step.waiting, cluster::Waiting::Idle { .. });
        let facts = cluster::status::Facts {
            generation: object.metadata.generation,
            selector: api::labels::scale_selector(&self.actor.cluster),
            service_mode: object.spec.job_manager.service_mode(),
            digest: known.digest.clone(),
            refused: self.refused(&self.actor.cluster),
        };
        let nothing = FlinkClusterStatus::default();
        let before = object.status.as_ref().unwrap_or(&nothing);
        let status = cluster::status::status(before, &observed, &step, &facts);
        let changed = object.status.is_none() || matches!(&status, Cow::Owned(after) if after != before);
        let mut written = None;
        if changed {
            let (metadata, spec) = (object.metadata.clone(), object.spec.clone());
            match self.write(&FlinkCluster { metadata, spec, status: Some(status.into_owned()) }).await? {
                Written::Written(answer) => {
                    self.known.insert(Self::uid(&answer), version(&answer));
                    let answer = Arc::new(Parsed::Valid(Box::new(answer)));
                    self.caches.cluster.learn(Arc::clone(&answer));
                    written = Some(answer);
                }
                Written::Conflict | Written::Gone => return Ok(stale()),
            }
        }
        self.tell(object, &step.notices);
        self.tell(object, cluster::status::new_trouble(before, &step).as_slice());
        let object = written.as_deref().and_then(Parsed::valid).unwrap_or(object);
        for effect in &step.effects {
            self.actor.on_cluster(object, effect, self.manager.as_ref()).await?;
        }
        Ok(Progress {
            changed: changed || !step.effects.is_empty(),
            // What was done is seen first: the same step again would do it again.
            again: step.waiting == cluster::Waiting::Next && step.effects.is_empty(),
            at_rest: cluster::status::at_rest(&step.waiting)
                && step.effects.is_empty()
                && step.record.command.is_none(),
            wake: step.wake,
        })
    }

    fn answer<T: Clone>(
        &self,
        record: &api::record::ClusterRecord,
        pods: &[PodView],
        read: impl Fn(&JobManager<E::Flink>) -> Reading<T>,
        now: Timestamp,
    ) -> Reading<T> {
        let current = observe::current_job_manager(record, pods).map(|pod| &pod.uid);
        match &self.manager {
            Some(manager) if Some(&manager.uid) == current => read(manager),
            _ => Reading::Unknown { why: "there is no JobManager yet".into(), since: now },
        }
    }

    async fn step_job(&mut self, name: &str) -> Result<Progress, Error> {
        let idle = Progress { changed: false, again: false, at_rest: true, wake: None };
        let (Some((cached, known)), Some((owner, owner_known))) = (self.job(name), self.cluster()) else {
            return Ok(idle);
        };
        let Some(object) = cached.valid() else { return Ok(idle) };
        if self.is_overtaken(object) || self.is_overtaken(owner.as_ref()) {
            return Ok(stale());
        }
        let (record, cluster_record) = match (&known.record, &owner_known.record) {
            (Ok(record), Ok(cluster_record)) => (record, cluster_record),
            (Err(error), _) | (_, Err(error)) => {
                self.unreadable(&object.object_ref(&()), error);
                if is_forced(&object.metadata) {
                    self.actor.on_job(object, &job::Effect::RemoveFinalizer, None, None).await?;
                }
                return Ok(idle);
            }
        };
        if observe::has_leftover(&object.metadata, object.status.as_ref().is_some_and(|status| status.record.is_some()))
        {
            self.actor.forget_leftover(object).await?;
            return Ok(stale());
        }
        let now = self.clock().now();
        let mut desired = known.desired.clone();
        if desired.savepoint_target.is_empty()
            && let Some(directory) = self.manager.as_ref().and_then(JobManager::savepoint_directory)
        {
            // Named, so that a stop has a directory of its own below it.
            directory.clone_into(&mut desired.savepoint_target);
        }
        let pods = observe::pods(&self.caches, &self.nodes, &Self::uid(owner.as_ref()));
        let foreign = observe::foreign_pods(&self.caches, &Self::uid(owner.as_ref()));
        let jobs = self.views();
        let most = cluster::most_slots(&owner_known.desired);
        let slots = |registered| observe::slots(&jobs, name, registered, most);
        let mut view = observe::cluster_of(
            cluster_record,
            (&pods, owner_known.desired.node_lost_timeout),
            foreign,
            slots,
            self.manager.as_ref(),
            now,
        );
        let short = names::short_job_name(&self.actor.cluster, name).unwrap_or(name);
        let bootstrap = observe::bootstrap(&self.caches, &self.actor.cluster, short, &desired.uid);
        let checkpoints = self.execution(record, &mut view, now).await;
        let observed = job::Observed {
            record,
            desired: &desired,
            bootstrap,
            checkpoints,
            operation: observe::operation(record, &desired.savepoint_target, self.manager.as_ref()).await,
            disposal: observe::disposal(record, self.manager.as_ref()).await,
            jars: observe::jars(record, &desired.uid, self.manager.as_mut()),
            in_place: observe::in_place(record, desired.parallelism, self.manager.as_ref(), now).await,
            evidence: observe::evidence(record, desired.recovery_mode, &view, self.manager.as_ref(), now).await,
            cluster: view,
            now,
        };
        let step = self.actor.edge.decide_job(&observed);
        let facts = job::status::Facts {
            generation: object.metadata.generation,
            cluster: self.actor.cluster.clone(),
            selector: api::labels::scale_selector(&self.actor.cluster),
            digest: known.digest.clone(),
            refused: self.refused(name),
        };
        let nothing = FlinkJobStatus::default();
        let before = object.status.as_ref().unwrap_or(&nothing);
        let status = job::status::status(before, &observed, &step, &facts);
        let changed = object.status.is_none() || matches!(&status, Cow::Owned(after) if after != before);
        let mut written = None;
        if changed {
            let (metadata, spec) = (object.metadata.clone(), object.spec.clone());
            match self.write(&FlinkJob { metadata, spec, status: Some(status.into_owned()) }).await? {
                Written::Written(answer) => {
                    self.known.insert(Self::uid(&answer), version(&answer));
                    let answer = Arc::new(Parsed::Valid(Box::new(answer)));
                    self.caches.jobs.learn(Arc::clone(&answer));
                    written = Some(answer);
                }
                Written::Conflict | Written::Gone => return Ok(stale()),
            }
        }
        self.tell(object, &step.notices);
        self.tell(object, job::status::new_trouble(before, &step).as_slice());
        let address = observed.cluster.job_manager.as_ref().map(|manager| manager.address.clone());
        let object = written.as_deref().and_then(Parsed::valid).unwrap_or(object);
        for effect in &step.effects {
            self.actor.on_job(object, effect, self.manager.as_ref(), address.as_deref()).await?;
        }
        Ok(Progress {
            changed: changed || !step.effects.is_empty(),
            again: step.waiting == job::Waiting::Next && step.effects.is_empty(),
            at_rest: job::status::at_rest(&step.waiting) && step.effects.is_empty() && step.record.command.is_none(),
            wake: step.wake,
        })
    }

    /// Asks what only matters for the execution of one job: where its checkpoints are, and why it failed.
    async fn execution(
        &mut self,
        record: &api::record::JobRecord,
        view: &mut job::Cluster,
        now: Timestamp,
    ) -> Reading<api::record::Checkpoints> {
        use api::record::JobPhase;
        let unknown = |why: &str| Reading::Unknown { why: why.to_owned(), since: now };
        let (Some(attempt), Some(manager)) = (&record.attempt, &mut self.manager) else {
            return unknown("there is no execution");
        };
        if manager.uid != attempt.incarnation.uid
            || !matches!(record.phase, JobPhase::Submitting { .. } | JobPhase::Running | JobPhase::Stopping { .. })
        {
            return unknown("there is no execution");
        }
        let Reading::Known(jobs) = &mut view.jobs else { return unknown("the JobManager does not answer") };
        let Some(job) = jobs.iter_mut().find(|job| job.id == attempt.job_id) else {
            return unknown("Flink does not list the job");
        };
        if job.state == "FAILED" && job.failure.is_none() {
            job.failure = manager.failure(&attempt.job_id).await;
        }
        manager.checkpoints(attempt, now).await
    }

    async fn write<K: Kind>(&self, object: &K) -> Result<Written<K>, CallError> {
        self.metrics.write();
        let answer = self.actor.edge.kubernetes().replace_status(object).await;
        let denied = answer.as_ref().err().and_then(CallError::status).filter(|status| status.code == 403);
        *self.barred.lock().unwrap_or_else(PoisonError::into_inner) = denied.map(|status| status.message.clone());
        answer
    }

    /// What Kubernetes refused to do for the object, when it was last tried.
    fn refused(&self, name: &str) -> Option<Refusal> {
        self.troubles.get(name)?.refused.clone()
    }

    fn tell(&self, object: &impl Resource<DynamicType = ()>, notices: &[Notice]) {
        for notice in notices {
            let about = object.object_ref(&());
            if notice.warning {
                self.events.warning(&about, notice.reason, notice.message.clone());
            } else {
                self.events.normal(&about, notice.reason, notice.message.clone());
            }
        }
    }

    fn unreadable(&self, about: &ObjectReference, error: &serde_json::Error) {
        let message = format!("status.record cannot be read, nothing is done until it can: {error}");
        self.events.warning(about, "RecordUnreadable", message);
    }

    /// Whether an error of the object is too recent to try again.
    fn pausing(&self, name: &str, total: &mut Progress) -> bool {
        let Some(trouble) = self.troubles.get(name) else { return false };
        let left = trouble.until.saturating_sub(self.clock().monotonic());
        if left.is_zero() {
            return false;
        }
        let wake = self.clock().now() + left;
        total.wake = Some(total.wake.map_or(wake, |known| known.min(wake)));
        total.at_rest &= trouble.times > 3;
        true
    }

    fn trouble(&mut self, name: &str, about: Option<ObjectReference>, error: &Error) {
        let times = self.troubles.get(name).map_or(0, |trouble| trouble.times);
        let pause = (QUICK * 2u32.saturating_pow(times.min(12))).min(LONGEST_PAUSE);
        let trouble = Trouble { times: times + 1, until: self.clock().monotonic() + pause, refused: error.refusal() };
        self.troubles.insert(name.to_owned(), trouble);
        self.metrics.error();
        let message = kit::chain(error);
        // The first one is often a JobManager or API server that is about to answer again.
        if let Some(about) = about.filter(|_| times > 2) {
            self.events.warning(&about, error.reason(), message);
        } else {
            tracing::info!(object = name, error = message, "it is tried again");
        }
    }
}

/// Whether an object whose record says nothing is to be let go all the same.
fn is_forced(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && api::annotations::force_delete(meta.annotations.as_ref())
}

fn version(object: &impl Resource) -> String {
    object.meta().resource_version.clone().unwrap_or_default()
}

/// Somebody wrote first; the watch brings what.
fn stale() -> Progress {
    Progress { changed: true, again: false, at_rest: false, wake: None }
}
