//! Mishaps by chance: each seed enables some of them, for a while; then all heals.

use std::time::Duration;

use crate::dice::Dice;
use crate::faults::Chances;
use crate::objects::{Kind, Object};
use crate::scenario::{Act, CLUSTER, JOB};
use crate::world::{Event, World};

/// A class of mishaps; the numbers are those of `docs/reliability.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// T1: processes of ours die at any point.
    Crash,
    /// T2: answers are lost, calls do not get there or come late.
    Lost,
    /// T3, T6: what is watched comes late, is lost, or comes twice.
    Stale,
    /// T4, T7: watches begin anew, from an older state.
    Relist,
    /// T8, T9: refusals, and slow answers.
    Refused,
    /// T13: two supervisors.
    SplitBrain,
    /// T14: supervisors do not reach Flink, or the API server.
    Partition,
    /// T15: JobManagers and TaskManagers end.
    Processes,
    /// T16, T17, T18: savepoints fail, take long, or are not finished.
    Storage,
    /// T20: clocks jump.
    Clock,
    /// T11, T12, T24: people edit, command and delete at any moment.
    People,
    /// T25: somebody deletes pods, Services and bootstraps.
    ThirdParty,
    /// T4: supervisors come back at an API server that lags behind.
    TimeTravel,
    /// T5: what was between two states is never told.
    Unobserved,
    /// T7: watches expire, and the lists that follow break off.
    Expiry,
    /// T10: nothing can be created, for lack of quota.
    Quota,
    /// T12: any field is edited, and deleted jobs are created again.
    Edits,
    /// T19: what high availability keeps is lost, or the leader loses its lease.
    Availability,
    /// T21: calls get there twice.
    Twice,
    /// T25: nodes do not answer.
    Nodes,
    /// T27: another version has written the records.
    Skew,
}

pub const CLASSES: [Class; 21] = [
    Class::Crash,
    Class::Lost,
    Class::Stale,
    Class::Relist,
    Class::Refused,
    Class::SplitBrain,
    Class::Partition,
    Class::Processes,
    Class::Storage,
    Class::Clock,
    Class::People,
    Class::ThirdParty,
    Class::TimeTravel,
    Class::Unobserved,
    Class::Expiry,
    Class::Quota,
    Class::Edits,
    Class::Availability,
    Class::Twice,
    Class::Nodes,
    Class::Skew,
];

pub struct Chaos {
    pub classes: Vec<Class>,
    pub healed: bool,
    /// Somebody wanted something else than the workload does.
    pub meddled: bool,
    dice: Dice,
}

impl Chaos {
    /// Some classes, by the seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xc4a05);
        let share = [120, 250, 500][usize::try_from(dice.below(3)).unwrap_or_default()];
        let mut classes: Vec<Class> = CLASSES.into_iter().filter(|_| dice.permille(share)).collect();
        if classes.is_empty() {
            classes.extend(dice.pick(&CLASSES));
        }
        Self { classes, healed: false, meddled: false, dice }
    }

    fn has(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    pub fn begin(&mut self, world: &mut World) {
        let until = self.dice.millis(15_000, 150_000);
        let rate = [5, 20, 60][usize::try_from(self.dice.below(3)).unwrap_or_default()];
        let chances = |on: bool, rate| if on { rate } else { 0 };
        {
            let mut state = world.state.borrow_mut();
            state.faults.until = until;
            state.faults.chances = Chances {
                crash: chances(self.has(Class::Crash), rate),
                lost: chances(self.has(Class::Lost), rate),
                unsent: chances(self.has(Class::Lost), rate),
                late: chances(self.has(Class::Lost), rate),
                refused: chances(self.has(Class::Refused), rate),
                slow: chances(self.has(Class::Refused), rate),
                twice: chances(self.has(Class::Twice), rate * 4),
            };
            let classes = self.classes.clone();
            state.tell(|| format!("mishaps until {until:?}: {classes:?}"));
        }
        world.travels = chances(self.has(Class::Relist), 500);
        world.after(until, Event::Heal);
        let first = self.dice.millis(200, 9000);
        world.after(first, Event::Chaos);
    }

    /// One mishap, and when the next one comes.
    pub fn strike(&mut self, world: &mut World) {
        if self.healed {
            return;
        }
        if !world.state.borrow_mut().faults.mishap() {
            let next = self.dice.millis(100, 12_000);
            return world.after(next, Event::Chaos);
        }
        world.state.borrow_mut().faults.count += 1;
        match self.dice.pick(&self.classes).copied() {
            Some(Class::Stale) => self.stale(world),
            Some(Class::Relist) => self.relist(world),
            Some(Class::SplitBrain) => split(world),
            Some(Class::Partition) => self.cut(world),
            Some(Class::Processes) => self.end_a_process(world),
            Some(Class::Storage) => self.storage(world),
            Some(Class::Clock) => self.clock(world),
            Some(Class::People) => self.person(world),
            Some(Class::ThirdParty) => self.third_party(world),
            Some(Class::Crash) => self.crash(world),
            Some(Class::TimeTravel) => self.travel(world),
            Some(Class::Unobserved) => self.unobserved(world),
            Some(Class::Expiry) => self.expire(world),
            Some(Class::Quota) => {
                let until = world.now() + self.dice.millis(1000, 40_000);
                world.state.borrow_mut().faults.quota = until;
            }
            Some(Class::Edits) => self.edit(world),
            Some(Class::Availability) => self.availability(world),
            Some(Class::Nodes) => {
                let dies = self.dice.permille(500);
                let roles = ["jobmanager", "taskmanager", "taskmanager"];
                match self.dice.below(3) {
                    0 => world.nodes_back(),
                    1 => world.nodes_out(),
                    _ => world.lose_node(self.dice.pick(&roles).expect("there are some"), dies),
                }
            }
            Some(Class::Skew) => self.skew(world),
            Some(Class::Lost | Class::Refused | Class::Twice) | None => {}
        }
        let next = self.dice.millis(100, 12_000);
        world.after(next, Event::Chaos);
    }

    /// All is well again.
    pub fn heal(&mut self, world: &mut World) {
        self.healed = true;
        let mut state = world.state.borrow_mut();
        state.tell(|| "all heals".into());
        state.faults.until = Duration::ZERO;
        state.faults.cut_flink = Duration::ZERO;
        state.faults.cut_api = Duration::ZERO;
        state.faults.quota = Duration::ZERO;
        state.flink.settings().mishaps = crate::flink::Mishaps::default();
        drop(state);
        world.travels = 0;
        world.nodes_back();
        world.nodes.slow = Duration::ZERO;
        let changes = world.state.borrow().server.log.len();
        let relist = self.has(Class::Stale) || self.has(Class::Relist);
        let state = world.state.borrow();
        let operator = world.operator.iter_mut().flat_map(|operator| operator.watches.iter_mut());
        for watch in world.supervisors.iter_mut().flat_map(|one| one.watches.iter_mut()).chain(operator) {
            watch.frozen = Duration::ZERO;
            watch.lag = Duration::from_millis(5);
            (watch.lose, watch.twice) = (false, false);
            if relist {
                watch.list(&state.server, changes);
            }
        }
        drop(state);
        if self.has(Class::Edits) {
            world.act(&Act::Mend);
        }
        world.act(&Act::Unreadable(false));
        let state = world.state.borrow();
        let orphan = state.server.get(Kind::Cluster, CLUSTER).is_none() && state.server.get(Kind::Job, JOB).is_some();
        drop(state);
        // What the supervisor of a cluster that is gone leaves behind is the operator's.
        if orphan && world.operator.is_none() {
            world.start_operator();
        }
        // One of several supervisors goes.
        world.supervisors.truncate(1);
    }

    fn crash(&mut self, world: &mut World) {
        let lucky = self.dice.permille(500);
        if lucky || world.supervisors.is_empty() {
            if world.operator.take().is_some() {
                world.after(Duration::from_secs(2), Event::Operator);
            }
            return;
        }
        let dead = world.supervisors.remove(0);
        let pause = self.dice.millis(300, 20_000);
        world.after(pause, Event::Supervisor { cluster: dead.cluster, pod: dead.pod });
    }

    fn stale(&mut self, world: &mut World) {
        let now = world.now();
        let frozen = now + self.dice.millis(500, 60_000);
        let (lag, which) = (self.dice.millis(5, 3000), self.dice.below(4));
        let index = usize::try_from(self.dice.below(5)).unwrap_or_default();
        let watch = world.supervisors.first_mut().and_then(|one| one.watches.get_mut(index));
        if let Some(watch) = watch {
            match which {
                0 => watch.frozen = frozen,
                1 => watch.lag = lag,
                2 => watch.lose = true,
                _ => watch.twice = true,
            }
        }
    }

    fn relist(&mut self, world: &mut World) {
        let state = world.state.borrow();
        let back = usize::try_from(self.dice.below(10)).unwrap_or_default();
        let changes = state.server.log.len().saturating_sub(back);
        let index = usize::try_from(self.dice.below(5)).unwrap_or_default();
        if let Some(watch) = world.supervisors.first_mut().and_then(|one| one.watches.get_mut(index)) {
            watch.list(&state.server, changes);
        }
    }

    /// A supervisor ends, and another one sees what was true a while ago, for a while.
    fn travel(&mut self, world: &mut World) {
        if world.supervisors.is_empty() {
            return;
        }
        let dead = world.supervisors.remove(0);
        world.start_supervisor(&dead.cluster, dead.pod);
        let frozen = world.now() + self.dice.millis(0, 30_000);
        let back = usize::try_from(self.dice.below(60)).unwrap_or_default();
        let state = world.state.borrow();
        let changes = state.server.log.len().saturating_sub(back);
        for watch in world.supervisors.last_mut().into_iter().flat_map(|one| &mut one.watches) {
            watch.list(&state.server, changes);
            watch.frozen = frozen;
        }
    }

    fn unobserved(&mut self, world: &mut World) {
        let frozen = world.now() + self.dice.millis(500, 20_000);
        let index = usize::try_from(self.dice.below(6)).unwrap_or_default();
        let watches = world.supervisors.first_mut().map(|one| &mut one.watches);
        // One kind, or all of them.
        for (number, watch) in watches.into_iter().flatten().enumerate() {
            if index == 5 || index == number {
                (watch.frozen, watch.skip) = (frozen, true);
            }
        }
    }

    fn expire(&mut self, world: &mut World) {
        let frozen = world.now() + self.dice.millis(0, 10_000);
        let state = world.state.borrow();
        for watch in world.supervisors.first_mut().into_iter().flat_map(|one| &mut one.watches) {
            watch.list_half(&state.server);
            watch.frozen = frozen;
        }
    }

    fn edit(&mut self, world: &mut World) {
        let acts = [
            Act::Again,
            Act::DeleteJob,
            Act::Field("savepoint", "savepointMode", "Manual"),
            Act::Field("savepoint", "savepointMode", "Automatic"),
            Act::Field("savepoint", "savepointTargetPath", "file:///elsewhere"),
            Act::Field("savepoint", "onFailure", "StopAnyway"),
            Act::Field("restart", "restartPolicy", "Always"),
            Act::Field("restart", "restartPolicy", "OnlyIfFailed"),
            Act::Class("NoJob"),
            Act::Mend,
            Act::Mend,
            Act::Parallelism(0),
            Act::Parallelism(3),
            Act::Parallelism(1),
            Act::Option("execution.checkpointing.interval", "9s"),
            Act::Option("taskmanager.numberOfTaskSlots.max", "9"),
        ];
        let act = self.dice.pick(&acts).cloned().unwrap_or(Act::Look);
        let state = world.state.borrow();
        let (jobs, clusters) = (state.server.get(Kind::Job, JOB), state.server.get(Kind::Cluster, CLUSTER));
        // What ends by itself begins anew when it is started again.
        let batch = jobs.and_then(Object::job).is_some_and(|job| job.spec.bootstrap.class_name.ends_with("BatchJob"));
        let possible = !batch && clusters.is_some() && (jobs.is_some() || act == Act::Again);
        drop(state);
        // A job is created again only where nobody else does that.
        if possible && !(act == Act::Again && world.operator.is_some()) {
            world.act(&act);
        }
    }

    fn availability(&mut self, world: &mut World) {
        let mut state = world.state.borrow_mut();
        let now = state.server.time();
        let jobs = self.dice.permille(500);
        if self.dice.permille(500) {
            state.tell(|| format!("high availability loses {}", if jobs { "its jobs" } else { "their checkpoints" }));
            state.flink.forget_kept(CLUSTER, jobs);
        } else {
            let pods = state.server.all(Kind::Pod).filter(|pod| crate::objects::role(pod.meta()) == "jobmanager");
            let uids: Vec<String> = pods.filter_map(|pod| pod.meta().uid.clone()).collect();
            for uid in uids {
                state.tell(|| format!("JobManager {uid} loses its lease"));
                state.flink.isolate_job_manager(&uid, now);
            }
        }
    }

    /// A version that knew less has written the records, or one that knows more.
    fn skew(&mut self, world: &mut World) {
        let older = self.dice.permille(500);
        for (kind, name) in [(Kind::Job, JOB), (Kind::Cluster, CLUSTER)] {
            world.state.borrow_mut().server.rewrite(kind, name, |record| {
                let Some(record) = record.as_object_mut() else { return };
                if older {
                    for member in ["restoreReason", "savepointFailure", "lost", "failure", "rescaling"] {
                        record.remove(member);
                    }
                } else {
                    record.insert("later".to_owned(), serde_json::json!({"what": ["nobody", "knows"]}));
                }
            });
        }
    }

    fn cut(&mut self, world: &mut World) {
        let until = world.now() + self.dice.millis(1000, 60_000);
        let mut state = world.state.borrow_mut();
        let flink = self.dice.permille(600);
        state.tell(|| format!("cut off from {} until {until:?}", if flink { "Flink" } else { "the API server" }));
        if flink {
            state.faults.cut_flink = until;
        } else {
            state.faults.cut_api = until;
        }
    }

    fn end_a_process(&mut self, world: &mut World) {
        let roles = ["jobmanager", "jobmanager", "taskmanager", "bootstrap"];
        if let Some(role) = self.dice.pick(&roles) {
            world.kill(role);
        }
        world.nodes.slow = self.dice.millis(0, 9000);
    }

    fn storage(&mut self, world: &mut World) {
        let mut state = world.state.borrow_mut();
        let slow = i64::try_from(self.dice.below(40_000)).unwrap_or_default();
        let which = self.dice.below(5);
        let mishaps = &mut state.flink.settings().mishaps;
        match which {
            0 => mishaps.storage_fails = !mishaps.storage_fails,
            1 => mishaps.storage_unreadable = !mishaps.storage_unreadable,
            2 => mishaps.storage_slow = slow,
            3 => mishaps.finishing_fails = !mishaps.finishing_fails,
            _ => *mishaps = crate::flink::Mishaps::default(),
        }
        let told = mishaps.clone();
        state.tell(|| format!("{told:?}"));
    }

    fn clock(&mut self, world: &mut World) {
        let jumps = [-3600, 3600, -315_360_000, 315_360_000, -7, 7, 0];
        let ids: Vec<_> = world.supervisors.iter().map(|one| one.id).collect();
        let mut state = world.state.borrow_mut();
        for id in ids {
            let jump = self.dice.pick(&jumps).copied().unwrap_or_default();
            state.tell(|| format!("the clock of {id} is {jump} s off"));
            state.skew.insert(id, jump);
        }
    }

    fn person(&mut self, world: &mut World) {
        let state = world.state.borrow();
        let (jobs, clusters) = (state.server.get(Kind::Job, JOB), state.server.get(Kind::Cluster, CLUSTER));
        let gone = jobs.is_none() || clusters.is_none();
        drop(state);
        if gone {
            return;
        }
        let acts = [
            Act::Command("STOP"),
            Act::Command("START"),
            Act::Command("START"),
            Act::Command("TRIGGER_SAVEPOINT"),
            Act::ClusterCommand("STOP"),
            Act::ClusterCommand("START"),
            Act::ClusterCommand("START"),
            Act::Parallelism(1),
            Act::Parallelism(2),
            Act::Argument("--rate=150"),
            Act::Command("DANCE"),
        ];
        let act = if self.dice.permille(60) {
            [Act::DeleteJob, Act::DeleteCluster, Act::DeleteAll]
                [usize::try_from(self.dice.below(3)).unwrap_or_default()]
            .clone()
        } else {
            self.dice.pick(&acts).cloned().unwrap_or(Act::Look)
        };
        world.act(&act);
        self.meddled = true;
    }

    fn third_party(&mut self, world: &mut World) {
        let state = world.state.borrow();
        let children: Vec<(Kind, String)> = [Kind::Pod, Kind::Service, Kind::Bootstrap, Kind::Supervisor]
            .into_iter()
            .flat_map(|kind| state.server.all(kind))
            .map(|object: &Object| (object.kind(), object.meta().name.clone().unwrap_or_default()))
            .collect();
        drop(state);
        if let Some((kind, name)) = self.dice.pick(&children) {
            world.state.borrow_mut().tell(|| format!("somebody deletes {kind:?} {name}"));
            world.delete(*kind, name);
        }
    }
}

/// A second supervisor begins to work, as after a node was lost that still runs its pods.
fn split(world: &mut World) {
    let one = world.supervisors.first().map(|one| (one.cluster.clone(), one.pod.clone()));
    if let Some((cluster, pod)) = one
        && world.supervisors.len() < 2
    {
        world.start_supervisor(&cluster, pod);
    }
}
