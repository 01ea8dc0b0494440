//! The two ways of answering: the envelope of flink-k8s-toolbox, and plain objects with telling codes and problem details.

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use control_api::answer::envelope_code;
use control_api::{Envelope, Kind, PLAIN_MEDIA_TYPE, Problem};

use super::document::Document;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Envelope,
    Plain,
}

/// What a request came to.
pub enum Reply {
    /// What was asked for.
    Answer(Document),
    /// Done. The document is more than clients of flink-k8s-toolbox expect, so the envelope says no more than that.
    Done(Document),
    /// The same in both dialects.
    Raw(Response),
}

impl Dialect {
    /// `?envelope=false` or the media type ask for plain answers.
    pub fn of(query: Option<&str>, headers: &HeaderMap) -> Self {
        let said = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("envelope=")));
        match said {
            Some("false") => return Self::Plain,
            Some("true") => return Self::Envelope,
            _ => {}
        }
        let plain = headers.get_all(ACCEPT).iter().any(|value| {
            value.as_bytes().windows(PLAIN_MEDIA_TYPE.len()).any(|part| part == PLAIN_MEDIA_TYPE.as_bytes())
        });
        if plain { Self::Plain } else { Self::Envelope }
    }

    /// The answer to a request; a question is one that changes nothing.
    pub fn answer(self, result: Result<Reply, Problem>, is_question: bool) -> Response {
        let too_often = result.as_ref().is_err_and(|problem| problem.kind == Kind::TooManyRequests);
        let mut response = self.write(result, is_question);
        if too_often {
            // Whole seconds are the least that this header can say.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn write(self, result: Result<Reply, Problem>, is_question: bool) -> Response {
        match (self, result) {
            (_, Ok(Reply::Raw(response))) => response,
            (Self::Envelope, Ok(Reply::Answer(document))) => json(200, JSON, document.enveloped()),
            (Self::Envelope, Ok(Reply::Done(_))) => json(200, JSON, Bytes::from_static(br#"{"status":"OK"}"#)),
            (Self::Plain, Ok(Reply::Answer(document) | Reply::Done(document))) => {
                json(200, PLAIN_MEDIA_TYPE, document.plain())
            }
            (Self::Envelope, Err(problem)) => {
                json(envelope_code(&problem, is_question), JSON, bytes(&Envelope::refused(&problem)))
            }
            (Self::Plain, Err(problem)) => json(problem.status, PROBLEM, bytes(&problem)),
        }
    }
}

fn bytes(answer: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(answer).expect("answers are plain structures").into()
}

fn json(code: u16, media_type: &'static str, body: Bytes) -> Response {
    let code = StatusCode::from_u16(code).expect("all codes of problems are codes");
    (code, [(CONTENT_TYPE, media_type)], Body::from(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C-05
    #[test]
    fn plain_answers_are_asked_for_by_query_or_media_type() {
        let none = HeaderMap::new();
        assert_eq!(Dialect::of(None, &none), Dialect::Envelope);
        assert_eq!(Dialect::of(Some("wait=1s&envelope=false"), &none), Dialect::Plain);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/html, application/vnd.flinkctl.v1+json;q=0.9"));
        assert_eq!(Dialect::of(None, &headers), Dialect::Plain);
        assert_eq!(Dialect::of(Some("envelope=true"), &headers), Dialect::Envelope);
    }
}
