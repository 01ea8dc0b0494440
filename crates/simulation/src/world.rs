//! The world: what happens next, and who is told.
//!
//! Time moves from one event to the next. Invariant: with the same seed, workload and faults everything happens in the same order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::bootstrap::Bootstrap;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::mutants::Mutation;
use crate::nodes::Nodes;
use crate::objects::Kind;
use crate::operators::Operator;
use crate::run::Telling;
use crate::server::Follow;
use crate::state::{Id, Shared, State};
use crate::supervisors::Supervisor;

/// More events than any run has: at one moment, and in all.
const AT_ONCE: u64 = 10_000;
const IN_ALL: u64 = 200_000;

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Follow(Follow),
    /// A supervisor's process starts (again).
    Supervisor {
        cluster: String,
        pod: Option<String>,
    },
    Operator,
    /// The next mishap is due.
    Chaos,
    Heal,
    /// The person looks.
    Person,
}

pub struct World {
    pub state: Shared,
    pub supervisors: Vec<Supervisor>,
    pub operator: Option<Operator>,
    pub bootstraps: Vec<Bootstrap>,
    pub nodes: Nodes,
    pub dice: Dice,
    pub mutation: Option<Rc<dyn Mutation>>,
    /// How many steps were made, and how many of them at this moment.
    pub events: u64,
    at_once: u64,
    /// A process that starts may list what was true so many changes ago.
    pub travels: u32,
    timers: BTreeMap<(Duration, u64), Event>,
    sequence: u64,
    processes: u32,
}

impl World {
    pub fn new(seed: u64, faults: Faults, mutation: Option<Rc<dyn Mutation>>, telling: Telling) -> Self {
        Self {
            state: Rc::new(RefCell::new(State::new(seed, faults, telling))),
            supervisors: Vec::new(),
            operator: None,
            bootstraps: Vec::new(),
            nodes: Nodes::default(),
            dice: Dice::new(seed ^ 0xd1ce),
            mutation,
            events: 0,
            at_once: 0,
            travels: 0,
            timers: BTreeMap::new(),
            sequence: 0,
            processes: 0,
        }
    }

    pub fn now(&self) -> Duration {
        self.state.borrow().server.now
    }

    pub fn after(&mut self, pause: Duration, event: Event) {
        self.sequence += 1;
        self.timers.insert((self.now() + pause, self.sequence), event);
    }

    fn number(&mut self) -> u32 {
        self.processes += 1;
        self.processes
    }

    /// How many changes a process that starts now has been told of.
    fn told(&mut self) -> usize {
        let all = self.state.borrow().server.log.len();
        let back = if self.dice.permille(self.travels) { self.dice.below(12) } else { 0 };
        let back = if back > 0 && !self.state.borrow_mut().faults.mishap() { 0 } else { back };
        all.saturating_sub(usize::try_from(back).unwrap_or_default())
    }

    pub fn start_supervisor(&mut self, cluster: &str, pod: Option<String>) {
        self.state.borrow_mut().books.split |= self.supervisors.iter().any(|one| one.cluster == cluster);
        let (id, changes) = (Id::Supervisor(self.number()), self.told());
        let mutation = self.mutation.clone();
        self.supervisors.push(Supervisor::start(&self.state, id, cluster, pod, changes, mutation));
    }

    pub fn start_operator(&mut self) {
        let (id, changes) = (Id::Operator(self.number()), self.told());
        self.operator = Some(Operator::start(&self.state, id, changes, self.mutation.clone()));
    }

    pub fn start_bootstrap(&mut self, name: &str, uid: &str, args: &[String]) {
        let id = Id::Bootstrap(self.number());
        let pod = (name.to_owned(), uid.to_owned());
        self.bootstraps.push(Bootstrap::start(&self.state, id, pod, args, self.mutation.clone()));
    }

    /// What happens next happens; `None` if nothing does before that time. The person's own events are handed out.
    pub fn step(&mut self, end: Duration) -> Option<Option<Event>> {
        let next = self.next_time();
        if next > end {
            self.state.borrow_mut().server.now = end;
            return None;
        }
        self.count(next);
        let event = self.happen();
        self.follow_up();
        self.state.borrow_mut().check();
        Some(event)
    }

    /// L4: nothing goes on and on while time stands still, or for ever.
    fn count(&mut self, next: Duration) {
        let mut state = self.state.borrow_mut();
        self.at_once = if next > state.server.now { 0 } else { self.at_once + 1 };
        self.events += 1;
        state.server.now = next.max(state.server.now);
        if self.at_once > AT_ONCE || self.events > IN_ALL {
            let what = format!("{} events, {} of them at this moment", self.events, self.at_once);
            state.books.violate("L4", what);
        }
    }

    fn next_time(&mut self) -> Duration {
        let mut next = self.timers.first_key_value().map_or(Duration::MAX, |((at, _), _)| *at);
        next = self.state.borrow().late.iter().map(|(at, _)| *at).fold(next, Duration::min);
        next = self.supervisors.iter_mut().map(Supervisor::next).fold(next, Duration::min);
        next = self.bootstraps.iter().map(|bootstrap| bootstrap.due).fold(next, Duration::min);
        self.operator.as_mut().map_or(next, |operator| operator.next().min(next))
    }

    /// One thing that is due.
    fn happen(&mut self) -> Option<Event> {
        let now = self.now();
        let late = self.state.borrow().late.iter().position(|(at, _)| *at <= now);
        if let Some(index) = late {
            let (_, effect) = self.state.borrow_mut().late.remove(index);
            let mut state = self.state.borrow_mut();
            state.tell(|| "a late call happens".into());
            state.belated = true;
            effect(&mut state);
            state.belated = false;
            return None;
        }
        if self.timers.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            let (_, event) = self.timers.pop_first().expect("it was there");
            return self.handle(event);
        }
        if let Some(operator) = self.operator.as_mut()
            && operator.next() <= now
        {
            if !operator.poll() {
                self.operator = None;
                self.after(Duration::from_secs(2), Event::Operator);
            }
            return None;
        }
        if let Some(index) = self.supervisors.iter_mut().position(|one| one.next() <= now) {
            if !self.supervisors[index].poll() {
                self.supervisor_died(index);
            }
            return None;
        }
        let index = self.bootstraps.iter().position(|one| one.due <= now)?;
        if let Some((code, message)) = self.bootstraps[index].poll() {
            let (name, uid) = self.bootstraps.remove(index).pod;
            self.ended(&name, &uid, code, message);
        }
        None
    }

    fn supervisor_died(&mut self, index: usize) {
        let dead = self.supervisors.remove(index);
        self.state.borrow_mut().tell(|| format!("{} has died", dead.id));
        let (cluster, pod) = (dead.cluster, dead.pod);
        // Another one of the same cluster is not replaced.
        if !self.supervisors.iter().any(|one| one.cluster == cluster) {
            let pause = self.dice.millis(300, 3000);
            self.after(pause, Event::Supervisor { cluster, pod });
        }
    }

    fn handle(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Follow(follow) => self.follow(&follow),
            Event::Supervisor { cluster, pod } => {
                let state = self.state.borrow();
                let lives = pod.as_ref().is_none_or(|uid| state.server.by_uid(uid).is_some());
                let healed = state.server.now >= state.faults.until;
                drop(state);
                // Once all is well there is one.
                let another = healed && self.supervisors.iter().any(|one| one.cluster == cluster);
                if lives && !another {
                    self.start_supervisor(&cluster, pod);
                }
            }
            Event::Operator => self.start_operator(),
            other => return Some(other),
        }
        None
    }

    /// What follows from writes is noticed a moment later.
    fn follow_up(&mut self) {
        let follows = std::mem::take(&mut self.state.borrow_mut().server.follows);
        if follows.is_empty() {
            return;
        }
        for follow in follows {
            let pause = match &follow {
                Follow::Started { kind: Kind::Pod, .. } => self.dice.millis(150, 600),
                Follow::Started { .. } => self.dice.millis(10, 60),
                Follow::Ending { .. } => self.dice.millis(50, 800),
                Follow::Orphans { .. } | Follow::Silent { .. } => self.dice.millis(50, 500),
            };
            let pause = self.nodes.delay(&follow, pause);
            self.after(pause, Event::Follow(follow));
        }
    }
}
