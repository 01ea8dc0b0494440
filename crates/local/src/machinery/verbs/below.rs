//! Creates below an object: a pod is bound to a node, or evicted; a service account gets a token.

use serde_json::{Value, json};

use super::super::error::{Failure, FieldError, Result};
use super::super::{Machinery, Reply, meta};
use super::{Call, body};

impl Machinery {
    pub(crate) fn create_below(&mut self, mut call: Call<'_>) -> Result<Reply> {
        match call.subresource() {
            "binding" => self.bind(&mut call)?,
            "eviction" => {
                let eviction = body(&call)?;
                let (key, current) = self.current(&call)?;
                self.evict(&call, &key, &current, &eviction)?;
            }
            "token" => return self.ask_for_token(call),
            _ => return Err(Failure::method_not_allowed()),
        }
        Ok(call.answer_raw(
            201,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
        ))
    }

    fn bind(&mut self, call: &mut Call<'_>) -> Result<()> {
        let binding = body(call)?;
        let (key, current) = self.current(call)?;
        let name = meta::name(&current);
        let node = meta::text(&binding, "/target/name");
        if node.is_empty() {
            return Err(Failure::invalid("", "Binding", name, &[FieldError::required("target.name", "")]));
        }
        let bound = meta::text(&current, "/spec/nodeName");
        if !bound.is_empty() || meta::deleting(&current) {
            let why = if bound.is_empty() {
                format!("pod {name} is being deleted, cannot be assigned to a host")
            } else {
                format!("pod {name} is already assigned to node {bound:?}")
            };
            return Err(Failure::conflict("", "pods/binding", name, &why));
        }
        let mut new = Value::clone(&current);
        new["spec"]["nodeName"] = node.into();
        let condition =
            json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": meta::seconds(call.now)});
        let mut conditions: Vec<Value> =
            current.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        conditions.retain(|other| other["type"] != "PodScheduled");
        conditions.push(condition);
        new["status"]["conditions"] = conditions.into();
        if !call.dry_run {
            let kind = call.kind.clone();
            self.commit(&kind, &key, new);
        }
        Ok(())
    }
}
