//! Writes of a scale: what is written is a `Scale`, what changes is the object that is scaled.

use std::sync::Arc;

use serde_json::Value;

use super::super::error::{Failure, Result};
use super::super::fields::{self, Node, Tracking};
use super::super::request::FieldValidation;
use super::super::{Machinery, Reply, meta, model, patch, scale, schema};
use super::Call;
use super::admit::patch_unfit;
use super::update::Ownership;

impl Machinery {
    pub(super) fn replace_scale(&mut self, call: Call<'_>, content: &Value) -> Result<Reply> {
        let (key, current) = self.current(&call)?;
        let (version, kind) = (meta::text(content, "/apiVersion"), meta::text(content, "/kind"));
        if call.kind.custom.is_some() && (version, kind) != (scale::VERSION, "Scale") {
            let why = "no kind is registered for the type v1.Scale in scheme \"pkg/runtime/scheme.go:111\"";
            return Err(Failure::bad_request(why));
        }
        if let Some(why) = model::mismatch(model::SCALE, content) {
            return Err(Failure::bad_request(format!("Scale in version \"v1\" cannot be handled as a Scale: {why}")));
        }
        self.write_scale(call, &key, &current, content.clone())
    }

    pub(super) fn patch_scale(
        &mut self,
        call: Call<'_>,
        media: &str,
        key: &str,
        current: &Arc<Value>,
    ) -> Result<Reply> {
        let mut new = scale::before(&call.kind, current)?;
        let root = model::schema(model::SCALE).map_or(Node::Free, Node::Root);
        patch::patch(media, root, &mut new, &call.request.body)?;
        if let Some(why) = model::mismatch(model::SCALE, &new) {
            let shown = patch::shown(media, Some(model::SCALE), &new, &call.request.body);
            return Err(patch_unfit(&shown, &why));
        }
        self.write_scale(call, key, current, new)
    }

    fn write_scale(&mut self, mut call: Call<'_>, key: &str, current: &Arc<Value>, mut new: Value) -> Result<Reply> {
        let kind = call.kind.clone();
        if let Some(of) = model::schema(model::SCALE) {
            let unknown = schema::unknown(of, &mut new).into_iter().map(|path| format!("unknown field {path:?}"));
            if call.validation != FieldValidation::Ignore {
                call.warnings.borrow_mut().extend(unknown);
            }
        }
        // No replicas are as good as none at all.
        if new.pointer("/spec/replicas").is_some_and(|replicas| *replicas == 0 || replicas.is_null())
            && let Some(spec) = new["spec"].as_object_mut()
        {
            spec.remove("replicas");
        }
        let old = scale::before(&kind, current)?;
        let manager = call.manager(scale::VERSION);
        let root = model::schema(model::SCALE).map_or(Node::Free, Node::Root);
        let tracking = Tracking { root, manager, now: call.now, empty: &Value::Null, ignored: &[] };
        fields::track(&tracking, Some(&old), &mut new);
        let object = scale::write(&kind, current, &new)?;
        let object = self.update(&mut call, key, current, object, Ownership::Settled)?;
        let view = scale::view(&kind, &object)?;
        Ok(call.answer_raw(200, view))
    }
}
