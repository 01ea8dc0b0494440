//! Waiting for what was asked for, told of by the operator's watch; nothing is asked again and again.

use std::time::Duration;

use control_api::route::Operation;
use control_client::{Answer, Request, Style, Watch};
use serde_json::Value;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::print::{self, Progress};
use crate::session::{Resource, Session};
use crate::{ExitStatus, Result, spec};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It does what its spec says, or has ended well.
    Ready,
    Gone,
}

/// How often the clock of the progress moves.
const TICK: Duration = Duration::from_millis(250);

/// One resource as it changes.
pub struct Follower<'a> {
    session: &'a Session,
    resource: &'a Resource,
    watch: Watch,
    progress: Progress,
    /// As it was last seen.
    last: Option<Value>,
    /// All that was there in the beginning has been told.
    synced: bool,
    /// What was there in the beginning is news.
    from_begin: bool,
}

/// What a change says.
#[derive(Debug, PartialEq)]
enum News {
    Is(Value),
    Gone,
    Synced,
}

impl<'a> Follower<'a> {
    /// Begins to follow.
    pub async fn open(session: &'a Session, resource: &'a Resource) -> Result<Self> {
        let request = Request::new(Operation::Watch, [""; 0])
            .with("kind", spec::kind_of(resource.target))
            .with("name", resource.name());
        let opened = session.connection.client.watch(&request).await;
        let watch = opened.map_err(|error| session.explained(error))?;
        Ok(Self { session, resource, watch, progress: Progress::new(), last: None, synced: false, from_begin: true })
    }

    /// The next change of this resource; `None` when the operator has ended the stream.
    async fn news(&mut self) -> Result<Option<News>> {
        loop {
            let Some(message) = self.watch.next().await.map_err(|error| self.session.explained(error))? else {
                return Ok(None);
            };
            let Ok(mut data) = serde_json::from_str::<Value>(&message.data) else {
                continue;
            };
            let change = data["type"].as_str().unwrap_or_default().to_owned();
            if change == "SYNCED" {
                return Ok(Some(News::Synced));
            }
            let object = data["object"].take();
            if object["metadata"]["name"] != self.resource.name().as_str() {
                continue;
            }
            return Ok(Some(if change == "DELETED" { News::Gone } else { News::Is(object) }));
        }
    }

    /// Takes in a change, and tells of it.
    fn learn(&mut self, news: News) {
        match news {
            News::Is(object) => {
                let state = print::state(&object);
                let same = self.last.as_ref().is_some_and(|last| print::state(last) == state);
                if (self.synced || self.from_begin) && !same {
                    self.progress.tell(&format!("{}: {state}", self.resource.said()));
                }
                self.last = Some(object);
            }
            News::Gone => self.last = None,
            News::Synced => self.synced = true,
        }
    }

    fn ended(&self) -> Failure {
        Failure::new(format!("the operator at {} ended the watch", self.session.connection.client.address()))
            .with(ExitStatus::Unreachable)
            .hint("it may have been replaced: ask again")
    }

    fn too_late(&self, time: Duration) -> Failure {
        let state = self.last.as_ref().map_or_else(|| "it is not there".to_owned(), print::state);
        Failure::new(format!("{} is not done after {time:?}: {state}", self.resource.said()))
            .with(ExitStatus::TimedOut)
            .hint("it goes on by itself; wait longer with --wait=TIME")
    }

    /// Waits for the end.
    pub async fn until(mut self, until: Until, time: Duration) -> Result {
        let deadline = Instant::now() + time;
        let mut seen = until == Until::Gone;
        loop {
            let mut tick = tokio::time::interval(TICK);
            let news = loop {
                tokio::select! {
                    news = self.news() => break news?,
                    _ = tick.tick() => self.progress.tick(),
                    () = tokio::time::sleep_until(deadline) => return Err(self.too_late(time)),
                }
            };
            let Some(news) = news else {
                return Err(self.ended());
            };
            let gone = news == News::Gone;
            self.learn(news);
            match (until, &self.last) {
                (Until::Gone, None) if self.synced && seen => return Ok(ExitStatus::Done),
                (Until::Ready, Some(object)) => {
                    seen = true;
                    match settled(object) {
                        Some(Ok(())) => return Ok(ExitStatus::Done),
                        Some(Err(why)) => {
                            return Err(Failure::new(format!("{} cannot go on: {why}", self.resource.said())));
                        }
                        None => {}
                    }
                }
                (Until::Ready, None) if gone => {
                    return Err(Failure::new(format!("{} was deleted", self.resource.said())));
                }
                _ => {}
            }
        }
    }
}

/// Whether a resource has come to rest as its newest spec says: well, or in trouble.
fn settled(object: &Value) -> Option<std::result::Result<(), String>> {
    let condition = |type_: &str| {
        let conditions = object.pointer("/status/conditions")?.as_array()?;
        conditions.iter().find(|one| one["type"] == type_)
    };
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let current = |one: &&Value| {
        let observed = one["observedGeneration"].as_i64();
        observed.is_none() || generation.is_none() || observed >= generation
    };
    let holds = |type_: &str| condition(type_).filter(current).is_some_and(|one| one["status"] == "True");
    if holds("Stalled") {
        return Some(Err(print::state(object)));
    }
    let reason = condition("Ready").filter(current).and_then(|one| one["reason"].as_str());
    let ended = matches!(reason, Some("Finished" | "Stopped" | "Suspended"));
    (holds("Ready") || ended).then_some(Ok(()))
}

/// Waits for a state of a resource.
pub async fn until(session: &Session, resource: &Resource, until: Until, time: Duration) -> Result {
    Follower::open(session, resource).await?.until(until, time).await
}

/// Sends an action whose answer comes when it is done, and tells meanwhile how it goes.
pub async fn action(session: &Session, resource: &Resource, request: &Request, time: Duration) -> Result<Answer> {
    let mut follower = Follower::open(session, resource).await.ok();
    if let Some(follower) = &mut follower {
        follower.from_begin = false;
        follower.progress.tell(&format!("{}: the supervisor is asked", resource.said()));
    }
    let sending = session.connection.client.send(request, Style::Plain, time);
    tokio::pin!(sending);
    let mut tick = tokio::time::interval(TICK);
    loop {
        let news = async {
            match follower.as_mut() {
                Some(follower) => follower.news().await,
                None => std::future::pending().await,
            }
        };
        let news = tokio::select! {
            answer = &mut sending => return answer.map_err(|error| session.explained(error)),
            news = news => Some(news),
            _ = tick.tick() => None,
        };
        match (news, follower.as_mut()) {
            (Some(Ok(Some(news))), Some(follower)) => follower.learn(news),
            (None, Some(follower)) => follower.progress.tick(),
            // Without the watch it waits in silence.
            _ => follower = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(generation: i64, conditions: &[(&str, &str, &str)]) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(type_, status, reason)| {
                json!({ "type": type_, "status": status, "reason": reason, "message": "words", "observedGeneration": 2 })
            })
            .collect();
        json!({ "metadata": { "generation": generation }, "status": { "conditions": conditions } })
    }

    #[test]
    fn a_resource_has_settled_when_its_newest_spec_has() {
        assert_eq!(settled(&object(2, &[("Ready", "True", "Running")])), Some(Ok(())));
        assert_eq!(settled(&object(3, &[("Ready", "True", "Running")])), None);
        assert_eq!(settled(&object(2, &[("Ready", "False", "Starting")])), None);
        assert_eq!(settled(&object(2, &[("Ready", "False", "Finished")])), Some(Ok(())));
        let stalled = object(2, &[("Ready", "False", "ImageError"), ("Stalled", "True", "ImageError")]);
        assert_eq!(settled(&stalled), Some(Err("ImageError: words".to_owned())));
        assert_eq!(settled(&json!({})), None);
    }
}
