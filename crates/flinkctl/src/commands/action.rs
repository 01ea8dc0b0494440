//! Actions on clusters and jobs, and deleting: asked for, and waited for where that is wanted.

use std::time::Duration;

use control_api::Envelope;
use control_api::route::{Action, Operation};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::print::{self, Format, Habit};
use crate::session::{ClientArgs, Resource, Session};
use crate::wait::{self, Until};
use crate::{ExitStatus, Result};

/// Whether to wait, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct WaitArgs {
    /// Wait until it is done, at most so long: 60s, 5m
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = time)]
    pub wait: Option<Duration>,
}

/// Reads a time to wait.
pub fn time(text: &str) -> std::result::Result<Duration, String> {
    control_api::request::wait(text).map_err(|problem| problem.to_string())
}

/// How to start and stop.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct SavepointArgs {
    /// Stop without taking a savepoint; start without using one
    #[arg(long)]
    pub without_savepoint: bool,
}

/// How to delete.
#[derive(Clone, Debug, clap::Args)]
pub struct DeleteArgs {
    /// Refuse unless the resource has this version
    #[arg(long, value_name = "VERSION", hide_short_help = true)]
    pub resource_version: Option<String>,
}

/// Body of a start or stop.
pub fn options(args: SavepointArgs) -> Value {
    json!({ "withoutSavepoint": args.without_savepoint })
}

/// Carries out an action.
pub async fn act(resource: &Resource, action: Action, body: Value, wait: &WaitArgs, client: &ClientArgs) -> Result {
    let session = Session::open(client, Habit::Original).await?;
    let request = resource.request(|target| Operation::Act(target, action)).json(&body);
    match wait.wait {
        None if session.format == Format::Envelope => session.relay(&request, Duration::ZERO).await,
        None => {
            let answer = session.ask(&request).await?;
            said(&session, resource, &answer, asked(action))
        }
        Some(time) => {
            let request = request.by_post().with("wait", format!("{}ms", time.as_millis()));
            // The envelope does not tell what kind of refusal it is, so it is made here.
            let outcome = wait::action(&session, resource, &request, time).await?.outcome();
            if session.format == Format::Envelope {
                let envelope = outcome.as_ref().map_or_else(Envelope::refused, Envelope::of);
                print::data(&serde_json::to_string(&envelope).expect("an envelope is JSON"));
            }
            let result = outcome.map_err(|problem| Failure::refused(&problem))?;
            match session.format {
                Format::Envelope => Ok(ExitStatus::Done),
                _ => done(&session, resource, action, &result),
            }
        }
    }
}

/// Deletes a resource.
pub async fn delete(resource: &Resource, args: &DeleteArgs, wait: &WaitArgs, client: &ClientArgs) -> Result {
    let session = Session::open(client, Habit::Original).await?;
    let mut request = resource.request(Operation::Delete);
    if let Some(version) = &args.resource_version {
        request = request.with("resourceVersion", version);
    }
    let waiting = match wait.wait {
        Some(time) => Some((wait::Follower::open(&session, resource).await?, time)),
        None => None,
    };
    let answer = if session.format == Format::Envelope {
        session.relay(&request, Duration::ZERO).await?;
        None
    } else {
        Some(session.ask(&request).await?)
    };
    let word = if let Some((follower, time)) = waiting {
        follower.until(Until::Gone, time).await?;
        "is gone"
    } else {
        "is being deleted"
    };
    match answer {
        Some(answer) => said(&session, resource, &answer, word),
        None => Ok(ExitStatus::Done),
    }
}

fn asked(action: Action) -> &'static str {
    match action {
        Action::Start => "is asked to start",
        Action::Stop => "is asked to stop",
        Action::Scale => "is asked to scale",
        Action::TriggerSavepoint => "is asked for a savepoint",
        Action::ForgetSavepoint => "is asked to forget its savepoints",
    }
}

/// One line that says what was done, in the form that is wanted.
pub fn said(session: &Session, resource: &Resource, answer: &Value, words: &str) -> Result {
    if session.format == Format::Name {
        print::data(&resource.reference());
        return Ok(ExitStatus::Done);
    }
    session.show(answer, |_| format!("{} {words}", resource.said()))
}

/// What came of an action that was waited for.
fn done(session: &Session, resource: &Resource, action: Action, result: &Value) -> Result {
    let member = |name: &str| result.get(name).filter(|value| !value.is_null());
    let word = |name: &str| member(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let (words, more) = match action {
        Action::Start => ("has started", word("jobId").map(|id| format!("Flink job {id}"))),
        Action::Stop => ("has stopped", word("savepointPath")),
        Action::Scale => ("is scaled", word("message")),
        Action::TriggerSavepoint => ("has a new savepoint", word("savepointPath")),
        Action::ForgetSavepoint => ("has forgotten its savepoints", None),
    };
    match more {
        Some(more) => said(session, resource, result, &format!("{words}: {more}")),
        None => said(session, resource, result, words),
    }
}
