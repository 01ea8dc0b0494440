//! The outcome of one decision, about a cluster or a job, and how a user's command goes through it.

use api::annotations::Action;
use api::record::{ClusterPhase, ClusterRecord, Command, JobPhase, JobRecord};
use jiff::Timestamp;

use crate::Notice;
use crate::command::{self, Inbox, Outcome, Report, Request, Requested};

/// Sets a member of a status that is copied only when something in it changes: at rest nothing does, and that is most of the time.
macro_rules! put {
    ($after:ident.$member:ident, $value:expr) => {{
        let value = $value;
        if $after.$member != value {
            $after.to_mut().$member = value;
        }
    }};
}
pub(crate) use put;

/// What the records of clusters and jobs have in common.
pub trait Record {
    type Phase;

    fn phase(&mut self) -> &mut Self::Phase;
    fn command(&mut self) -> &mut Option<Command>;
}

impl Record for ClusterRecord {
    type Phase = ClusterPhase;

    fn phase(&mut self) -> &mut ClusterPhase {
        &mut self.phase
    }

    fn command(&mut self) -> &mut Option<Command> {
        &mut self.command
    }
}

impl Record for JobRecord {
    type Phase = JobPhase;

    fn phase(&mut self) -> &mut JobPhase {
        &mut self.phase
    }

    fn command(&mut self) -> &mut Option<Command> {
        &mut self.command
    }
}

/// The outcome of one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<R, E, W> {
    /// To be persisted first.
    pub record: R,
    /// To be carried out in order, up to the first error.
    pub effects: Vec<E>,
    pub waiting: W,
    /// When to look again, whatever happens.
    pub wake: Option<Timestamp>,
    pub notices: Vec<Notice>,
    /// How the user's command stands, where that changed.
    pub report: Option<Report>,
}

/// What is to be done about a command that was not seen before.
pub(crate) enum Admission {
    Granted,
    /// Not looked at in this phase; it stays where it is.
    Later,
    Refused(&'static str),
}

impl<R, E, W: Default> From<R> for Step<R, E, W> {
    fn from(record: R) -> Self {
        let (waiting, effects, notices) = (W::default(), Vec::new(), Vec::new());
        Self { record, effects, waiting, wake: None, notices, report: None }
    }
}

impl<R: Record, E, W> Step<R, E, W> {
    pub(crate) fn goto(&mut self, phase: R::Phase) {
        *self.record.phase() = phase;
    }

    pub(crate) fn wait(mut self, waiting: W) -> Self {
        self.waiting = waiting;
        self
    }

    pub(crate) fn under_way(&mut self, action: Action) -> bool {
        self.record.command().as_ref().is_some_and(|command| !command.done && command.action == action)
    }

    /// Reports the command as done, if one is under way.
    pub(crate) fn done(&mut self, outcome: Outcome, message: impl Into<String>) {
        if let Some(report) = command::finish(self.record.command(), outcome, message) {
            self.report = Some(report);
        }
    }

    /// Takes in what the annotations say; what is to be decided about comes back. With an effect in the step an
    /// annotation is to be reset, and nothing else happens.
    pub(crate) fn receive(
        &mut self,
        request: Option<&Request>,
        supersedes: impl FnOnce(&Self, &Request) -> bool,
        reset: impl Fn(String) -> E,
        actions: &str,
    ) -> Option<(Request, Action)> {
        let request = match command::inbox(self.record.command().as_ref(), request) {
            Inbox::Nothing | Inbox::UnderWay => return None,
            Inbox::Forget => {
                *self.record.command() = None;
                return None;
            }
            Inbox::Reset => {
                let said = self.record.command().as_ref().map(|command| command.action.as_str().to_owned());
                self.effects.extend(said.map(reset));
                return None;
            }
            Inbox::New(request) => request,
            Inbox::Meanwhile(request) => Some(request).filter(|request| supersedes(self, request))?,
        };
        match &request.action {
            Requested::Known(action) => Some((request.clone(), *action)),
            Requested::Invalid(text) => {
                let message = format!("{text:?} is no action; use {actions} or NONE");
                self.notices.push(Notice::warning("ActionRefused", message.clone()));
                self.report = Some(command::report(&request, Outcome::Refused, message));
                self.effects.push(reset(text.clone()));
                None
            }
        }
    }

    /// Remembers the command with its answer; true if it is granted.
    pub(crate) fn answer(&mut self, request: &Request, action: Action, admission: &Admission) -> bool {
        let (mut command, mut report) = command::accept(request, action);
        match admission {
            Admission::Later => return false,
            Admission::Granted => {}
            Admission::Refused(why) => {
                self.notices.push(Notice::warning("ActionRefused", format!("{action}: {why}")));
                command.done = true;
                report = command::report(request, Outcome::Refused, *why);
            }
        }
        *self.record.command() = Some(command);
        self.report = Some(report);
        matches!(admission, Admission::Granted)
    }
}
