//! One run: a workload, its faults, and what came of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::books::Violation;
use crate::chaos::Chaos;
use crate::faults::{Faults, Only};
use crate::mutants::Mutation;
use crate::objects::Kind;
use crate::scenario::{Act, Goal, Step, Workload};
use crate::world::{Event, World};

/// How long a step may take once all is well.
const PATIENCE: Duration = Duration::from_mins(15);
/// Between two looks of a person.
const LOOK: Duration = Duration::from_millis(500);
/// How long is looked on at the end, when nothing should change any more.
const CALM: Duration = Duration::from_mins(1);
/// How long it takes until everything is at rest: idle TaskManagers go after a minute, and each time that fails after another one.
const SETTLING: Duration = Duration::from_secs(210);

/// Who is told what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    #[default]
    Nobody,
    /// Whoever reads what is printed.
    Aloud,
    /// Whoever reads the report.
    Report,
}

/// What is to be run.
pub struct Plan {
    pub workload: Workload,
    pub seed: u64,
    pub faults: Faults,
    pub chaos: Option<Chaos>,
    pub mutation: Option<Rc<dyn Mutation>>,
    pub telling: Telling,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub events: u64,
    pub faults: u64,
    /// How many mishaps the dice wanted.
    pub mishaps: u64,
    pub points: Vec<String>,
    /// How long the run took, in the world's time.
    pub took: Duration,
    /// What was there at the end: as the oracle compares it.
    pub end: Vec<String>,
    pub counts: BTreeMap<String, u32>,
    /// A bootstrap was hit by a fault.
    pub hit_bootstrap: bool,
    /// What happened, if it was to be told here.
    pub tale: Vec<String>,
}

impl Plan {
    pub fn new(workload: Workload, seed: u64) -> Self {
        Self { workload, seed, faults: Faults::none(seed), chaos: None, mutation: None, telling: Telling::Nobody }
    }

    /// Lets only some of the mishaps happen.
    pub fn only(mut self, only: Option<Only>) -> Self {
        self.faults.only = only;
        self
    }

    /// Runs it to its end, or to the first violation.
    pub fn run(self) -> Report {
        let mut world = World::new(self.seed, self.faults, self.mutation, self.telling);
        let mut chaos = self.chaos;
        if let Some(chaos) = &mut chaos {
            chaos.begin(&mut world);
        }
        for step in &self.workload.steps {
            if !perform(&mut world, step, chaos.as_mut()) {
                break;
            }
        }
        if chaos.is_some() && world.well() {
            heal(&mut world, chaos.as_mut());
            chaos.iter_mut().for_each(|chaos| chaos.meddled = false);
            for step in epilogue(&world) {
                if !perform(&mut world, &step, chaos.as_mut()) {
                    break;
                }
            }
        }
        if world.well() {
            world.calm();
        }
        world.report()
    }
}

/// What a person does after all that happened: what was meant to run runs, can be stopped, and can be removed.
fn epilogue(world: &World) -> Vec<Step> {
    let state = world.state.borrow();
    let deployed = state.server.all(Kind::Deployment).next().is_some();
    let whole = state.server.all(Kind::Job).any(|job| job.meta().deletion_timestamp.is_none())
        && state.server.all(Kind::Cluster).any(|cluster| cluster.meta().deletion_timestamp.is_none());
    let step = |act, goal| Step { act, goal };
    let batch = state
        .server
        .all(Kind::Job)
        .filter_map(|object| object.job())
        .any(|job| job.spec.bootstrap.class_name.ends_with("BatchJob"));
    let mut steps = Vec::new();
    if whole && !batch {
        steps.push(step(Act::ClusterCommand("START"), Goal::ClusterRunning));
        steps.push(step(Act::Command("START"), Goal::Running));
        steps.push(step(Act::Command("STOP"), Goal::Stopped));
    }
    if deployed {
        steps.push(step(Act::DeleteDeployment, Goal::Nothing));
    } else {
        steps.push(step(Act::DeleteAll, Goal::Nothing));
    }
    steps
}

/// The mishaps go on until they are over.
fn heal(world: &mut World, mut chaos: Option<&mut Chaos>) {
    while world.well() && chaos.as_ref().is_some_and(|chaos| !chaos.healed) {
        let end = world.now() + PATIENCE;
        match world.step(end) {
            Some(Some(event)) => mishap(world, chaos.as_deref_mut(), &event),
            Some(None) => {}
            None => break,
        }
    }
}

fn mishap(world: &mut World, chaos: Option<&mut Chaos>, event: &Event) {
    if let Some(chaos) = chaos {
        match event {
            Event::Chaos => chaos.strike(world),
            Event::Heal => chaos.heal(world),
            _ => {}
        }
    }
}

/// Does what a step says and waits for what it wants; whether all is well.
fn perform(world: &mut World, step: &Step, mut chaos: Option<&mut Chaos>) -> bool {
    world.act(&step.act);
    let mut since = world.now();
    let mut looked = None;
    world.after(LOOK, Event::Person);
    loop {
        let event = world.step(Duration::MAX).flatten();
        if !world.well() {
            return false;
        }
        match event {
            Some(Event::Person) => {
                // What has not changed is as it was at the last look.
                let changes = Some(world.state.borrow().server.log.len());
                let news = changes != std::mem::replace(&mut looked, changes);
                if news && world.reached(step.goal) {
                    break;
                }
                // Whatever people did meanwhile, what is gone does not come back.
                if news && chaos.is_some() && world.is_hopeless(step.goal) {
                    break;
                }
                // What people meddled with may never come true.
                if chaos.as_ref().is_some_and(|chaos| chaos.healed && chaos.meddled) {
                    break;
                }
                let troubled = chaos.as_ref().is_some_and(|chaos| !chaos.healed);
                if troubled {
                    since = world.now();
                    if world.dice.permille(100) {
                        break;
                    }
                }
                if world.now().saturating_sub(since) > PATIENCE {
                    world.stuck(step);
                    return false;
                }
                world.after(LOOK, Event::Person);
            }
            Some(other) => mishap(world, chaos.as_deref_mut(), &other),
            None => {}
        }
    }
    if step.goal == Goal::Stopped {
        world.state.borrow_mut().s04_stop_means_saved();
    }
    world.well()
}

impl World {
    pub fn well(&self) -> bool {
        self.state.borrow().books.violations.is_empty()
    }

    fn is_hopeless(&self, goal: Goal) -> bool {
        let state = self.state.borrow();
        let going = |kind| state.server.all(kind).any(|object| object.meta().deletion_timestamp.is_some());
        let none = state.server.all(Kind::Job).next().is_none();
        !matches!(goal, Goal::Nothing | Goal::NoJob) && (none || going(Kind::Job) || going(Kind::Cluster))
    }

    /// L1, L2: what is wanted comes true in the end.
    fn stuck(&mut self, step: &Step) {
        let mut state = self.state.borrow_mut();
        let invariant = if matches!(step.goal, Goal::Nothing | Goal::NoJob) { "L2" } else { "L1" };
        let at = state.server.now;
        let what = format!("{:?} is not reached after {:?}", step.goal, step.act);
        state.books.violations.push(Violation { invariant, what, at });
    }

    /// L12: when nothing happens, nothing is written.
    fn calm(&mut self) {
        let settled = self.now() + SETTLING;
        while self.well() && self.step(settled).is_some() {}
        let before = self.state.borrow().books.writes;
        let end = settled + CALM;
        while self.well() && self.step(end).is_some() {}
        let mut state = self.state.borrow_mut();
        state.check_rest();
        let more = state.books.writes - before;
        if more > 0 {
            let at = state.server.now;
            let what = format!("{more} status writes while nothing happened");
            state.books.violations.push(Violation { invariant: "L12", what, at });
        }
    }

    fn report(self) -> Report {
        let mut state = self.state.borrow_mut();
        let took = state.server.now;
        for violation in &mut state.books.violations {
            violation.at = if violation.at.is_zero() { took } else { violation.at };
        }
        let mut counts = BTreeMap::new();
        for (what, count) in &state.books.created {
            counts.insert(format!("create {what}"), *count);
        }
        for (what, count) in &state.books.deleted {
            counts.insert(format!("delete {what}"), *count);
        }
        Report {
            violations: state.books.violations.clone(),
            events: self.events,
            faults: state.faults.count,
            mishaps: state.faults.mishaps,
            points: state.faults.record.take().unwrap_or_default(),
            took,
            end: end(&state.server),
            counts,
            hit_bootstrap: state.faults.hit_bootstrap,
            tale: std::mem::take(&mut state.tale),
        }
    }
}

/// What is there, without what differs from run to run.
fn end(server: &crate::server::Server) -> Vec<String> {
    let mut lines = Vec::new();
    for ((kind, name), object) in &server.objects {
        let line = match object {
            crate::objects::Object::Job(job) => {
                let record = lifecycle::job::status::record(job).unwrap_or_default();
                let phase = serde_json::to_value(&record.phase).unwrap_or_default();
                format!("{kind:?} {name}: {} attempt {:?}", phase["name"], record.attempt.map(|attempt| attempt.number))
            }
            crate::objects::Object::Cluster(cluster) => {
                let record = lifecycle::cluster::status::record(cluster).unwrap_or_default();
                let phase = serde_json::to_value(&record.phase).unwrap_or_default();
                format!("{kind:?} {name}: {} incarnation {}", phase["name"], record.incarnation)
            }
            crate::objects::Object::Pod(pod) => {
                format!("{kind:?} {}: {:?}", crate::objects::role(&pod.metadata), pod.stage)
            }
            _ => format!("{kind:?} {name}"),
        };
        lines.push(line);
    }
    lines.sort();
    lines
}
