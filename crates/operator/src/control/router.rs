//! From a request to an operation and back: the router made of the list of routes, and what every request goes through.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request as HttpRequest};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method as HttpMethod, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use control_api::route::{Method, Route};
use control_api::{BASE, Kind, Problem, ROUTES};
use kit::https::Peer;

use super::dialect::{Dialect, Reply};
use super::names::Names;
use super::query::Query;
use super::{Control, NOTHING, Request, body, has_body};

/// The whole API.
pub fn router(control: &Control) -> Router {
    let mut paths: BTreeMap<&str, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES {
        paths.entry(route.path).or_default().push(route);
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let routes: Arc<[&'static Route]> = routes.into();
        // The manual of flink-k8s-toolbox writes it in both ways.
        let alias = path.strip_prefix("/clusters").map(|rest| format!("/cluster{rest}"));
        for path in alias.into_iter().chain([path.to_owned()]) {
            let (control, routes) = (control.clone(), Arc::clone(&routes));
            let answer = move |params: Result<RawPathParams, RawPathParamsRejection>, request: HttpRequest| {
                let (control, routes) = (control.clone(), Arc::clone(&routes));
                async move { control.answer(&routes, params, request).await }
            };
            router = router.route(&format!("{BASE}{path}"), any(answer));
        }
    }
    router.fallback(no_such_route)
}

async fn no_such_route(request: HttpRequest) -> Response {
    if request.method() == HttpMethod::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let path = request.uri().path();
    let problem =
        Problem::new(Kind::NoSuchRoute, format!("no such path: {path}; all paths are in {BASE}/openapi.json"));
    let dialect = Dialect::of(request.uri().query(), request.headers());
    let answer = dialect.answer(Err(problem), request.method() == HttpMethod::GET);
    body::discard(request.into_body()).await;
    answer
}

impl Control {
    async fn answer(
        &self,
        routes: &[&'static Route],
        params: Result<RawPathParams, RawPathParamsRejection>,
        request: HttpRequest,
    ) -> Response {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let dialect = Dialect::of(parts.uri.query(), &parts.headers);
        let Some(route) = routes.iter().find(|route| is_method(&parts.method, route.method)) else {
            body::discard(body).await;
            return wrong_method(routes, &parts.method, dialect);
        };
        let mut body = Some(body);
        let result = self.carry_out(route, params, &parts, &mut body).await;
        if let Some(unread) = body {
            body::discard(unread).await;
        }
        let response = dialect.answer(result, route.method == Method::Get);
        self.0.metrics.observe(route.operation, response.status().as_u16(), started.elapsed());
        response
    }

    async fn carry_out(
        &self,
        route: &Route,
        params: Result<RawPathParams, RawPathParamsRejection>,
        parts: &Parts,
        body: &mut Option<Body>,
    ) -> Result<Reply, Problem> {
        let params = params.map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))?;
        let names = Names::read(params.iter())?;
        let query = Query::read(route, parts.uri.query())?;
        let caller = self.0.access.admit(&peer(parts), &parts.headers, route.operation, &names).await?;
        let result = async {
            let body = match body.take_if(|_| has_body(route.operation)) {
                Some(body) => body::read(body).await?,
                None => NOTHING,
            };
            let request = Request { method: route.method, names: &names, query: &query, body: &body };
            self.perform(route, &request).await
        };
        let result = result.await;
        self.0.access.audit(&caller, route.operation, &names, result.as_ref().map(drop));
        result
    }
}

/// HEAD is GET whose answer has no body.
fn is_method(asked: &HttpMethod, method: Method) -> bool {
    asked.as_str() == method.as_str() || (asked == HttpMethod::HEAD && method == Method::Get)
}

fn wrong_method(routes: &[&'static Route], method: &HttpMethod, dialect: Dialect) -> Response {
    let allowed: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    let allowed = allowed.join(", ");
    let mut response = if method == HttpMethod::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let problem = Problem::new(Kind::MethodNotAllowed, format!("{method} is not possible here; use {allowed}"));
        dialect.answer(Err(problem), method == HttpMethod::GET)
    };
    response.headers_mut().insert(ALLOW, HeaderValue::from_str(&allowed).expect("methods are plain words"));
    response
}

/// Who the connection belongs to; the server always says it.
fn peer(parts: &Parts) -> Peer {
    let nobody = || Peer { address: (Ipv4Addr::UNSPECIFIED, 0).into(), certificate: None };
    parts.extensions.get().cloned().unwrap_or_else(nobody)
}
