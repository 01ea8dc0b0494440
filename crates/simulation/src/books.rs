//! What is remembered of what happened, and the invariants that are checked when it does.
//!
//! The numbers are those of `docs/reliability.md`. Each invariant is about what really happened: writes that the API server took, orders
//! that a JobManager took, output that was committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use api::record::{JobPhase, Restore};
use api::{labels, names};
use flink::{JobId, TriggerId};

use crate::objects::{Kind, Object, Stage, controller, label, role};
use crate::state::{Id, State};

/// Writes of one object within a minute that are still ordinary.
const WRITES_A_MINUTE: usize = 120;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
    pub at: Duration,
}

#[derive(Debug, Default)]
pub struct Books {
    pub violations: Vec<Violation>,
    /// Flink ids of jobs that a JobManager accepted.
    pub accepted: BTreeSet<String>,
    /// How many objects of a kind and role were created and deleted by processes of ours.
    pub created: BTreeMap<String, u32>,
    pub deleted: BTreeMap<String, u32>,
    /// Status writes of our processes.
    pub writes: u64,
    pub last_write: Duration,
    recent: BTreeMap<String, VecDeque<Duration>>,
    /// Greatest attempt, incarnation and generation that a status told of, by uid.
    told: BTreeMap<String, [u64; 2]>,
    /// Whether the user allowed that jobs start without their newest state.
    pub waived: bool,
    /// Only savepoints count for a job.
    pub savepoints_only: bool,
    /// Two supervisors of one cluster are at work: they may contradict each other for as long.
    pub split: bool,
    pub memory: crate::invariants::Memory,
    /// Uids of what a call has made that nobody waited for any more.
    belated: BTreeSet<String>,
    starts: usize,
    facts: usize,
}

impl Books {
    pub fn violate(&mut self, invariant: &'static str, what: String) {
        if self.violations.len() < 8 {
            self.violations.push(Violation { invariant, what, at: Duration::ZERO });
        }
    }
}

fn called(object: &Object) -> String {
    format!("{:?} {}", object.kind(), role(object.meta()))
}

impl State {
    /// A process of ours has created an object.
    pub fn created(&mut self, me: Id, object: &Object) {
        *self.books.created.entry(called(object)).or_default() += 1;
        if self.belated {
            self.books.belated.extend(object.meta().uid.clone());
        }
        self.s07_intent_before_bootstrap(object);
        self.s12_owned(me, object);
        self.s15_no_resurrection(me, object);
    }

    /// A process of ours has deleted an object.
    pub fn deleted(&mut self, me: Id, object: &Object, meant: &str) {
        if object.meta().uid.as_deref() != Some(meant) {
            let name = object.meta().name.as_deref().unwrap_or_default();
            self.books.violate("S10", format!("{me} deleted {name}, but meant another one of that name"));
        }
        *self.books.deleted.entry(called(object)).or_default() += 1;
        self.s10_identity(me, object);
        self.s11_fresh_before_destructive(me, object);
    }

    /// A status of ours was written.
    pub fn wrote_status(&mut self, me: Id, object: &Object) {
        let now = self.server.now;
        self.books.writes += 1;
        self.books.last_write = now;
        let name = object.meta().name.clone().unwrap_or_default();
        self.s24_no_hot_loop(name, now);
        self.s08_facts_do_not_go_back(me, object);
        if let Some(job) = object.job() {
            self.said_of_job(me, job);
        }
    }

    /// A finalizer of ours was removed.
    pub fn released(&mut self, me: Id, object: &Object, finalizer: &str) {
        self.s14_nothing_lives_when_released(me, object, finalizer);
    }

    /// An operation is about to be ordered.
    pub fn ordered(&mut self, job: &JobId, trigger: &TriggerId) {
        self.s07_intent_before_order(job, trigger);
    }

    /// What is checked after every event.
    pub fn check(&mut self) {
        let now = self.server.time();
        self.flink.advance(now);
        self.look_at_the_living();
        self.s01_single_execution();
        self.s03_no_step_back();
    }

    /// What is checked when pods have changed.
    pub fn check_pods(&mut self) {
        self.s12_bounded();
    }

    /// S1: at most one live execution of a job; its output is committed once.
    fn s01_single_execution(&mut self) {
        let facts = self.flink.ledger().facts();
        for fact in facts.get(self.books.facts..).unwrap_or_default() {
            let invariant = match fact {
                crate::flink::Fact::Together { .. } => "S1",
                crate::flink::Fact::Lost { .. } | crate::flink::Fact::Twice { .. } => "S3",
            };
            if invariant == "S1" || !(self.books.waived || self.books.savepoints_only) {
                self.books.violations.push(Violation { invariant, what: fact.to_string(), at: self.server.now });
            }
        }
        self.books.facts = facts.len();
    }

    /// S2: an attempt is accepted once.
    pub fn accepted(&mut self, id: &str) {
        if !self.books.accepted.insert(id.to_owned()) {
            self.books.violate("S2", format!("{id} was accepted twice"));
        }
        self.s15_no_submission_for_the_dead(id);
    }

    /// S21: an order gets to the JobManager that is meant.
    pub fn s21_right_target(&mut self, me: Id, meant: Option<&str>, pod: &str) {
        if meant != Some(pod) {
            self.books.violate("S21", format!("{me} gave an order to pod {pod}, meant was {meant:?}"));
        }
    }

    /// S3: a job starts from the newest state that there is.
    fn s03_no_step_back(&mut self) {
        let starts = self.flink.ledger().starts();
        for start in starts.get(self.books.starts..).unwrap_or_default() {
            let newest = if self.books.savepoints_only {
                let saved = self.flink.storage().complete();
                saved
                    .filter(|(_, one)| one.savepoint && one.logical == start.logical)
                    .map(|(_, one)| one.position)
                    .max()
            } else {
                None
            };
            let back = match self.books.savepoints_only {
                true => newest.is_some_and(|newest| start.position < newest),
                false => start.steps_back(),
            };
            if back && !self.books.waived {
                let what = format!(
                    "{} starts from {:?} at {}, but there is {:?} and {} were committed",
                    start.execution, start.from, start.position, start.newest, start.committed
                );
                self.books.violations.push(Violation { invariant: "S3", what, at: self.server.now });
            }
        }
        self.books.starts = starts.len();
    }

    /// S7: the attempt that a bootstrap submits is in the record of its job before.
    fn s07_intent_before_bootstrap(&mut self, object: &Object) {
        let Object::Plain(plain) = object else { return };
        if plain.kind != Kind::Bootstrap {
            return;
        }
        let arguments = crate::objects::arguments(&plain.manifest["spec"]["template"]["spec"]);
        let id = arguments.iter().find_map(|argument| argument.strip_prefix("--job-id="));
        let owner = controller(&plain.metadata).and_then(|uid| self.server.by_uid(uid));
        // An owner that is gone takes its bootstrap with it.
        let Some(job) = owner.and_then(Object::job) else { return };
        let record = lifecycle::job::status::record(job).unwrap_or_default();
        let known = record.attempt.as_ref().is_some_and(|attempt| Some(attempt.job_id.as_str()) == id);
        if !known {
            let what = format!("a bootstrap for {id:?} was created, the record says {:?}", record.attempt);
            self.books.violate("S7", what);
        }
    }

    /// S7: an operation is in the record of its job before it is ordered.
    fn s07_intent_before_order(&mut self, job: &JobId, trigger: &TriggerId) {
        let jobs = self.server.all(Kind::Job).filter_map(Object::job);
        let known = jobs.filter_map(|job| job.status.as_ref()?.record.as_ref()).any(|record| {
            let text = record.to_string();
            text.contains(trigger.as_str()) && text.contains(job.as_str())
        });
        if !known {
            let gone = !self.server.all(Kind::Job).any(|_| true);
            // A record that was overtaken meanwhile had it.
            let was = self.server.log.iter().any(|change| {
                change.object.job().is_some_and(|job| {
                    let record = job.status.as_ref().and_then(|status| status.record.as_ref());
                    record.is_some_and(|record| record.to_string().contains(trigger.as_str()))
                })
            });
            if !gone && !was {
                self.books.violate("S7", format!("operation {trigger} of {job} was ordered, but is in no record"));
            }
        }
    }

    /// S8: attempts and incarnations only grow.
    fn s08_facts_do_not_go_back(&mut self, me: Id, object: &Object) {
        let uid = object.meta().uid.clone().unwrap_or_default();
        let numbers = match object {
            Object::Job(job) => {
                let record = lifecycle::job::status::record(job).unwrap_or_default();
                let generation = job.status.as_ref().and_then(|status| status.observed_generation).unwrap_or_default();
                [record.attempt.map_or(0, |attempt| attempt.number), generation.cast_unsigned()]
            }
            Object::Cluster(cluster) => {
                let record = lifecycle::cluster::status::record(cluster).unwrap_or_default();
                let generation = cluster.status.as_ref().and_then(|status| status.observed_generation);
                [u64::from(record.incarnation), generation.unwrap_or_default().cast_unsigned()]
            }
            _ => return,
        };
        let before = self.books.told.insert(uid, numbers).unwrap_or_default();
        if numbers.iter().zip(before).any(|(now, before)| *now < before) {
            let name = object.meta().name.as_deref().unwrap_or_default();
            self.books.violate("S8", format!("{me} wrote {numbers:?} to {name} after {before:?}"));
        }
    }

    /// S10: only what is a cluster's or job's own is deleted.
    fn s10_identity(&mut self, me: Id, object: &Object) {
        let own = match (me, object.kind()) {
            (Id::Operator(_), _) | (_, Kind::Deployment | Kind::Cluster | Kind::Job) => true,
            _ => controller(object.meta()).is_some_and(|uid| {
                let owner = self.server.by_uid(uid);
                // Of an owner that is gone, whatever it left.
                owner.is_none_or(|owner| {
                    let name = owner.meta().name.as_deref().unwrap_or_default();
                    let cluster = label(object.meta(), labels::CLUSTER_NAME).unwrap_or_default();
                    name == cluster || names::short_job_name(cluster, name).is_some()
                })
            }),
        };
        if !own {
            let name = object.meta().name.as_deref().unwrap_or_default();
            self.books.violate("S10", format!("{me} deleted {:?} {name}, which is not its own", object.kind()));
        }
    }

    /// S12: every object has an owner.
    fn s12_owned(&mut self, me: Id, object: &Object) {
        let child = matches!(object.kind(), Kind::Pod | Kind::Service | Kind::Bootstrap | Kind::Supervisor);
        if child && controller(object.meta()).is_none() {
            self.books.violate("S12", format!("{me} created {}, which nobody owns", called(object)));
        }
    }

    /// S12: one JobManager of a cluster at a time, and not more TaskManagers than are allowed.
    fn s12_bounded(&mut self) {
        let mut managers: BTreeMap<&str, u32> = BTreeMap::new();
        let record = |cluster: &api::FlinkCluster| lifecycle::cluster::status::record(cluster).ok();
        let mut clusters = self.server.all(Kind::Cluster).filter_map(Object::cluster).filter_map(record);
        let available = clusters.any(|record| record.highly_available);
        for pod in self.server.all(Kind::Pod).filter_map(Object::pod) {
            let alive = !matches!(pod.stage, Stage::Over { .. }) && !pod.silent;
            let known = |uids: &BTreeSet<String>| pod.metadata.uid.as_ref().is_some_and(|uid| uids.contains(uid));
            // One that was replaced ends once its node is back, or only one of two leads.
            let replaced = known(&self.server.returned) || available;
            let returned = pod.metadata.deletion_timestamp.is_some() && replaced;
            // A creation that comes late cannot be prevented; the pod is removed when it is seen.
            let alive = alive && !returned && !known(&self.books.belated);
            if alive && role(&pod.metadata) == "jobmanager" {
                *managers.entry(label(&pod.metadata, labels::CLUSTER_NAME).unwrap_or_default()).or_default() += 1;
            }
        }
        if let Some((cluster, count)) = managers.iter().find(|(_, count)| **count > 1) {
            let what = format!("cluster {cluster} has {count} JobManagers");
            self.books.violations.push(Violation { invariant: "S12", what, at: self.server.now });
        }
    }

    /// S14: a job is released when nothing of it lives.
    fn s14_nothing_lives_when_released(&mut self, me: Id, object: &Object, finalizer: &str) {
        let Some(job) = object.job().filter(|job| job.metadata.deletion_timestamp.is_some()) else { return };
        if finalizer != names::SUPERVISOR_FINALIZER || matches!(me, Id::Operator(_)) {
            return;
        }
        let now = self.server.time();
        self.flink.advance(now);
        let uid = job.metadata.uid.clone().unwrap_or_default();
        let ids: Vec<String> = (0..64).map(|attempt| lifecycle::ids::job_id(&uid, attempt)).collect();
        let lives = self.flink.live().find(|live| ids.iter().any(|id| id == live.execution.as_str()));
        if let Some(live) = lives {
            let what = format!("{me} released the job while {} lives", live.execution);
            self.books.violate("S14", what);
        }
    }

    /// S24: no object is written again and again.
    fn s24_no_hot_loop(&mut self, name: String, now: Duration) {
        let what = format!("{name} was written more than {WRITES_A_MINUTE} times in a minute");
        let recent = self.books.recent.entry(name).or_default();
        recent.push_back(now);
        while recent.front().is_some_and(|first| now.saturating_sub(*first) > Duration::from_mins(1)) {
            recent.pop_front();
        }
        if recent.len() > WRITES_A_MINUTE && !self.books.split {
            self.books.violate("S24", what);
        }
    }

    /// S4: a job that was stopped with a savepoint has all that it committed in it.
    pub fn s04_stop_means_saved(&mut self) {
        if self.books.waived || self.books.savepoints_only {
            return;
        }
        let jobs: Vec<_> = self.server.all(Kind::Job).filter_map(Object::job).cloned().collect();
        for job in jobs {
            let record = lifecycle::job::status::record(&job).unwrap_or_default();
            let (JobPhase::Ended { end: api::record::End::Stopped, .. }, Restore::Savepoint { path }) =
                (&record.phase, &record.restore)
            else {
                continue;
            };
            let Some(attempt) = &record.attempt else { continue };
            let ledger = self.flink.ledger();
            let Some(start) = ledger.starts().iter().rev().find(|start| start.execution.as_str() == attempt.job_id)
            else {
                continue;
            };
            let committed = ledger.committed(start.logical);
            let saved = self.flink.storage().get(path).map(|snapshot| snapshot.position);
            if saved.is_none_or(|saved| saved < committed) {
                let what = format!("{path} holds {saved:?}, but {committed} were committed");
                self.books.violations.push(Violation { invariant: "S4", what, at: self.server.now });
            }
        }
    }
}
