//! A look at everything that flinkctl stands on: each finding is well, worth a look, or wrong, and says how to mend it.
//!
//! A check that cannot be made is a finding too; it never stops the others. Nothing is changed.

mod certificate;
mod flink;
mod kubernetes;
mod operator;
mod rights;
mod storage;

use serde::Serialize;
use std::fmt::Write as _;

use crate::connection::{ConnectionArgs, Kubernetes};
use crate::failure::Failure;
use crate::namespace::Namespace;
use crate::print::{Look, Tone};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: String,
    pub state: State,
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Check {
    pub fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, message: message.into(), mend: None }
    }

    pub fn warn(name: impl Into<String>, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Warn, message: message.into(), mend: Some(mend.into()) }
    }

    pub fn fail(name: impl Into<String>, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Fail, message: message.into(), mend: Some(mend.into()) }
    }

    /// From a failure of something else.
    fn of(name: &str, state: State, failure: &Failure, otherwise: &str) -> Self {
        let (message, hint) = failure.parts();
        let mend = Some(hint.unwrap_or(otherwise).to_owned());
        Self { name: name.to_owned(), state, message: message.to_owned(), mend }
    }
}

/// Makes all checks.
pub async fn examine(connection: &ConnectionArgs) -> Vec<Check> {
    let place = match connection.place() {
        Ok(place) => place,
        Err(failure) => return vec![Check::of("command line", State::Fail, &failure, "see --help")],
    };
    let mut checks = Vec::new();
    let kubernetes = match Kubernetes::open(&place.kubernetes).await {
        Ok(kubernetes) => Some(kubernetes),
        Err(failure) => {
            checks.push(Check::of("kubernetes", State::Fail, &failure, "give --kube-config"));
            None
        }
    };
    let mut namespace = None;
    if let Some(kubernetes) = kubernetes {
        let reached = kubernetes::reach(&kubernetes).await;
        let reachable = reached.state != State::Fail;
        checks.push(reached);
        if reachable {
            let name = kubernetes.clusters().await.unwrap_or_else(|_| kubernetes.namespace().to_owned());
            namespace = Some(Namespace { client: kubernetes.client, name });
        }
    }
    if let Some(namespace) = &namespace {
        checks.extend(kubernetes::definitions(namespace).await);
        checks.push(kubernetes::own_rights(namespace).await);
    }
    checks.extend(operator::all(connection, namespace.as_ref()).await);
    if let Some(namespace) = &namespace {
        checks.extend(flink::all(namespace).await);
    }
    checks
}

/// The checks for people: one line each, and below it how to mend it.
pub fn render(checks: &[Check], look: &Look) -> String {
    let mut text = String::new();
    for check in checks {
        let (word, tone) = match check.state {
            State::Ok => ("ok  ", Tone::Good),
            State::Warn => ("warn", Tone::Busy),
            State::Fail => ("FAIL", Tone::Bad),
        };
        let _ = write!(text, "{}  {}: {}\n", tone.paint(word, look.color), check.name, check.message);
        if let Some(mend) = check.mend.as_ref().filter(|_| check.state != State::Ok) {
            let _ = write!(text, "      -> {mend}\n");
        }
    }
    let count = |state: State| checks.iter().filter(|check| check.state == state).count();
    let _ =
        write!(text, "\n{} ok, {} worth a look, {} wrong\n", count(State::Ok), count(State::Warn), count(State::Fail));
    text
}
