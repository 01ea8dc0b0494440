//! More invariants, with the numbers of `docs/reliability.md`: about what our processes knew when they acted, and about what they say.
//!
//! Each looks only at what has just changed.

use std::collections::BTreeMap;
use std::time::Duration;

use api::RestartPolicy;
use api::annotations::{Action, NONE, REQUESTED_ACTION};
use api::conditions::READY;
use api::record::{ClusterPhase, ClusterRecord, End, JobPhase, JobRecord};
use api::{FlinkJob, labels};
use flink::{JobId, Operation, TriggerId};

use crate::objects::{Kind, Object, Stage, controller, label, role};
use crate::server::{Answer, Server};
use crate::state::{Id, State};
use crate::supervisors::UNREADABLE;

/// How old a view may be at most: watches are frozen for up to a minute, and calls may take as long as that.
const STALE: Duration = Duration::from_secs(110);
/// How long the end of a job goes unnoticed at most when nothing is amiss: a round of polling, and Flink's own cache.
const NOTICED: Duration = Duration::from_secs(15);

/// JARs of bootstraps that have died may lie around until a job runs or ends.
const JARS: usize = 2;
/// What lies between an answer and the first that does not come.
const SLACK: Duration = Duration::from_secs(15);

/// What these invariants remember.
#[derive(Debug, Default)]
pub struct Memory {
    /// When a process last heard from the JobManager of a pod.
    heard: BTreeMap<(Id, String), Duration>,
    /// When tasks of an execution last lived.
    lived: BTreeMap<String, Duration>,
    /// The last record that was written of a job, by uid.
    records: BTreeMap<String, JobRecord>,
    /// The last stop that was ordered of an execution, and to which JobManager.
    stops: BTreeMap<String, (TriggerId, String)>,
    /// Since when a job cannot be read.
    pub unreadable: Duration,
}

impl State {
    /// A JobManager has answered a process.
    pub fn heard(&mut self, me: Id, pod: &str) {
        let now = self.server.now;
        self.books.memory.heard.insert((me, pod.to_owned()), now);
    }

    /// Which executions live.
    pub fn look_at_the_living(&mut self) {
        let (now, lived) = (self.server.now, &mut self.books.memory.lived);
        for live in self.flink.live() {
            match lived.get_mut(live.execution.as_str()) {
                Some(last) => *last = now,
                None => {
                    lived.insert(live.execution.to_string(), now);
                }
            }
        }
    }

    fn lived_within(&self, execution: &str, time: Duration) -> bool {
        let last = self.books.memory.lived.get(execution);
        last.is_some_and(|last| self.server.now.saturating_sub(*last) <= time)
    }

    /// S5: neither the newest state of a job is deleted, nor what its last execution was started from.
    pub fn s05_protected(&mut self, me: Id, path: &str) {
        let (storage, ledger) = (self.flink.storage(), self.flink.ledger());
        let Some(one) = storage.get(path) else { return };
        let newest = storage.newest(one.logical).is_some_and(|(_, newest)| newest == one);
        let start = ledger.starts().iter().rev().find(|start| start.logical == one.logical);
        let base = start.and_then(|start| storage.get(start.from.as_deref()?)).is_some_and(|base| base == one);
        if newest || base {
            self.books.violate("S5", format!("{me} deletes {path}, which a job may still need"));
        }
    }

    /// S9: a status is written on top of the version that was read.
    pub fn s09_fenced(&mut self, me: Id, sent: &Object) {
        if sent.meta().resource_version.is_none() {
            let name = sent.meta().name.as_deref().unwrap_or_default();
            self.books.violate("S9", format!("{me} wrote the status of {name} whatever it was"));
        }
    }

    /// S11, S22: a JobManager that is not to stop is given up only by who has not heard from it for as long as is configured, whatever
    /// clocks and caches say.
    pub fn s11_fresh_before_destructive(&mut self, me: Id, object: &Object) {
        let Some(pod) = object.pod().filter(|pod| role(&pod.metadata) == "jobmanager") else { return };
        if pod.stage != Stage::Running || pod.metadata.deletion_timestamp.is_some() {
            return;
        }
        let name = label(&pod.metadata, labels::CLUSTER_NAME).unwrap_or_default();
        let Some(cluster) = self.server.get(Kind::Cluster, name).and_then(Object::cluster) else { return };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if self.server.silent.contains_key(&uid) {
            return;
        }
        let record = lifecycle::cluster::status::record(cluster).unwrap_or_default();
        let started = matches!(&record.phase, ClusterPhase::Started { uid: current } if *current == uid);
        if !started || cluster.metadata.deletion_timestamp.is_some() {
            return;
        }
        let timeout = cluster.spec.supervisor.task_timeout().saturating_sub(SLACK);
        let silent = self.books.memory.heard.get(&(me, uid.clone())).map(|last| self.server.now.saturating_sub(*last));
        if let Some(silent) = silent.filter(|silent| *silent < timeout) {
            let what = format!("{me} deleted the JobManager {uid}, which answered {silent:?} ago");
            self.books.violate("S11", what);
        }
    }

    /// A write of one of our processes that is no status.
    pub fn changing<T>(
        &mut self,
        me: Id,
        kind: Kind,
        name: &str,
        write: impl FnOnce(&mut Server) -> Answer<T>,
    ) -> Answer<T> {
        let before = self.server.get(kind, name).cloned();
        let answer = write(&mut self.server);
        let after = self.server.get(kind, name).cloned();
        if let (Ok(_), Some(before), Some(after)) = (&answer, before, after) {
            self.s13_user_fields(me, &before, &after);
        }
        answer
    }

    /// S13: what users declare is theirs. The number of TaskManagers follows jobs, and the operator keeps what it has made from a
    /// deployment.
    pub fn s13_user_fields(&mut self, me: Id, before: &Object, after: &Object) {
        let touched = match (me, before, after) {
            (Id::Operator(_), Object::Deployment(_), _) => !before.same_spec(after),
            (Id::Operator(_), ..) => false,
            (_, Object::Cluster(one), Object::Cluster(other)) => {
                let mut spec = other.spec.clone();
                spec.task_managers = one.spec.task_managers;
                one.spec != spec
            }
            _ => !before.same_spec(after),
        };
        if touched {
            let name = before.meta().name.as_deref().unwrap_or_default();
            self.books.violate("S13", format!("{me} changed what is declared of {:?} {name}", before.kind()));
        }
    }

    /// S15: nothing is made for an object that everybody must know is being deleted.
    pub fn s15_no_resurrection(&mut self, me: Id, object: &Object) {
        let Some(owner) = controller(object.meta()).and_then(|uid| self.server.by_uid(uid)) else { return };
        let Some(since) = &owner.meta().deletion_timestamp else { return };
        let lasts = self.server.time().duration_since(since.0);
        if lasts > jiff::SignedDuration::try_from(STALE).unwrap_or_default() {
            let what = format!("{me} created {:?} for an owner that was deleted {lasts:#} ago", object.kind());
            self.books.violate("S15", what);
        }
    }

    /// S15: nothing is submitted for a job that is gone.
    pub fn s15_no_submission_for_the_dead(&mut self, job: &str) {
        let of = |found: &FlinkJob| {
            let record = lifecycle::job::status::record(found).unwrap_or_default();
            let uid = found.metadata.uid.as_deref().unwrap_or_default();
            let last = record.attempt.map_or(0, |attempt| attempt.number);
            (1..=last).any(|number| lifecycle::ids::job_id(uid, number) == job)
        };
        if !self.server.all(Kind::Job).filter_map(Object::job).any(of) {
            self.books.violate("S15", format!("{job} was accepted, which is of no job that there is"));
        }
    }

    /// S19: a job is stopped by one operation at a time.
    pub fn s19_one_stop_at_a_time(&mut self, job: &JobId, trigger: &TriggerId, pod: &str) {
        let before = self.books.memory.stops.insert(job.to_string(), (trigger.clone(), pod.to_owned()));
        let Some((other, pod)) = before.filter(|(other, _)| other != trigger) else { return };
        let now = self.server.time();
        if matches!(self.flink.savepoint_operation(&pod, job, &other, now), Ok(Operation::InProgress)) {
            self.books.violate("S19", format!("stop {trigger} of {job} was ordered while stop {other} is under way"));
        }
    }

    /// S28: a job that cannot be read runs on.
    pub fn s28_unreadable_is_left_alone(&mut self, me: Id, execution: &JobId) {
        let is = |job: &&FlinkJob| {
            let record = lifecycle::job::status::record(job).unwrap_or_default();
            record.attempt.is_some_and(|attempt| attempt.job_id == execution.as_str())
        };
        let Some(job) = self.server.all(Kind::Job).filter_map(Object::job).find(is) else { return };
        let since = self.books.memory.unreadable;
        let unreadable = job.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(UNREADABLE));
        if unreadable && self.server.now.saturating_sub(since) > STALE {
            self.books.violate("S28", format!("{me} ends {execution}, whose declaration cannot be read"));
        }
    }

    /// What a new status of a job says, against the one before.
    pub fn said_of_job(&mut self, me: Id, job: &FlinkJob) {
        let record = lifecycle::job::status::record(job).unwrap_or_default();
        let uid = job.metadata.uid.clone().unwrap_or_default();
        let before = self.books.memory.records.insert(uid, record.clone()).unwrap_or_default();
        self.s16_terminal_is_terminal(me, job, &before, &record);
        self.s18_rescaled_in_place(&before, &record);
        self.s25_honest(me, job, &record);
        self.l10_end_is_noticed(&before, &record);
    }

    /// S16: a job that has finished, or that a person has stopped, starts again on a person's word only.
    fn s16_terminal_is_terminal(&mut self, me: Id, job: &FlinkJob, before: &JobRecord, now: &JobRecord) {
        let JobPhase::Ended { end: End::Finished | End::Canceled | End::Stopped, .. } = before.phase else { return };
        let starts = matches!(now.phase, JobPhase::Waiting { .. } | JobPhase::Submitting { .. } | JobPhase::Running);
        let told = now.command.as_ref().is_some_and(|command| command.action == Action::Start);
        if starts && !told && job.spec.restart.policy() != RestartPolicy::Always {
            self.books.violate("S16", format!("{me} starts a job again that has ended: {:?}", before.phase));
        }
    }

    /// S18: a parallelism that was changed in place is the one that runs.
    fn s18_rescaled_in_place(&mut self, before: &JobRecord, now: &JobRecord) {
        let (Some(before), Some(now)) = (&before.attempt, &now.attempt) else { return };
        if before.number != now.number || before.parallelism == now.parallelism {
            return;
        }
        let Ok(id) = JobId::try_from(now.job_id.clone()) else { return };
        let runs = self.flink.runs_with(&id);
        if before.job_id != now.job_id || runs.is_some_and(|runs| runs != now.parallelism) {
            let what = format!("{} is told to run with {}, but runs with {runs:?}", now.job_id, now.parallelism);
            self.books.violate("S18", what);
        }
    }

    /// S25: what is Ready runs, or ran as lately as anybody can know.
    fn s25_honest(&mut self, me: Id, job: &FlinkJob, record: &JobRecord) {
        let Some(status) = &job.status else { return };
        let Some(ready) = status.conditions.iter().find(|one| one.type_ == READY && one.status == "True") else {
            return;
        };
        if ready.observed_generation != status.observed_generation {
            let what = format!("{me} says Ready of generation {:?} in a status of another", ready.observed_generation);
            self.books.violate("S25", what);
        }
        let execution = record.attempt.as_ref().map(|attempt| attempt.job_id.clone()).unwrap_or_default();
        self.look_at_the_living();
        let (pod, now) = (record.attempt.as_ref().map(|attempt| attempt.incarnation.uid.clone()), self.server.time());
        let told = pod.and_then(|pod| self.flink.jobs_overview(&pod, now).ok());
        // The loss of a TaskManager is known once Flink has noticed it.
        let told =
            told.is_some_and(|told| told.jobs.iter().any(|job| job.id.as_str() == execution && job.is_fully_running()));
        if !told && !self.lived_within(&execution, STALE) {
            self.books.violate("S25", format!("{me} says Ready, but {execution} does not run"));
        }
    }

    /// L10: the end of a job is noticed soon.
    fn l10_end_is_noticed(&mut self, before: &JobRecord, now: &JobRecord) {
        let (JobPhase::Running, JobPhase::Ended { end: End::Finished, .. }) = (&before.phase, &now.phase) else {
            return;
        };
        let Some(attempt) = now.attempt.as_ref().filter(|_| self.faults.count == 0) else { return };
        if !self.lived_within(&attempt.job_id, NOTICED) {
            self.books.violate("L10", format!("the end of {} was noticed late", attempt.job_id));
        }
    }

    /// L3, L8: what was begun has come to an end, and what was asked for is answered.
    pub fn check_rest(&mut self) {
        let mut bad = Vec::new();
        let supervised = |meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
            meta.deletion_timestamp.is_none() && meta.finalizers.as_ref().is_some_and(|all| !all.is_empty())
        };
        for object in self.server.all(Kind::Job).chain(self.server.all(Kind::Cluster)) {
            let (meta, name) = (object.meta(), object.meta().name.as_deref().unwrap_or_default());
            if !supervised(meta) {
                continue;
            }
            let said = meta.annotations.as_ref().and_then(|all| all.get(REQUESTED_ACTION));
            if let Some(said) = said.filter(|said| *said != NONE) {
                bad.push(("L8", format!("{said} of {name} is neither done nor refused")));
            }
            let under_way = match object {
                Object::Job(job) => job_under_way(&lifecycle::job::status::record(job).unwrap_or_default()),
                Object::Cluster(cluster) => {
                    cluster_under_way(&lifecycle::cluster::status::record(cluster).unwrap_or_default())
                }
                _ => None,
            };
            bad.extend(under_way.map(|what| ("L3", format!("{name} is at rest with {what} under way"))));
        }
        let managers = self.server.all(Kind::Pod).filter_map(Object::pod);
        let managers = managers.filter(|pod| role(&pod.metadata) == "jobmanager" && pod.stage == Stage::Running);
        let uids: Vec<String> = managers.filter_map(|pod| pod.metadata.uid.clone()).collect();
        let now = self.server.time();
        for uid in uids {
            let jars = self.flink.jars(&uid, now).map_or(0, |jars| jars.files.len());
            if jars > JARS {
                bad.push(("S12", format!("{jars} JARs lie on JobManager {uid}")));
            }
        }
        for (invariant, what) in bad {
            self.books.violate(invariant, what);
        }
    }
}

fn job_under_way(record: &JobRecord) -> Option<String> {
    if record.command.as_ref().is_some_and(|command| !command.done) {
        return Some(format!("{:?}", record.command));
    }
    if record.operation.is_some() {
        return Some(format!("{:?}", record.operation));
    }
    match &record.phase {
        JobPhase::Submitting { .. } | JobPhase::Stopping { .. } | JobPhase::Adopting { .. } => {
            Some(format!("{:?}", record.phase))
        }
        _ => None,
    }
}

fn cluster_under_way(record: &ClusterRecord) -> Option<String> {
    if record.command.as_ref().is_some_and(|command| !command.done) {
        return Some(format!("{:?}", record.command));
    }
    match record.phase {
        ClusterPhase::Starting { .. } | ClusterPhase::Stopping { .. } | ClusterPhase::Adopting => {
            Some(format!("{:?}", record.phase))
        }
        _ => None,
    }
}
