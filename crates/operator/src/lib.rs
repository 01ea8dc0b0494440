//! The operator of one namespace: `FlinkDeployment` → `FlinkCluster` and `FlinkJob`s → a supervisor Deployment per cluster.
//!
//! It reads from watched caches, decides with `lifecycle`, and writes under the resourceVersion that it saw. It speaks to Kubernetes
//! only; Flink is the supervisors' business. Invariant: a second operator beside it does no harm, so a single one needs no lease.

mod args;
pub mod caches;
mod control;
mod farewell;
pub mod key;
mod metrics;
pub mod pod;
pub mod reconcile;

use kit::Clock;
use kit::events::Events;
use kit::kubernetes::Namespaced;
use kit::monitoring::{self, Monitoring};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

pub use args::Args;
use control::{Access, Control, Transport};

/// Name of the component in events and metrics.
const COMPONENT: &str = "flink-operator";
/// Keys that are worked on at once: enough that one slow answer does not hold up the others.
const WIDTH: usize = 8;

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("connect to Kubernetes")]
    Connect(#[from] kit::client::ConnectError),
    #[error(transparent)]
    Monitoring(#[from] kit::monitoring::ServeError),
    #[error(transparent)]
    Control(#[from] control::ServeError),
    #[error(transparent)]
    Access(#[from] control::AccessError),
    #[error("listen to signals")]
    Signals(#[from] std::io::Error),
}

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: Args) -> Result<(), Error> {
    let token = kit::shutdown::token()?;
    // Before anything else: who gives wrong certificates should learn it at once, and not from a port that stays closed.
    let transport = args.control.access.transport()?;
    let client = kit::client::connect(args.kube_config.as_deref()).await?;
    serve_over(args, transport, client, token).await
}

/// Runs with this client until the token is cancelled; if its namespace goes, until that can go.
pub async fn serve(args: Args, client: Client, token: CancellationToken) -> Result<(), Error> {
    let transport = args.control.access.transport()?;
    serve_over(args, transport, client, token).await
}

async fn serve_over(args: Args, transport: Transport, client: Client, token: CancellationToken) -> Result<(), Error> {
    let namespace = args.namespace.clone();
    work(args, transport, client.clone(), token).await?;
    farewell::run(&client, &namespace).await;
    tracing::info!("operator ended");
    Ok(())
}

async fn work(args: Args, transport: Transport, client: Client, token: CancellationToken) -> Result<(), Error> {
    let access = Access::new(&args.control.access, &args.namespace, client.clone())?;
    let clock = Clock::machine();
    let queue = kit::queue::Queue::new(clock.clone());
    let caches = caches::start(&client, &args.namespace, &queue, &token);
    let mut registry = Registry::default();
    let timings = metrics::register(&mut registry, &args.namespace, &caches);
    let metrics = control::Metrics::register(&mut registry);
    transport.register(&mut registry);
    let address = kit::process::listen_address(args.monitoring_port);
    let watched = caches.clone();
    let ready = move || watched.missing().map_or(Ok(()), Err);
    let monitoring = Monitoring { version: env!("CARGO_PKG_VERSION"), registry, ready: Box::new(ready) };
    let address = monitoring::serve(address, monitoring, token.clone()).await?;
    tracing::info!(namespace = args.namespace, %address, version = env!("CARGO_PKG_VERSION"), "operator started");
    let control = Control::new(client.clone(), &args, caches.clone(), access, metrics, token.clone());
    serve_control(control, transport, args.control.port).await?;

    tokio::select! {
        () = token.cancelled() => return Ok(()),
        () = caches.synced() => tracing::info!("all resources are listed"),
    }
    let events = Events::start(client.clone(), COMPONENT);
    let settings = manifests::Settings { image: args.image, dry_run: args.dry_run };
    let kubernetes = Namespaced::new(client, &args.namespace);
    let context = reconcile::Context::new(kubernetes, clock, caches, events, settings);
    queue
        .drive(WIDTH, &token, |key| {
            let (context, queue, timings) = (context.clone(), queue.clone(), timings.clone());
            async move { timings.time(key.kind(), context.reconcile(key, &queue)).await }
        })
        .await;
    Ok(())
}

/// Serves the control API as the arguments say.
async fn serve_control(control: Control, transport: Transport, port: u16) -> Result<(), Error> {
    let tls = match transport {
        Transport::None => return Ok(()),
        Transport::Plain => None,
        Transport::Tls(certificates) => Some(certificates),
    };
    let secure = tls.is_some();
    control.keep_current(tls.clone());
    for address in kit::process::listen_addresses(port) {
        let address = control.clone().serve(address, tls.clone()).await?;
        tracing::info!(%address, tls = secure, "the control API is served");
    }
    Ok(())
}
