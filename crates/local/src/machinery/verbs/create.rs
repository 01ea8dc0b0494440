//! create: names, namespaces, and the fields that the server sets.

use std::sync::Arc;

use serde_json::Value;

use super::super::error::{Failure, Result};
use super::super::{Machinery, Reply, builtin, meta};
use super::admit::own;
use super::update::Ownership;
use super::{Call, Source, body, decode, review};

impl Machinery {
    pub(crate) fn create(&mut self, mut call: Call<'_>) -> Result<Reply> {
        let content = body(&call)?;
        let object = decode(&mut call, content, Source::Body)?;
        let object = self.insert(&mut call, object, Ownership::Track)?;
        if call.kind.transient {
            return review::answer(call, Arc::unwrap_or_clone(object));
        }
        Ok(call.answer(201, &object))
    }

    /// Puts a new object into the store.
    pub(crate) fn insert(
        &mut self,
        call: &mut Call<'_>,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Arc<Value>> {
        let kind = call.kind.clone();
        if kind.custom.as_ref().is_some_and(|custom| custom.terminating) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(Failure::new(405, "MethodNotAllowed", why));
        }
        let name = place(call, &mut object)?;
        for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            meta::metadata(&mut object).remove(field);
        }
        if ownership == Ownership::Track {
            own(call, None, &mut object);
        }
        self.namespace_open(call, &name)?;
        let name = if name.is_empty() { generate(call, &mut object) } else { name };
        let key = kind.key(call.namespace(), &name);
        let metadata = meta::metadata(&mut object);
        if metadata.get("resourceVersion").is_some_and(|v| v.as_str().is_none_or(|v| !v.is_empty() && v != "0")) {
            return Err(Failure::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        metadata.remove("resourceVersion");
        if !kind.transient {
            metadata.insert("uid".into(), call.entropy.uid().into());
            metadata.insert("creationTimestamp".into(), meta::seconds(call.now).into());
        }
        if kind.counts_generations() {
            metadata.insert("generation".into(), 1.into());
        }
        if kind.has("status") {
            object.as_object_mut().expect("decode lets only maps through").remove("status");
            builtin::complete(&kind, &mut object);
        }
        self.admit(call, None, &mut object)?;
        if let Some(found) = self.store.get(&key) {
            let mut failure = Failure::already_exists(&kind.group, &kind.resource, &name);
            if meta::deleting(found) {
                failure.message = format!("object is being deleted: {}", failure.message);
            }
            return Err(failure);
        }
        if kind.transient || call.dry_run {
            return Ok(Arc::new(object));
        }
        Ok(self.commit(&kind, &key, object))
    }

    fn namespace_open(&self, call: &Call<'_>, name: &str) -> Result<()> {
        let Some(namespace) = call.namespace() else { return Ok(()) };
        let Some(found) = self.store.get(&format!("/core/namespaces//{namespace}")) else {
            return Err(Failure::not_found("", "namespaces", namespace));
        };
        if meta::deleting(found) {
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            let mut failure = Failure::forbidden(&call.kind.group, &call.kind.resource, name, &why);
            failure.details["causes"] = serde_json::json!([{
                "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace",
            }]);
            return Err(failure);
        }
        Ok(())
    }
}

/// The object's name (none if it is to be generated), and its namespace, which is the request's.
fn place(call: &Call<'_>, object: &mut Value) -> Result<String> {
    let own = meta::namespace(object);
    let namespace = if call.kind.namespaced {
        call.namespace().ok_or_else(Failure::method_not_allowed)?.to_owned()
    } else {
        String::new()
    };
    if !own.is_empty() && own != namespace && call.kind.namespaced {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if namespace.is_empty() {
        meta::metadata(object).remove("namespace");
    } else {
        meta::metadata(object).insert("namespace".into(), namespace.into());
    }
    let name = meta::name(object).to_owned();
    if let Some(wanted) = call.target.name.as_deref().filter(|wanted| *wanted != name) {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        )));
    }
    Ok(name)
}

/// A name from `generateName`; without that it stays empty, which is refused later.
fn generate(call: &mut Call<'_>, object: &mut Value) -> String {
    let base = meta::text(object, "/metadata/generateName").to_owned();
    if base.is_empty() {
        return base;
    }
    // A name has 63 characters at most, five of which are the suffix.
    let end = (0..=base.len().min(58)).rev().find(|end| base.is_char_boundary(*end)).unwrap_or(0);
    let name = format!("{}{}", &base[..end], call.entropy.suffix());
    meta::metadata(object).insert("name".into(), name.clone().into());
    name
}
