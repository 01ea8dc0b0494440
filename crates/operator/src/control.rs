//! The control API: every route of [`control_api::ROUTES`], served from the caches, from Kubernetes and from Flink.
//!
//! It writes what users could write with `kubectl`, and nothing else: the supervisors carry actions out. Invariant: a request that
//! fails or hangs harms no other one, and every answer but a stream is JSON.

mod access;
mod action;
mod body;
mod dialect;
mod document;
mod events;
mod explain;
mod flink;
mod kubernetes;
mod metrics;
mod names;
mod query;
mod read;
mod router;
mod served;
mod stamps;
mod wait;
mod watch;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use control_api::route::{Action, Method, Route};
use control_api::{Kind, Operation, Problem};
use kit::https::{Certificates, Limits};
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::{Access, Error as AccessError, Options as AccessOptions, Transport};
pub use metrics::Metrics;

use crate::args::Args;
use crate::caches::Caches;
use dialect::Reply;
use names::Names;
use query::Query;

/// Everything that a request needs. Cheap to clone.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    client: Client,
    namespace: String,
    caches: Caches,
    access: Access,
    metrics: Metrics,
    statuses: document::Documents,
    stamps: stamps::Stamps,
    flink: flink::Clients,
    /// Ends streams and waiting requests.
    token: CancellationToken,
}

/// What is asked for, once it was understood and allowed.
struct Request<'a> {
    method: Method,
    names: &'a Names,
    query: &'a Query,
    body: &'a [u8],
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[error("serve the control API on {address}")]
pub struct ServeError {
    address: SocketAddr,
    source: std::io::Error,
}

impl Control {
    pub fn new(
        client: Client,
        args: &Args,
        caches: Caches,
        access: Access,
        metrics: Metrics,
        token: CancellationToken,
    ) -> Self {
        // Kubernetes tells each of its pods where it is.
        let inside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && args.kube_config.is_none();
        let reach = flink::Reach::new(&args.flink, !inside);
        Self(Arc::new(Inner {
            client,
            namespace: args.namespace.clone(),
            caches,
            access,
            metrics,
            statuses: document::Documents::default(),
            stamps: stamps::Stamps::default(),
            flink: flink::Clients::new(reach),
            token,
        }))
    }

    /// Binds the address and serves until the token is cancelled. Returns the bound address.
    pub async fn serve(self, address: SocketAddr, tls: Option<Certificates>) -> Result<SocketAddr, ServeError> {
        let failed = |source| ServeError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let token = self.0.token.clone();
        tokio::spawn(kit::https::serve(listener, tls, Limits::default(), router::router(&self), token));
        Ok(bound)
    }

    /// Takes up certificates and grants whose files change, until the token is cancelled.
    pub fn keep_current(&self, tls: Option<Certificates>) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move { inner.access.follow(inner.token.clone()).await });
        if let Some(tls) = tls {
            tokio::spawn(tls.follow(self.0.token.clone()));
        }
    }

    /// Carries out what a route says.
    async fn perform(&self, route: &Route, request: &Request<'_>) -> Result<Reply, Problem> {
        use control_api::route::Target::{Cluster, Deployment, Job};
        match route.operation {
            Operation::Names(target) => self.names(target, request.names),
            Operation::List(target) => self.list(target),
            Operation::Get(Deployment) => self.get::<api::FlinkDeployment>(request.names),
            Operation::Get(Cluster) => self.get::<api::FlinkCluster>(request.names),
            Operation::Get(Job) => self.get::<api::FlinkJob>(request.names),
            Operation::Status(Deployment) => self.status::<api::FlinkDeployment>(request.names),
            Operation::Status(Cluster) => self.status::<api::FlinkCluster>(request.names),
            Operation::Status(Job) => self.status::<api::FlinkJob>(request.names),
            Operation::Create(Deployment) => self.create::<api::FlinkDeployment>(request).await,
            Operation::Create(Cluster) => self.create::<api::FlinkCluster>(request).await,
            Operation::Create(Job) => self.create::<api::FlinkJob>(request).await,
            Operation::Update(Deployment) => self.update::<api::FlinkDeployment>(request).await,
            Operation::Update(Cluster) => self.update::<api::FlinkCluster>(request).await,
            Operation::Update(Job) => self.update::<api::FlinkJob>(request).await,
            Operation::Delete(Deployment) => self.delete::<api::FlinkDeployment>(request).await,
            Operation::Delete(Cluster) => self.delete::<api::FlinkCluster>(request).await,
            Operation::Delete(Job) => self.delete::<api::FlinkJob>(request).await,
            Operation::Act(Cluster, action) => self.act::<api::FlinkCluster>(action, request).await,
            Operation::Act(Job, action) => self.act::<api::FlinkJob>(action, request).await,
            Operation::Act(Deployment, action) => Err(Problem::new(
                Kind::NoSuchRoute,
                format!("a deployment has no {}; ask its cluster or its jobs", action.as_str()),
            )),
            Operation::OpenApi => Ok(Reply::Raw(read::openapi())),
            Operation::Events(target) => self.events(target, request.names).await,
            Operation::Explain(target) => self.explain(target, request.names).await,
            Operation::JobDetails => self.job_details(request.names).await,
            Operation::JobMetrics => self.job_metrics(request.names).await,
            Operation::JobManagerMetrics => self.job_manager_metrics(request.names).await,
            Operation::TaskManagers => self.task_managers(request.names).await,
            Operation::TaskManagerDetails => self.task_manager_details(request.names).await,
            Operation::TaskManagerMetrics => self.task_manager_metrics(request.names).await,
            Operation::Watch => self.watch(request.query),
        }
    }
}

/// Whether the body of a request is looked at. Others may have one, as clients of flink-k8s-toolbox send `null` with some.
fn has_body(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Create(_) | Operation::Update(_) | Operation::Act(_, Action::Start | Action::Stop | Action::Scale)
    )
}

/// A JSON document as the body of an answer.
fn text(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(value)
        .map_err(|error| Problem::new(Kind::Internal, format!("the answer is no JSON: {error}")))
}

/// An empty body.
const NOTHING: Bytes = Bytes::new();
