//! Supervises one Flink cluster and its jobs: the only writer of their status.
//!
//! It watches Kubernetes, asks Flink, lets `lifecycle` decide, persists the record, and carries the effects out.
//! Invariant: what it must remember is in the records; it may be killed at any time.

pub mod act;
mod args;
pub mod caches;
pub mod edge;
pub mod jobmanager;
mod knowledge;
pub mod metrics;
mod nodes;
pub mod observe;
pub mod reconcile;

pub use args::Args;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit::events::Events;
use kit::monitoring::{self, Monitoring};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::Actor;
use crate::caches::Caches;
use crate::edge::Production;
use crate::metrics::Metrics;
use crate::reconcile::Reconciler;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why the supervisor cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(#[from] kit::client::ConnectError),
    #[error(transparent)]
    Monitoring(#[from] kit::monitoring::ServeError),
    #[error("listen to signals")]
    Signals(#[from] std::io::Error),
    #[error("do what a supervisor does; its service account lacks a right: {0}")]
    Denied(String),
}

/// How long a right that is missing is waited for. Then the process ends: its last words stand in the pod's status, where the operator
/// finds them, since nothing else could be written.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: Args) -> Result<(), Error> {
    let token = kit::shutdown::token()?;
    let client = kit::client::connect(args.kube_config.as_deref()).await?;
    let changed = Arc::new(Notify::new());
    let caches = Caches::start(&client, &args.namespace, &args.cluster_name, &changed, &token);
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let missing = Arc::new(Mutex::new(Some("nothing is listed yet".to_owned())));
    serve(registry, &missing, &token).await?;
    tracing::info!(namespace = args.namespace, cluster = args.cluster_name, version = VERSION, "supervising");
    let actor = Actor {
        edge: Production::new(client.clone(), &args.namespace),
        caches: caches.clone(),
        cluster: args.cluster_name.clone(),
        settings: manifests::Settings { image: args.image.clone(), dry_run: args.dry_run },
        unseen: Mutex::default(),
    };
    let interval = Duration::from_secs(args.polling_interval.clamp(5, 60));
    let events = Events::start(client, "flink-supervisor");
    let mut reconciler = Reconciler::new(actor, caches.clone(), events, metrics, interval);
    let barred = Arc::clone(&reconciler.barred);
    tokio::select! {
        () = token.cancelled() => {}
        () = supervise(&mut reconciler, &changed, &missing) => {}
        why = denied(&caches, &barred) => {
            kit::process::leave_message(&format!("its service account lacks a right: {why}"));
            return Err(Error::Denied(why));
        }
    }
    tracing::info!("ending; the cluster and its jobs go on");
    Ok(())
}

/// Returns when a right has been missing for long, with what the API server says of it.
async fn denied(caches: &Caches, barred: &Mutex<Option<String>>) -> String {
    let mut since: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let why = caches.denied().or_else(|| barred.lock().unwrap_or_else(PoisonError::into_inner).clone());
        match why {
            None => since = None,
            Some(why) if since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE => return why,
            Some(_) => {}
        }
    }
}

async fn serve(
    registry: Registry,
    missing: &Arc<Mutex<Option<String>>>,
    token: &CancellationToken,
) -> Result<(), Error> {
    let state = Arc::clone(missing);
    let ready = move || {
        let missing = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        missing.map_or(Ok(()), Err)
    };
    let monitoring = Monitoring { version: VERSION, registry, ready: Box::new(ready) };
    monitoring::serve(kit::process::listen_address(monitoring::PORT), monitoring, token.clone()).await?;
    Ok(())
}

/// Passes follow changes, and time where time matters. Nothing is decided on half a picture.
async fn supervise(reconciler: &mut Reconciler<Production>, changed: &Notify, missing: &Mutex<Option<String>>) {
    let note = |why: Option<String>| *missing.lock().unwrap_or_else(PoisonError::into_inner) = why;
    note(reconciler.caches.missing());
    reconciler.caches.synced().await;
    note(None);
    loop {
        let pause = reconciler.pass().await;
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
