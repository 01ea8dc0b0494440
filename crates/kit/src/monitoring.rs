//! The monitoring server: `/version`, `/metrics`, `/healthz`, `/readyz`, without TLS, on port 8080 of the pod.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The port that the original uses as well.
pub const PORT: u16 = 8080;

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the server shows.
pub struct Monitoring {
    pub version: &'static str,
    pub registry: Registry,
    /// `Ok` when the process does its work, else what is missing, in words.
    pub ready: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[error("serve monitoring on {address}")]
pub struct ServeError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Binds the address and serves until the token is cancelled. Returns the bound address.
pub async fn serve(
    address: SocketAddr,
    monitoring: Monitoring,
    token: CancellationToken,
) -> Result<SocketAddr, ServeError> {
    let failed = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let router = router(monitoring);
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(token.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::warn!(%error, "monitoring ended");
        }
    });
    Ok(bound)
}

fn router(monitoring: Monitoring) -> Router {
    Router::new()
        .route("/version", get(version).options(no_content))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Arc::new(monitoring))
}

async fn no_content() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn version(State(monitoring): State<Arc<Monitoring>>) -> Response {
    axum::Json(serde_json::json!({"name": "flinkctl", "version": monitoring.version})).into_response()
}

async fn metrics(State(monitoring): State<Arc<Monitoring>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &monitoring.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(monitoring): State<Arc<Monitoring>>) -> Response {
    match (monitoring.ready)() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;
    use tokio_util::sync::CancellationToken;

    use super::{Monitoring, serve};

    #[tokio::test]
    async fn the_four_routes_answer() {
        crate::tls::install_provider();
        let mut registry = Registry::default();
        registry.register("flink_test", "A counter", Counter::<u64>::default());
        let ready = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ready);
        let check = move || {
            if seen.load(Ordering::Relaxed) { Ok(()) } else { Err("flinkjobs are not listed yet".into()) }
        };
        let monitoring = Monitoring { version: "1.2.3", registry, ready: Box::new(check) };
        let token = CancellationToken::new();
        let address = serve(([127, 0, 0, 1], 0).into(), monitoring, token.clone()).await.expect("bound");
        let get = async |path: &str| {
            let answer = reqwest::get(format!("http://{address}{path}")).await.expect("an answer");
            (answer.status().as_u16(), answer.text().await.expect("a text"))
        };
        assert_eq!(get("/version").await, (200, r#"{"name":"flinkctl","version":"1.2.3"}"#.to_owned()));
        assert!(get("/metrics").await.1.contains("flink_test_total 0"));
        assert_eq!(get("/healthz").await.0, 200);
        assert_eq!(get("/readyz").await, (503, "flinkjobs are not listed yet\n".to_owned()));
        ready.store(true, Ordering::Relaxed);
        assert_eq!(get("/readyz").await.0, 200);
        token.cancel();
    }
}
