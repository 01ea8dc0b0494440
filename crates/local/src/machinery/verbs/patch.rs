//! patch: the outcome of a patch is written as an update; an apply may also create.

use serde_json::Value;

use super::super::error::{Failure, FieldError, Result};
use super::super::fields::{self, Node};
use super::super::{Machinery, Reply, meta, patch, present, request, scale};
use super::update::Ownership;
use super::{Call, decode};

impl Machinery {
    pub(crate) fn patch(&mut self, mut call: Call<'_>) -> Result<Reply> {
        let media = request::media_type(call.request);
        let builtin = call.kind.custom.is_none();
        match media {
            patch::APPLY => return self.apply(call),
            patch::STRATEGIC if !builtin => return Err(patch::unsupported(false)),
            patch::JSON_PATCH | patch::MERGE | patch::STRATEGIC => {}
            _ => return Err(patch::unsupported(builtin)),
        }
        let (key, current) = self.current(&call)?;
        let kind = call.kind.clone();
        if call.subresource() == "scale" {
            let mut view = scale::view(&kind, &current)?;
            patch::patch(media, Node::Free, &mut view, &call.request.body)?;
            let new = scale::write(&kind, &current, &view)?;
            let object = self.update(&mut call, &key, &current, new, Ownership::Track)?;
            let view = scale::view(&kind, &object)?;
            return Ok(call.answer_raw(200, view));
        }
        if !matches!(call.subresource(), "" | "status") {
            return Err(Failure::method_not_allowed());
        }
        let mut new = present::whole(&kind, &current);
        patch::patch(media, Node::root(&kind), &mut new, &call.request.body)?;
        let new = decode(&mut call, new)?;
        check_name(&call, &new)?;
        let object = self.update(&mut call, &key, &current, new, Ownership::Track)?;
        Ok(call.answer(200, &object))
    }

    /// Server-side apply.
    fn apply(&mut self, mut call: Call<'_>) -> Result<Reply> {
        if call.query.get("fieldManager").is_none() {
            let error = FieldError::required("fieldManager", "is required for apply patch");
            return Err(Failure::invalid("meta.k8s.io", "PatchOptions", "", &[error]));
        }
        let subresource = call.subresource().to_owned();
        if !matches!(subresource.as_str(), "" | "status") {
            return Err(Failure::method_not_allowed());
        }
        let content = request::yaml(&call.request.body)?;
        let mut config = decode(&mut call, content)?;
        check_name(&call, &config)?;
        if config.pointer("/metadata/managedFields").is_some() {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        let kind = call.kind.clone();
        confine(&mut config, &subresource, kind.has("status"));
        let found = self.current(&call);
        let force = call.query.flag("force");
        let version = kind.api_version();
        let manager = call.manager(&version, true);
        if found.is_err() && subresource.is_empty() {
            let uid = meta::uid(&config);
            if !uid.is_empty() {
                let why =
                    format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                return Err(Failure::conflict(&kind.group, &kind.resource, meta::name(&config), &why));
            }
            let object = fields::apply(Node::root(&kind), &manager, call.now, force, None, &config)?;
            let object = self.insert(&mut call, object, Ownership::Settled)?;
            return Ok(call.answer(201, &object));
        }
        let (key, current) = found?;
        let new = fields::apply(Node::root(&kind), &manager, call.now, force, Some(&current), &config)?;
        let object = self.update(&mut call, &key, &current, new, Ownership::Settled)?;
        Ok(call.answer(200, &object))
    }
}

/// A patch may not rename.
fn check_name(call: &Call<'_>, new: &Value) -> Result<()> {
    let (own, wanted) = (meta::name(new), call.target.name.as_deref().unwrap_or_default());
    if own == wanted {
        return Ok(());
    }
    Err(Failure::bad_request(format!("the name of the object ({own}) does not match the name on the URL ({wanted})")))
}

/// Leaves in a configuration only what its endpoint can reach.
fn confine(config: &mut Value, subresource: &str, has_status: bool) {
    let Some(map) = config.as_object_mut() else { return };
    if subresource == "status" {
        map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "uid" | "resourceVersion"));
        }
    } else if has_status {
        map.remove("status");
    }
}
