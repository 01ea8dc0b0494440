//! patch: the outcome of a patch is written as an update; an apply may also create.

use serde_json::Value;

use super::super::error::{Failure, Result};
use super::super::fields::{self, Node};
use super::super::{Machinery, Reply, meta, model, patch, present, request};
use super::admit::{self, tracking};
use super::update::Ownership;
use super::{Call, Source, decode};

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
            return self.patch_scale(call, media, &key, &current);
        }
        if !matches!(call.subresource(), "" | "status") {
            return Err(Failure::method_not_allowed());
        }
        let mut new = present::whole(&kind, &current);
        patch::patch(media, Node::root(&kind), &mut new, &call.request.body)?;
        let shown = patch::shown(media, model::type_of(&kind).as_deref(), &new, &call.request.body);
        let new = decode(&mut call, new, Source::Patch(&shown))?;
        check_name(&call, &new)?;
        let object = self.update(&mut call, &key, &current, new, Ownership::Track)?;
        Ok(call.answer(200, &object))
    }

    /// Server-side apply.
    fn apply(&mut self, mut call: Call<'_>) -> Result<Reply> {
        let subresource = call.subresource().to_owned();
        if !matches!(subresource.as_str(), "" | "status") {
            return Err(Failure::method_not_allowed());
        }
        let mut content = request::yaml(&call.request.body)
            .map_err(|failure| Failure::bad_request(format!("error decoding YAML: {}", failure.message)))?;
        request::whole_numbers(&mut content);
        let config = configuration(&call, content)?;
        let kind = call.kind.clone();
        let found = self.current(&call);
        if found.is_err() && !subresource.is_empty() {
            found?;
            return Err(Failure::method_not_allowed());
        }
        let force = call.query.flag("force");
        let live = found.as_ref().ok().map(|(_, current)| current.clone());
        let mut object = tracking(&call, |tracking| fields::apply(tracking, force, live.as_deref(), &config))?;
        admit::shape(&mut call, &mut object, Source::Apply)?;
        let Ok((key, current)) = found else {
            // A version of what is not there says nothing.
            meta::metadata(&mut object).remove("resourceVersion");
            let uid = meta::uid(&object);
            if !uid.is_empty() {
                let why =
                    format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                return Err(Failure::conflict(&kind.group, &kind.resource, meta::name(&object), &why));
            }
            let object = self.insert(&mut call, object, Ownership::Settled)?;
            return Ok(call.answer(201, &object));
        };
        check_name(&call, &object)?;
        let object = self.update(&mut call, &key, &current, object, Ownership::Settled)?;
        Ok(call.answer(200, &object))
    }
}

/// The configuration in the body of an apply.
fn configuration(call: &Call<'_>, mut config: Value) -> Result<Value> {
    let kind = &call.kind;
    if !config.is_object() {
        return Err(Failure::bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type map[string]interface {}",
        ));
    }
    let (version, name) = (meta::text(&config, "/apiVersion"), meta::text(&config, "/kind"));
    if version != kind.api_version() || name != kind.name {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        return Err(Failure::bad_request(format!("invalid object type: {group}/{version}, Kind={name}")));
    }
    if config.pointer("/metadata/managedFields").is_some() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let wanted = call.target.name.as_deref().unwrap_or_default();
    let metadata = meta::metadata(&mut config);
    match metadata.get("name").and_then(Value::as_str).unwrap_or_default() {
        "" => Err(nameless(wanted)),
        name if name != wanted => Err(mismatch(name, wanted)),
        _ => Ok(config),
    }
}

/// A patch may not rename.
fn check_name(call: &Call<'_>, new: &Value) -> Result<()> {
    let (own, wanted) = (meta::name(new), call.target.name.as_deref().unwrap_or_default());
    match own {
        "" => Err(nameless(wanted)),
        own if own == wanted => Ok(()),
        own => Err(mismatch(own, wanted)),
    }
}

pub(super) fn nameless(wanted: &str) -> Failure {
    Failure::bad_request(format!(
        "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
    ))
}

pub(super) fn mismatch(own: &str, wanted: &str) -> Failure {
    Failure::bad_request(format!("the name of the object ({own}) does not match the name on the URL ({wanted})"))
}
