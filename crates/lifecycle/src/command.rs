//! Commands: what a user asked for by annotation, at most once each and never lost.
//!
//! Accepted (with an id) in the record → effect → done in the record → the annotation is reset → forgotten.
//! Until it is forgotten, the same annotation is the same command.

use api::LastAction;
use api::annotations::Action;
use api::record::Command;
use jiff::Timestamp;

/// What the annotations say now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// `action-timestamp` where there is one, else the resourceVersion of the object that was read.
    pub id: String,
    /// Whether `id` is a timestamp that the user gave.
    pub stamped: bool,
    pub action: Requested,
    pub without_savepoint: bool,
}

/// The value of `requested-action`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requested {
    Known(Action),
    /// Something else, in the user's words.
    Invalid(String),
}

/// How a command stands; becomes `status.lastAction`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    pub id: String,
    pub action: String,
    pub outcome: Outcome,
    pub message: String,
}

impl Report {
    /// As `status.lastAction` shows it.
    pub fn last_action(&self, now: Timestamp) -> LastAction {
        let stamp = self.id.parse::<i64>().ok().filter(|millis| *millis > 1_000_000_000_000);
        let requested = stamp.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(now);
        LastAction {
            id: self.id.clone(),
            action: self.action.clone(),
            requested: Some(api::timestamp(requested)),
            outcome: self.outcome.as_str().to_owned(),
            message: Some(self.message.clone()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Accepted,
    Done,
    Failed,
    Refused,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Done => "Done",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
        }
    }
}

/// What is to be done about commands before anything else is decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Inbox {
    Nothing,
    /// A command that was not seen before.
    New(Request),
    /// The accepted command is under way.
    UnderWay,
    /// Another one, while the accepted command is under way.
    Meanwhile(Request),
    /// Done: the annotation still says it and is to be reset.
    Reset,
    /// Done and reset: it can be forgotten.
    Forget,
}

/// Compares the annotations with the command that is remembered.
pub fn inbox(remembered: Option<&Command>, request: Option<&Request>) -> Inbox {
    match (remembered, request) {
        (None, None) => Inbox::Nothing,
        (Some(command), Some(request)) if !command.done && !same(command, request) => Inbox::Meanwhile(request.clone()),
        (Some(command), _) if !command.done => Inbox::UnderWay,
        (Some(_), None) => Inbox::Forget,
        (Some(command), Some(request)) if same(command, request) => Inbox::Reset,
        (_, Some(request)) => Inbox::New(request.clone()),
    }
}

/// An object's resourceVersion moves with every write, so it tells commands apart only when it is first seen;
/// after that the text of the action does. A timestamp always does.
fn same(command: &Command, request: &Request) -> bool {
    let action = matches!(&request.action, Requested::Known(action) if *action == command.action);
    action && (!request.stamped || command.id == request.id)
}

/// The command to remember for a request.
pub fn accept(request: &Request, action: Action) -> (Command, Report) {
    let command = Command { id: request.id.clone(), action, done: false, without_savepoint: request.without_savepoint };
    (command, report(request, Outcome::Accepted, "under way"))
}

/// How a request stands.
pub fn report(request: &Request, outcome: Outcome, message: impl Into<String>) -> Report {
    let action = match &request.action {
        Requested::Known(action) => action.as_str().to_owned(),
        Requested::Invalid(text) => text.clone(),
    };
    Report { id: request.id.clone(), action, outcome, message: message.into() }
}

/// Marks the accepted command as done.
pub fn finish(command: &mut Option<Command>, outcome: Outcome, message: impl Into<String>) -> Option<Report> {
    let command = command.as_mut().filter(|command| !command.done)?;
    command.done = true;
    Some(Report {
        id: command.id.clone(),
        action: command.action.as_str().to_owned(),
        outcome,
        message: message.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, stamped: bool, action: Action) -> Request {
        Request { id: id.into(), stamped, action: Requested::Known(action), without_savepoint: false }
    }

    fn remembered(id: &str, action: Action, done: bool) -> Command {
        Command { id: id.into(), action, done, without_savepoint: false }
    }

    #[test]
    fn a_command_is_taken_once() {
        let stop = request("7", false, Action::Stop);
        assert_eq!(inbox(None, Some(&stop)), Inbox::New(stop.clone()));
        let (command, report) = accept(&stop, Action::Stop);
        assert_eq!(report.outcome, Outcome::Accepted);
        let later = request("9", false, Action::Stop);
        assert_eq!(inbox(Some(&command), Some(&later)), Inbox::UnderWay);
        assert_eq!(inbox(Some(&command), None), Inbox::UnderWay);
        let start = request("9", false, Action::Start);
        assert_eq!(inbox(Some(&command), Some(&start)), Inbox::Meanwhile(start));
        let done = remembered("7", Action::Stop, true);
        assert_eq!(inbox(Some(&done), Some(&later)), Inbox::Reset);
        assert_eq!(inbox(Some(&done), None), Inbox::Forget);
    }

    #[test]
    fn another_command_after_one_that_is_done_is_new() {
        let done = remembered("7", Action::Stop, true);
        let start = request("9", false, Action::Start);
        assert_eq!(inbox(Some(&done), Some(&start)), Inbox::New(start));
        let again = request("12", true, Action::Stop);
        assert_eq!(inbox(Some(&done), Some(&again)), Inbox::New(again));
    }
}
