//! Watches as they go over the wire: one JSON document a line, sent at once.
//!
//! Invariant: a watcher that does not read holds up nobody; its events wait in the machinery's history, and if they
//! have left it meanwhile, the watch ends with 410 and the client lists anew.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use http::Response;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Server;
use super::reply::{self, Body};
use crate::machinery::Watch;

const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How long a watch lasts whose client does not say.
const DEFAULT_LIFE: Duration = Duration::from_mins(45);

struct Stream {
    server: Server,
    watch: Watch,
    revision: watch::Receiver<u64>,
    end: Instant,
    bookmark: Instant,
    over: bool,
}

pub(super) fn stream(server: Server, watch: Watch, query: &[(String, String)]) -> Response<Body> {
    let life = query
        .iter()
        .find(|(name, _)| name == "timeoutSeconds")
        .and_then(|(_, value)| value.parse().ok())
        .filter(|seconds| *seconds > 0)
        .map_or(DEFAULT_LIFE, Duration::from_secs);
    let now = Instant::now();
    let stream = Stream {
        revision: server.0.revision.subscribe(),
        server,
        watch,
        end: now + life,
        bookmark: now + BOOKMARK_EVERY,
        over: false,
    };
    reply::stream("application/json", stream::unfold(stream, Stream::next))
}

impl Stream {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        while !self.over {
            // Marked as seen before the events are read: what comes in between wakes us again.
            self.revision.borrow_and_update();
            let events = self.server.machinery().watch_events(&mut self.watch, Timestamp::now());
            match events {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return Some((lines(&events), self)),
                Err(error) => {
                    self.over = true;
                    return Some((lines(&[error]), self));
                }
            }
            if let Some(bookmark) = self.wait().await {
                return Some((lines(&[bookmark]), self));
            }
        }
        None
    }

    /// Waits for a new revision, the end, or the time of a bookmark.
    async fn wait(&mut self) -> Option<Value> {
        tokio::select! {
            changed = self.revision.changed() => self.over = changed.is_err(),
            () = tokio::time::sleep_until(self.end) => self.over = true,
            () = self.server.0.stop.cancelled() => self.over = true,
            () = tokio::time::sleep_until(self.bookmark) => {
                self.bookmark = Instant::now() + BOOKMARK_EVERY;
                return self.watch.bookmarks().then(|| self.server.machinery().bookmark(&self.watch));
            }
        }
        None
    }
}

fn lines(events: &[Value]) -> Bytes {
    let mut writer = BytesMut::new().writer();
    for event in events {
        serde_json::to_writer(&mut writer, event).expect("a JSON value is always written");
        writer.get_mut().put_u8(b'\n');
    }
    writer.into_inner().freeze()
}
