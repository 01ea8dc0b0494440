//! An answer in any of its forms: a plain object, problem details, or the envelope, which older operators always send.

use control_api::{Envelope, Kind, PLAIN_MEDIA_TYPE, Problem, Status};
use serde_json::Value;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as it is.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What was asked for, or why it was not done.
    pub fn outcome(&self) -> Result<Value, Problem> {
        let is = |media_type: &str| self.content_type.starts_with(media_type);
        let succeeded = (200..300).contains(&self.code);
        if is("application/problem+json") {
            return Err(serde_json::from_slice(&self.body).unwrap_or_else(|_| self.unknown()));
        }
        if is(PLAIN_MEDIA_TYPE) && succeeded {
            return if self.body.is_empty() { Ok(Value::Null) } else { self.value() };
        }
        match serde_json::from_slice::<Envelope>(&self.body) {
            Ok(envelope) if envelope.status == Status::Ok && succeeded => {
                envelope.content().map_err(|error| self.garbled(&error))
            }
            Ok(envelope) => {
                Err(envelope.error.map_or_else(|| self.unknown(), |error| Problem::new(self.kind(), error)))
            }
            Err(_) if succeeded => self.value(),
            Err(_) => Err(self.unknown()),
        }
    }

    fn value(&self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| self.garbled(&error))
    }

    fn garbled(&self, error: &serde_json::Error) -> Problem {
        Problem::new(Kind::Internal, format!("the answer cannot be read: {error}: {}", self.excerpt()))
    }

    fn unknown(&self) -> Problem {
        let excerpt = self.excerpt();
        let said = if excerpt.is_empty() { "without a word".to_owned() } else { excerpt };
        Problem::new(self.kind(), format!("HTTP {}: {said}", self.code))
    }

    fn excerpt(&self) -> String {
        kit::error::shorten(self.text().trim(), 300)
    }

    fn kind(&self) -> Kind {
        match self.code {
            400 => Kind::BadRequest,
            401 => Kind::Unauthenticated,
            403 => Kind::Forbidden,
            404 => Kind::NoSuchRoute,
            405 => Kind::MethodNotAllowed,
            409 => Kind::Conflict,
            413 => Kind::TooLarge,
            422 => Kind::Invalid,
            429 => Kind::TooManyRequests,
            502 => Kind::KubernetesRefused,
            503 => Kind::Unavailable,
            504 => Kind::FlinkUnreachable,
            _ => Kind::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(code: u16, content_type: &str, body: &str) -> Answer {
        Answer { code, content_type: content_type.to_owned(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn every_form_of_an_answer_is_understood() {
        let names = json!(["demo"]);
        assert_eq!(answer(200, PLAIN_MEDIA_TYPE, r#"["demo"]"#).outcome(), Ok(names.clone()));
        assert_eq!(answer(200, PLAIN_MEDIA_TYPE, "").outcome(), Ok(Value::Null));
        assert_eq!(answer(200, "application/json", r#"{"status":"OK","output":"[\"demo\"]"}"#).outcome(), Ok(names));
        assert_eq!(
            answer(200, "application/json", r#"{"openapi":"3.1.0"}"#).outcome(),
            Ok(json!({"openapi": "3.1.0"}))
        );
    }

    #[test]
    fn every_form_of_a_refusal_is_understood() {
        let problem = Problem::new(Kind::Conflict, "somebody else changed it");
        let body = serde_json::to_string(&problem).expect("it is JSON");
        assert_eq!(answer(409, "application/problem+json", &body).outcome(), Err(problem));
        let said = |answer: Answer| answer.outcome().expect_err("it is refused").to_string();
        assert_eq!(
            said(answer(200, "application/json", r#"{"status":"FAILURE","error":"no such job"}"#)),
            "no such job"
        );
        assert_eq!(said(answer(200, "application/json", r#"{"status":"ERROR"}"#)), r#"HTTP 200: {"status":"ERROR"}"#);
        assert_eq!(said(answer(502, "text/html", " bad gateway\n")), "HTTP 502: bad gateway");
        assert_eq!(said(answer(500, "", "")), "HTTP 500: without a word");
    }
}
