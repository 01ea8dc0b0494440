//! HTTP bodies of the API server: whole JSON documents, plain text, and streams.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::status::Failure;

const JSON: &str = "application/json";

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A whole JSON document.
pub fn json(status: u16, body: &Value) -> Response<Body> {
    json_as(status, JSON, body)
}

/// A whole JSON document under a media type that says more than that.
pub fn json_as(status: u16, content_type: &'static str, body: &Value) -> Response<Body> {
    let bytes = serde_json::to_vec(body).expect("a JSON value is always written");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    whole(status, content_type, bytes.into())
}

/// A document in a binary form.
pub fn binary(content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    whole(StatusCode::OK, content_type, body.into())
}

/// Adds what a client should tell its user. A warning that no header can hold is dropped.
pub fn with_warnings(mut response: Response<Body>, warnings: &[String]) -> Response<Body> {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// Plain text.
pub fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    whole(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

/// A failure as a `Status` document.
pub fn failure(failure: &Failure) -> Response<Body> {
    json(failure.code().as_u16(), &failure.body())
}

/// Chunks as they come.
pub fn stream(content_type: &'static str, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
    respond(StatusCode::OK, content_type, StreamBody::new(frames).boxed_unsync())
}

/// An answer without anything in it.
pub fn nothing(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = status;
    response
}

fn whole(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    respond(status, content_type, Full::new(bytes).boxed_unsync())
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CACHE_CONTROL, "no-cache, private")
        .body(body)
        .expect("constant header names and values")
}
