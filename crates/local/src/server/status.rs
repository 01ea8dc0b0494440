//! `Status` answers of the server itself: what never reaches the machinery.

use http::StatusCode;
use serde_json::{Value, json};

/// A failure in the words and shape of a Kubernetes API server.
#[derive(Debug, Clone)]
pub struct Failure {
    code: StatusCode,
    reason: &'static str,
    message: String,
}

impl Failure {
    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message: message.into() }
    }

    /// Nobody known asks.
    pub fn unauthorized() -> Self {
        Self { code: StatusCode::UNAUTHORIZED, reason: "Unauthorized", message: "Unauthorized".to_owned() }
    }

    /// The body is larger than the server takes.
    pub fn too_large(limit: usize) -> Self {
        Self {
            code: StatusCode::PAYLOAD_TOO_LARGE,
            reason: "RequestEntityTooLarge",
            message: format!("Request entity too large: limit is {limit}"),
        }
    }

    /// Something does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: StatusCode::NOT_FOUND, reason: "NotFound", message: message.into() }
    }

    /// The method is not one that this path knows.
    pub fn method_not_allowed() -> Self {
        Self {
            code: StatusCode::METHOD_NOT_ALLOWED,
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource".to_owned(),
        }
    }

    /// The server cannot do its work.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: StatusCode::INTERNAL_SERVER_ERROR, reason: "InternalError", message: message.into() }
    }

    /// The HTTP status.
    pub fn code(&self) -> StatusCode {
        self.code
    }

    /// The `Status` object.
    pub fn body(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code.as_u16(),
        })
    }
}
