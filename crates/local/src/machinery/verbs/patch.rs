//! patch: what a patch makes of an object, written as an update.

use serde_json::Value;

use super::super::error::{Failure, Result};
use super::super::{Machinery, Reply, request};
use super::{Call, decode};

impl Machinery {
    pub(crate) fn patch(&mut self, mut call: Call<'_>) -> Result<Reply> {
        let (key, current) = self.current(&call)?;
        let mut new = Value::clone(&current);
        let body = &call.request.body;
        match request::media_type(call.request) {
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| Failure::bad_request(error.to_string()))?;
                json_patch::patch(&mut new, &patch).map_err(|error| Failure::new(422, "Invalid", format!("the server rejected our request due to an error in our request: {error}")))?;
            }
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                let patch: Value = serde_json::from_slice(body).map_err(|error| Failure::bad_request(error.to_string()))?;
                json_patch::merge(&mut new, &patch);
            }
            _ => return Err(Failure::unsupported_media_type("application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")),
        }
        let new = decode(&mut call, new)?;
        let object = self.update(&mut call, &key, &current, new)?;
        Ok(call.answer(200, &object))
    }
}
