//! update: optimistic locking, what may not change, generations, and the end of objects whose last finalizer goes.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::super::error::{Failure, FieldError, Result};
use super::super::fields;
use super::super::kinds::Kind;
use super::super::{Machinery, Reply, custom, meta};
use super::admit::own;
use super::delete::held;
use super::patch::{mismatch, nameless};
use super::{Call, Source, body, decode};

/// What to do about the owners of fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ownership {
    /// Whoever writes owns what changes.
    Track,
    /// `managedFields` is right already.
    Settled,
}

impl Machinery {
    pub(crate) fn replace(&mut self, mut call: Call<'_>) -> Result<Reply> {
        let content = body(&call)?;
        match call.subresource() {
            "" | "status" => {}
            "scale" => return self.replace_scale(call, &content),
            "finalize" => return self.finalize(call, &content),
            _ => return Err(Failure::method_not_allowed()),
        }
        let mut new = decode(&mut call, content, Source::Body)?;
        if call.kind.namespaced && meta::namespace(&new).is_empty() {
            let namespace = call.namespace().unwrap_or_default().to_owned();
            meta::metadata(&mut new).insert("namespace".into(), namespace.into());
        }
        let name = call.target.name.clone().unwrap_or_default();
        match meta::name(&new) {
            "" => return Err(nameless(&name)),
            own if own != name => return Err(mismatch(own, &name)),
            _ => {}
        }
        let found = self.current(&call);
        let uid = meta::uid(&new).to_owned();
        if found.is_err() && !uid.is_empty() {
            let why = other_uid(&call.kind, &new, &uid, "");
            return Err(Failure::conflict(&call.kind.group, &call.kind.resource, &name, &why));
        }
        if found.is_err() && call.kind.create_on_update() && call.subresource().is_empty() {
            meta::metadata(&mut new).remove("resourceVersion");
            let object = self.insert(&mut call, new, Ownership::Track)?;
            return Ok(call.answer(201, &object));
        }
        let (key, current) = found?;
        if call.kind.unconditional_update() || !meta::text(&new, "/metadata/resourceVersion").is_empty() {
            let object = self.update(&mut call, &key, &current, new, Ownership::Track)?;
            return Ok(call.answer(200, &object));
        }
        let error = FieldError::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        // Here the resource stands for the kind.
        Err(Failure::invalid(&call.kind.group, &call.kind.resource, &name, &[error]))
    }

    /// A namespace's content is gone: its last finalizers go.
    fn finalize(&mut self, mut call: Call<'_>, content: &Value) -> Result<Reply> {
        let (key, current) = self.current(&call)?;
        let mut new = Value::clone(&current);
        new["spec"] = content.get("spec").cloned().unwrap_or_else(|| json!({}));
        for field in ["resourceVersion", "uid"] {
            if let Some(value) = content["metadata"].get(field) {
                new["metadata"][field] = value.clone();
            }
        }
        let object = self.update(&mut call, &key, &current, new, Ownership::Track)?;
        Ok(call.answer(200, &object))
    }

    /// Writes `new` over `current`, as `PUT` and all patches do.
    pub(crate) fn update(
        &mut self,
        call: &mut Call<'_>,
        key: &str,
        current: &Arc<Value>,
        mut new: Value,
        ownership: Ownership,
    ) -> Result<Arc<Value>> {
        let kind = call.kind.clone();
        check_identity(call, current, &new)?;
        if ownership == Ownership::Track {
            own(call, Some(current), &mut new);
        }
        keep_system_fields(&kind, call.subresource(), current, &mut new);
        self.admit(call, Some(current), &mut new)?;
        if kind.counts_generations() && counted(&kind, current) != counted(&kind, &new) {
            meta::metadata(&mut new).insert("generation".into(), (meta::generation(current) + 1).into());
        }
        if fields::differ_in_times_only(current, &new) {
            return Ok(current.clone());
        }
        if call.dry_run {
            return Ok(Arc::new(new));
        }
        if meta::deleting(&new) && meta::finalizers(&new).is_empty() && grace(&new) == 0 && !held(&kind, &new) {
            // The last state is that without finalizers, but nobody ever sees it stored.
            self.erase(&kind, key);
            return Ok(Arc::new(new));
        }
        Ok(self.commit(&kind, key, new))
    }

    /// Stores an object and lets it take effect, if it is a definition.
    pub(crate) fn commit(&mut self, kind: &Kind, key: &str, object: Value) -> Arc<Value> {
        let object = self.store.put(key, object);
        if kind.resource == "customresourcedefinitions" {
            custom::register(&mut self.kinds, &object);
        }
        object
    }
}

fn other_uid(kind: &Kind, object: &Value, wanted: &str, found: &str) -> String {
    format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
        registry(kind, object)
    )
}

/// Where a server keeps an object, as its messages tell it.
fn registry(kind: &Kind, object: &Value) -> String {
    let resource = match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "nodes") => "minions".to_owned(),
        ("", "services") => "services/specs".to_owned(),
        ("", "endpoints") => "services/endpoints".to_owned(),
        ("apiextensions.k8s.io", _) => format!("{}/{}", kind.group, kind.resource),
        (group, resource) if kind.custom.is_some() => format!("{group}/{resource}"),
        (_, resource) => resource.to_owned(),
    };
    let namespace = if kind.namespaced { format!("{}/", meta::namespace(object)) } else { String::new() };
    format!("{resource}/{namespace}{}", meta::name(object))
}

fn check_identity(call: &Call<'_>, current: &Value, new: &Value) -> Result<()> {
    let kind = &call.kind;
    let name = meta::name(current);
    let namespace = meta::namespace(new);
    if kind.namespaced && !namespace.is_empty() && namespace != meta::namespace(current) {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let (uid, stored) = (meta::uid(new), meta::uid(current));
    let replaces = call.request.method == Method::PUT;
    if replaces && !uid.is_empty() && uid != stored {
        let why = other_uid(kind, current, uid, stored);
        return Err(Failure::conflict(&kind.group, &kind.resource, name, &why));
    }
    let version = meta::text(new, "/metadata/resourceVersion");
    if !version.is_empty() && version.parse::<u64>().is_err() {
        return Err(Failure::new(500, "", format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    if !version.is_empty() && version != "0" && version != meta::text(current, "/metadata/resourceVersion") {
        return Err(Failure::modified(&kind.group, &kind.resource, name));
    }
    Ok(())
}

/// What the server alone decides stays; what a subresource does not reach stays too.
fn keep_system_fields(kind: &Kind, subresource: &str, current: &Value, new: &mut Value) {
    if subresource == "status" {
        let status = new.as_object_mut().and_then(|map| map.remove("status"));
        let managed = meta::metadata(new).remove("managedFields");
        *new = current.clone();
        if let Some(status) = status {
            new["status"] = status;
        } else {
            new.as_object_mut().expect("stored objects are maps").remove("status");
        }
        if let Some(managed) = managed {
            meta::metadata(new).insert("managedFields".into(), managed);
        }
        return;
    }
    // A uid that is another's is refused later.
    if meta::uid(new).is_empty() {
        meta::metadata(new).insert("uid".into(), current["metadata"]["uid"].clone());
    }
    // What is on its way out stays so. Whether anything else may be put on it is judged later.
    let fixed = |field: &str| match field {
        "deletionTimestamp" => meta::deleting(current),
        "deletionGracePeriodSeconds" => !current["metadata"][field].is_null() && new["metadata"][field].is_null(),
        _ => true,
    };
    let kept: Vec<&str> = [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "name",
        "namespace",
    ]
    .into_iter()
    .filter(|field| fixed(field))
    .collect();
    let metadata = meta::metadata(new);
    metadata.remove("selfLink");
    for field in kept {
        match current["metadata"].get(field) {
            Some(value) => metadata.insert(field.into(), value.clone()),
            None => metadata.remove(field),
        };
    }
    if kind.resource == "namespaces" && subresource.is_empty() {
        new["spec"] = current["spec"].clone();
    }
    if kind.has("status") {
        match current.get("status") {
            Some(status) => new["status"] = status.clone(),
            None => {
                new.as_object_mut().expect("decode lets only maps through").remove("status");
            }
        }
    }
}

/// The part of an object whose changes a generation counts.
fn counted<'a>(kind: &Kind, object: &'a Value) -> Vec<Option<&'a Value>> {
    let outside: &[&str] = if kind.has("status") { &["metadata", "status"] } else { &["metadata"] };
    let fields = object.as_object().into_iter().flatten().filter(|(key, _)| !outside.contains(&key.as_str()));
    let mut counted: Vec<Option<&Value>> = fields.map(|(_, value)| Some(value)).collect();
    if kind.resource == "deployments" && kind.custom.is_none() {
        counted.push(object.pointer("/metadata/annotations"));
    }
    counted
}

pub(crate) fn grace(object: &Value) -> i64 {
    object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or_default()
}
