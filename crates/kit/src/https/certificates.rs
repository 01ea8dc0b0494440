//! The certificates of a server, which follow their files.
//!
//! Invariant: what is in use was whole when it was loaded. Files that are damaged, expired or half written change nothing but the log.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::tls::{Clients, Error, Material, Protocols, Source};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(20);
/// How long before the end warnings begin.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Refused handshakes are told at most this often, in milliseconds.
const REFUSALS_MILLIS: u64 = 10_000;

/// The certificates of a server; clones are handles to the same.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

/// Tells when the certificate in use ends, as seconds since 1970: for a metric.
pub type Expiry = Gauge<i64, AtomicI64>;

struct Inner {
    source: Option<(Source, Protocols, Clients)>,
    current: RwLock<Arc<ServerConfig>>,
    expires: Expiry,
    started: Instant,
    /// When a refusal was last told, in milliseconds since the start, and how many were not told since.
    told: AtomicU64,
    untold: AtomicU64,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Certificates")
    }
}

impl Certificates {
    /// Loads what the files hold now. It blocks for a part of a second where key stores are opened.
    pub fn load(source: Source, protocols: Protocols, clients: Clients) -> Result<Self, Error> {
        let (config, expires) = read(&source, protocols, clients)?;
        let loaded = Self::new(config, Some((source, protocols, clients)));
        loaded.0.expires.set(expires.as_second());
        Ok(loaded)
    }

    /// A configuration that stays as it is.
    pub fn fixed(config: ServerConfig) -> Self {
        Self::new(Arc::new(config), None)
    }

    fn new(config: Arc<ServerConfig>, source: Option<(Source, Protocols, Clients)>) -> Self {
        Self(Arc::new(Inner {
            source,
            current: RwLock::new(config),
            expires: Expiry::default(),
            started: Instant::now(),
            told: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }))
    }

    /// When the certificate in use ends; 0 for one that does not come from files.
    pub fn expiry(&self) -> Expiry {
        self.0.expires.clone()
    }

    /// What new connections are made with.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up files that change, and warns of the end of the certificate, until the token is cancelled.
    pub async fn follow(self, token: CancellationToken) {
        self.follow_every(LOOK, token).await;
    }

    /// The same, looking as often as told.
    pub(super) async fn follow_every(self, period: Duration, token: CancellationToken) {
        let Some((source, ..)) = &self.0.source else { return };
        let mut seen = marks(source);
        let mut failure = None;
        let mut warned = None;
        loop {
            self.warn_of_the_end(&mut warned, Timestamp::now());
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(period) => {}
            }
            let marks = marks(source);
            // What could not be used is tried again: a half of it may have been missing.
            if marks == seen && failure.is_none() {
                continue;
            }
            seen = marks;
            match self.reload().await {
                Ok(()) => {
                    failure = None;
                    warned = None;
                }
                Err(error) => {
                    let error = Some(crate::chain(&error));
                    if failure != error {
                        let why = error.as_deref().unwrap_or_default();
                        tracing::warn!(error = why, "failed to take up new certificates; the old ones stay in use");
                        failure = error;
                    }
                }
            }
        }
    }

    async fn reload(&self) -> Result<(), Error> {
        let Some((source, protocols, clients)) = self.0.source.clone() else { return Ok(()) };
        // Passwords of key stores are stretched, which would hold up everybody else.
        let task = tokio::task::spawn_blocking(move || read(&source, protocols, clients));
        // The task does not panic, and it is cancelled only when the process ends.
        let Ok(loaded) = task.await else { return Ok(()) };
        let (config, expires) = loaded?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.0.expires.set(expires.as_second());
        tracing::info!(%expires, "new certificates are in use");
        Ok(())
    }

    /// Once a day from a month before the end on.
    fn warn_of_the_end(&self, warned: &mut Option<Timestamp>, now: Timestamp) {
        let Ok(expires) = Timestamp::from_second(self.0.expires.get()) else { return };
        if expires.duration_since(now) > SOON || warned.is_some_and(|last| now.duration_since(last) < DAY) {
            return;
        }
        *warned = Some(now);
        let path = self.0.source.as_ref().map_or(Path::new(""), |(source, ..)| source.own());
        if now < expires {
            tracing::warn!(path = %path.display(), %expires, "the certificate expires soon; make a new one");
        } else {
            tracing::error!(path = %path.display(), %expires, "the certificate has expired; clients refuse it");
        }
    }

    /// Tells why a client was refused, though not of each: anybody can cause it as often as they like.
    pub(super) fn refused(&self, address: SocketAddr, error: &std::io::Error) {
        let inner = &self.0;
        let now = u64::try_from(inner.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let told = inner.told.load(Ordering::Relaxed);
        let due = told == 0 || now.saturating_sub(told) >= REFUSALS_MILLIS;
        if due && inner.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let more = inner.untold.swap(0, Ordering::Relaxed);
            tracing::warn!(%address, %error, more, "refused a connection");
        } else {
            inner.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn read(source: &Source, protocols: Protocols, clients: Clients) -> Result<(Arc<ServerConfig>, Timestamp), Error> {
    let material = Material::load(source, Timestamp::now())?;
    let unfit = |why: rustls::Error| Error::Certificate { path: source.own().to_owned(), why: why.to_string() };
    Ok((Arc::new(material.server(protocols, clients).map_err(unfit)?), material.expires()))
}

/// What tells that a file is another one, without reading it. Follows the links that mounts of Kubernetes consist of.
fn marks(source: &Source) -> Vec<Option<Mark>> {
    source.files().into_iter().map(|path| mark(path).ok()).collect()
}

#[derive(PartialEq, Eq)]
struct Mark {
    modified: SystemTime,
    length: u64,
    #[cfg(unix)]
    file: (u64, i64, i64),
}

fn mark(path: &Path) -> std::io::Result<Mark> {
    let metadata = std::fs::metadata(path)?;
    Ok(Mark {
        modified: metadata.modified()?,
        length: metadata.len(),
        #[cfg(unix)]
        file: {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        },
    })
}
