//! Questions: reviews of users and their tokens, and requests for tokens. Nothing of them is kept.
//!
//! Tokens are secrets, which the machinery does not know: it makes the object whole and leaves the answer to its caller.

use std::sync::Arc;

use serde_json::Value;

use super::super::error::{Failure, FieldError, Result};
use super::super::kinds::TOKEN_REQUEST;
use super::super::{Bound, Machinery, Question, Reply, fields, meta};
use super::admit::{Source, tracking};
use super::{Call, body, decode};

/// The shortest life of a token, in seconds.
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;

/// The answer to a question that was found to be one.
pub(super) fn answer(call: Call<'_>, mut object: Value) -> Result<Reply> {
    match call.kind.resource.as_str() {
        "selfsubjectreviews" => {
            meta::metadata(&mut object).insert("creationTimestamp".into(), meta::seconds(call.now).into());
            object["status"]["userInfo"] = call.request.user.info();
        }
        "tokenreviews" => {
            if meta::text(&object, "/spec/token").is_empty() {
                return Err(Failure::bad_request("token is required for TokenReview in authentication"));
            }
            return Ok(Reply::Ask { question: Question::Review, object, warnings: call.warnings.take() });
        }
        _ => {}
    }
    Ok(call.answer(201, &Arc::new(object)))
}

impl Machinery {
    pub(super) fn ask_for_token(&self, mut call: Call<'_>) -> Result<Reply> {
        let accounts = std::mem::replace(&mut call.kind, TOKEN_REQUEST.clone());
        let content = body(&call)?;
        let mut object = decode(&mut call, content, Source::Body)?;
        tracking(&call, |tracking| fields::track(tracking, None, &mut object));
        let name = call.target.name.clone().unwrap_or_default();
        let namespace = call.namespace().unwrap_or_default().to_owned();
        for (field, wanted) in [("name", &name), ("namespace", &namespace)] {
            let own = meta::text(&object, &format!("/metadata/{field}"));
            if !own.is_empty() && own != wanted {
                let detail = format!("must match the service account {field} if specified");
                return Err(
                    call.invalid(&name, &[FieldError::invalid(format!("metadata.{field}"), &own.into(), &detail)])
                );
            }
        }
        let account = self
            .store
            .get(&accounts.key(Some(&namespace), &name))
            .ok_or_else(|| Failure::not_found("", "serviceaccounts", &name))?;
        let (uid, asked) = (meta::uid(account), meta::uid(&object));
        if !asked.is_empty() && asked != uid {
            let why =
                format!("the UID in the token request ({asked}) does not match the UID of the service account ({uid})");
            return Err(Failure::conflict(&call.kind.group, &call.kind.name, &name, &why));
        }
        judge(&call, &object)?;
        let bound = self.bound(&object, &namespace, &name)?;
        let metadata = meta::metadata(&mut object);
        for (field, value) in [("name", name), ("namespace", namespace), ("uid", uid.to_owned())] {
            metadata.insert(field.into(), value.into());
        }
        metadata.insert("creationTimestamp".into(), meta::seconds(call.now).into());
        let question = Question::Token { account: uid.to_owned(), bound };
        Ok(Reply::Ask { question, object, warnings: call.warnings.take() })
    }

    /// The object that a token is to end with.
    fn bound(&self, object: &Value, namespace: &str, account: &str) -> Result<Option<Bound>> {
        let reference = &object["spec"]["boundObjectRef"];
        if reference.is_null() {
            return Ok(None);
        }
        let (version, kind) = (meta::text(reference, "/apiVersion"), meta::text(reference, "/kind"));
        let resource = match (version, kind) {
            ("v1" | "", "Pod") => "pods",
            ("v1" | "", "Secret") => "secrets",
            ("v1" | "", "Node") => "nodes",
            _ => {
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                let why = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
                return Err(Failure::bad_request(why));
            }
        };
        let name = meta::text(reference, "/name");
        let found =
            self.kinds.get("", "v1", resource).and_then(|kind| self.store.get(&kind.key(Some(namespace), name)));
        let found = found.ok_or_else(|| Failure::not_found("", resource, name))?;
        if resource == "pods" && meta::text(found, "/spec/serviceAccountName") != account {
            return Err(Failure::bad_request(format!(
                "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
            )));
        }
        let (uid, asked) = (meta::uid(found), meta::text(reference, "/uid"));
        if !asked.is_empty() && asked != uid {
            let why = format!(
                "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have been deleted and then recreated"
            );
            return Err(Failure::conflict("", kind, name, &why));
        }
        Ok(Some(Bound {
            resource: resource.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            node: meta::text(found, "/spec/nodeName").to_owned(),
        }))
    }
}

fn judge(call: &Call<'_>, object: &Value) -> Result<()> {
    let asked = &object["spec"]["expirationSeconds"];
    let detail = match asked.as_i64().unwrap_or_default() {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        seconds if seconds > LONGEST => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    Err(call.invalid("", &[FieldError::invalid("spec.expirationSeconds", asked, detail)]))
}
