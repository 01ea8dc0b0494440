//! What all parts of the world share: the API server, Flink, the faults to come, and what is remembered for the invariants.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use crate::books::Books;
use crate::faults::{Class, Faults, Verdict};
use crate::flink::{Flink, Settings};
use crate::objects::{Kind, Stage};
use crate::run::Telling;
use crate::server::Server;

pub type Shared = Rc<RefCell<State>>;

/// A process of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    Operator(u32),
    Supervisor(u32),
    Bootstrap(u32),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(number) => write!(f, "operator {number}"),
            Self::Supervisor(number) => write!(f, "supervisor {number}"),
            Self::Bootstrap(number) => write!(f, "bootstrap {number}"),
        }
    }
}

/// Something that happens later, whoever began it.
pub type Late = Box<dyn FnOnce(&mut State)>;

pub struct State {
    pub server: Server,
    pub flink: Flink,
    pub faults: Faults,
    pub books: Books,
    /// Processes that have died in the middle of a call.
    pub crashed: BTreeSet<Id>,
    /// What processes wait for answers until, and what wakes whoever waits.
    sleepers: BTreeMap<Id, Vec<(Duration, Waker)>>,
    pub late: Vec<(Duration, Late)>,
    /// What happens now is one of them.
    pub belated: bool,
    /// How far the wall clocks of processes are off, in seconds.
    pub skew: BTreeMap<Id, i64>,
    telling: Telling,
    /// What was told to whoever reads the report.
    pub tale: Vec<String>,
}

impl State {
    pub fn new(seed: u64, faults: Faults, telling: Telling) -> Self {
        Self {
            server: Server::new(seed),
            flink: Flink::new(Settings::default(), seed),
            faults,
            books: Books::default(),
            crashed: BTreeSet::new(),
            sleepers: BTreeMap::new(),
            late: Vec::new(),
            belated: false,
            skew: BTreeMap::new(),
            telling,
            tale: Vec::new(),
        }
    }

    /// Whether anybody wants to know what happens.
    pub fn listened(&self) -> bool {
        self.telling != Telling::Nobody || self.faults.record.is_some()
    }

    /// Tells what happens, if anybody listens.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.telling == Telling::Nobody {
            return;
        }
        let now = self.server.now.as_millis();
        let line = format!("{:>5}.{:03} {}", now / 1000, now % 1000, what());
        match self.telling {
            Telling::Aloud => println!("{line}"),
            _ => self.tale.push(line),
        }
    }

    /// Somebody within a process waits until then.
    pub fn sleep(&mut self, me: Id, until: Duration, waker: &Waker) {
        self.sleepers.entry(me).or_default().push((until, waker.clone()));
    }

    /// Whoever waits within a process looks at the time.
    pub fn wake(&mut self, me: Id) {
        let sleepers = self.sleepers.remove(&me).unwrap_or_default();
        sleepers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// When a process that waits goes on.
    pub fn resume(&self, me: Id) -> Duration {
        let sleepers = self.sleepers.get(&me).into_iter().flatten();
        sleepers.map(|(until, _)| *until).min().expect("a process waits for nothing but answers")
    }

    /// What becomes of a call that a process is about to make.
    pub fn gate(&mut self, me: Id, class: Class, what: &dyn Fn() -> String) -> Verdict {
        let verdict = self.faults.decide(me, class, self.server.now);
        if class.changes() {
            let point = self.faults.points;
            self.tell(|| format!("{me}: {} (point {point}){}", what(), verdict.words()));
            self.faults.note(&|| format!("{me}: {}", what()));
        } else if verdict != Verdict::Go {
            self.tell(|| format!("{me}: {}{}", what(), verdict.words()));
        }
        verdict
    }

    /// The uid of the pod that has the address now.
    pub fn pod_at(&self, address: &str) -> Option<String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let mut pods = self.server.all(Kind::Pod).filter_map(|object| object.pod());
        let pod = pods.find(|pod| pod.stage == Stage::Running && pod.address.as_deref() == Some(host))?;
        pod.metadata.uid.clone()
    }

    /// The same, if its node can be reached.
    pub fn at_address(&self, address: &str) -> Option<String> {
        self.pod_at(address).filter(|uid| !self.server.silent.contains_key(uid))
    }
}
