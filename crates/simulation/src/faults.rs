//! What goes wrong: at given points, or by chance until everything heals.
//!
//! A point is a call that changes something: a write to Kubernetes, or a call that tells Flink to do something. Points are numbered in
//! the order in which they happen, so that a fault can be put at each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::dice::Dice;
use crate::state::Id;

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A read of Kubernetes past the caches.
    Read,
    Write,
    /// A question to Flink.
    Ask,
    /// An order to Flink.
    Order,
}

impl Class {
    pub fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Order)
    }

    fn flink(self) -> bool {
        matches!(self, Self::Ask | Self::Order)
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Go,
    /// The process dies before the call is sent.
    CrashBefore,
    /// The call does what it should, and the process dies before it hears of that.
    CrashAfter,
    /// The call does what it should, and its answer is lost.
    Lost,
    /// The call does not get there.
    Unsent,
    /// The call gets there twice, and the second answer counts.
    Twice,
    /// The caller hears nothing; later the call does what it should.
    Late(Duration),
    /// The answer is this code, and nothing was done.
    Refused(u16),
    /// It takes long until the call gets there.
    SlowThere(Duration),
    /// It takes long until the answer comes.
    SlowBack(Duration),
}

impl Verdict {
    pub fn words(self) -> String {
        match self {
            Self::Go => String::new(),
            Self::CrashBefore => ", but it dies before it".to_owned(),
            Self::CrashAfter => ", and dies after it".to_owned(),
            Self::Lost => ", the answer is lost".to_owned(),
            Self::Unsent => ", it does not get there".to_owned(),
            Self::Twice => ", it gets there twice".to_owned(),
            Self::Late(time) => format!(", no answer, it happens {time:?} later"),
            Self::Refused(code) => format!(", refused with {code}"),
            Self::SlowThere(time) => format!(", it gets there after {time:?}"),
            Self::SlowBack(time) => format!(", the answer comes after {time:?}"),
        }
    }
}

/// How likely what is, in thousandths of all calls that change something; questions fail as often.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chances {
    pub crash: u32,
    pub lost: u32,
    pub unsent: u32,
    pub late: u32,
    pub refused: u32,
    pub slow: u32,
    pub twice: u32,
}

/// Which of the mishaps of a seed happen: the first so many, without some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    pub first: u64,
    pub without: BTreeSet<u64>,
}

impl Only {
    pub fn first(first: u64) -> Self {
        Self { first, without: BTreeSet::new() }
    }

    fn allows(&self, mishap: u64) -> bool {
        mishap <= self.first && !self.without.contains(&mishap)
    }
}

pub struct Faults {
    /// At these points.
    pub at: BTreeMap<u64, Verdict>,
    pub chances: Chances,
    /// If not all mishaps happen that the dice want.
    pub only: Option<Only>,
    /// How many mishaps the dice wanted.
    pub mishaps: u64,
    /// When all is well again.
    pub until: Duration,
    /// Until when supervisors do not reach Flink.
    pub cut_flink: Duration,
    /// Until when supervisors do not reach the API server.
    pub cut_api: Duration,
    /// Until when pods, Jobs and Services cannot be created.
    pub quota: Duration,
    /// How many points there were.
    pub points: u64,
    /// How many faults there were.
    pub count: u64,
    /// A bootstrap was hit: it is made again then, or its attempt is.
    pub hit_bootstrap: bool,
    /// What the points were, if that is recorded.
    pub record: Option<Vec<String>>,
    dice: Dice,
}

impl Faults {
    pub fn none(seed: u64) -> Self {
        Self {
            at: BTreeMap::new(),
            chances: Chances::default(),
            only: None,
            mishaps: 0,
            until: Duration::ZERO,
            cut_flink: Duration::ZERO,
            cut_api: Duration::ZERO,
            quota: Duration::ZERO,
            points: 0,
            count: 0,
            hit_bootstrap: false,
            record: None,
            dice: Dice::new(seed ^ 0x5eed),
        }
    }

    pub fn note(&mut self, what: &dyn Fn() -> String) {
        if let Some(record) = &mut self.record {
            record.push(what());
        }
    }

    /// The dice want a mishap; whether it happens.
    pub fn mishap(&mut self) -> bool {
        self.mishaps += 1;
        self.only.as_ref().is_none_or(|only| only.allows(self.mishaps))
    }

    pub fn decide(&mut self, me: Id, class: Class, now: Duration) -> Verdict {
        if class.changes() {
            self.points += 1;
        }
        let verdict = self.choose(me, class, now);
        self.count += u64::from(verdict != Verdict::Go);
        self.hit_bootstrap |= verdict != Verdict::Go && matches!(me, Id::Bootstrap(_));
        verdict
    }

    fn choose(&mut self, me: Id, class: Class, now: Duration) -> Verdict {
        if class.changes()
            && let Some(verdict) = self.at.get(&self.points)
        {
            // Flink knows no conflicts.
            return if class.flink() && *verdict == Verdict::Refused(409) { Verdict::Refused(503) } else { *verdict };
        }
        let supervisor = matches!(me, Id::Supervisor(_));
        if supervisor && ((class.flink() && now < self.cut_flink) || (!class.flink() && now < self.cut_api)) {
            return Verdict::Unsent;
        }
        if now >= self.until {
            return Verdict::Go;
        }
        let verdict = self.chance(class);
        if verdict != Verdict::Go && !self.mishap() {
            return Verdict::Go;
        }
        verdict
    }

    fn chance(&mut self, class: Class) -> Verdict {
        let chances = self.chances;
        let dice = &mut self.dice;
        let changes = class.changes();
        if changes && dice.permille(chances.crash) {
            return if dice.permille(500) { Verdict::CrashBefore } else { Verdict::CrashAfter };
        }
        if dice.permille(chances.lost) {
            return Verdict::Lost;
        }
        if dice.permille(chances.unsent) {
            return Verdict::Unsent;
        }
        if changes && dice.permille(chances.twice) {
            return Verdict::Twice;
        }
        if changes && dice.permille(chances.late) {
            return Verdict::Late(dice.millis(100, 15_000));
        }
        if dice.permille(chances.refused) {
            let codes: &[u16] = if class.flink() { &[500, 503] } else { &[409, 429, 500, 503, 504] };
            return Verdict::Refused(*dice.pick(codes).expect("there are some"));
        }
        if dice.permille(chances.slow) {
            let time = dice.millis(200, 40_000);
            return if dice.permille(500) { Verdict::SlowThere(time) } else { Verdict::SlowBack(time) };
        }
        Verdict::Go
    }
}
