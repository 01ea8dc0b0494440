//! Create, update and delete: what the caller sends goes to the API server as it is, which validates it.

use std::time::Duration;

use api::names as rules;
use axum::http::Method;
use control_api::{Kind, Problem};
use kit::cache;
use kube::Resource;
use serde_json::{Map, Value, json};

use super::body::Wanted;
use super::dialect::Reply;
use super::kubernetes::{Attempt, refused};
use super::served::Served;
use super::{Control, Request};

/// How often an update is tried again when somebody else writes at the same time.
const TRIES: usize = 5;
/// How long a write waits until the caches know of it, so that the next request of the caller finds it.
const CATCH_UP: Duration = Duration::from_secs(2);

impl Control {
    pub(super) async fn create<K: Served>(&self, request: &Request<'_>) -> Result<Reply, Problem> {
        let name = request.names.resource(K::TARGET).unwrap_or_default();
        self.not_of_another(request, &name)?;
        let wanted = Wanted::read(K::TARGET, &name, request.body)?;
        let mut labels = wanted.labels;
        labels.extend(K::labels(request.names).into_iter().map(|(key, value)| (key, Value::String(value))));
        let object = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name, "labels": labels, "annotations": wanted.annotations },
            "spec": wanted.spec,
        });
        let created = self.send(Method::POST, &self.path::<K>(None), Some(&object)).await;
        let created = created.map_err(|error| refused::<K>(&error, Attempt::Create, &name))?;
        self.written::<K>(&name, created).await
    }

    /// A job whose name begins with that of another, longer named cluster would be taken for a job of that one.
    fn not_of_another(&self, request: &Request<'_>, name: &str) -> Result<(), Problem> {
        let (Some(cluster), Some(_)) = (&request.names.cluster, &request.names.job) else { return Ok(()) };
        let clusters = self.0.caches.clusters.names();
        match rules::cluster_of_job(name, clusters.iter().map(String::as_str)) {
            Some((other, short)) if other.len() > cluster.len() => {
                let detail = format!("FlinkJob {name} would be job {short} of cluster {other}; use another name");
                Err(Problem::new(Kind::Conflict, detail))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn update<K: Served>(&self, request: &Request<'_>) -> Result<Reply, Problem> {
        let name = request.names.resource(K::TARGET).unwrap_or_default();
        let wanted = Wanted::read(K::TARGET, &name, request.body)?;
        let version = request.query.resource_version.as_ref().or(wanted.resource_version.as_ref());
        let path = self.path::<K>(Some(&name));
        let mut tries = 0;
        loop {
            let current = self.send(Method::GET, &path, None).await;
            let current = current.map_err(|error| refused::<K>(&error, Attempt::Change, &name))?;
            let object = replaced(current, &wanted, K::SCALED, version.map(String::as_str));
            match self.send(Method::PUT, &path, Some(&object)).await {
                Ok(updated) => return self.written::<K>(&name, updated).await,
                Err(error) if error.is_conflict() && version.is_none() && tries < TRIES => tries += 1,
                Err(error) => return Err(refused::<K>(&error, Attempt::Change, &name)),
            }
        }
    }

    pub(super) async fn delete<K: Served>(&self, request: &Request<'_>) -> Result<Reply, Problem> {
        let name = request.names.resource(K::TARGET).unwrap_or_default();
        let mut options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
        if let Some(version) = &request.query.resource_version {
            options["preconditions"] = json!({ "resourceVersion": version });
        }
        let deleted = self.send(Method::DELETE, &self.path::<K>(Some(&name)), Some(&options)).await;
        let deleted = deleted.map_err(|error| refused::<K>(&error, Attempt::Change, &name))?;
        // What has finalizers is answered with the object, what is gone with a status that has its uid.
        let uid = deleted.pointer("/metadata/uid").or_else(|| deleted.pointer("/details/uid")).and_then(Value::as_str);
        let leaving = |object: Option<&std::sync::Arc<kit::projection::Parsed<K>>>| {
            let going = object
                .is_none_or(|object| object.meta().deletion_timestamp.is_some() || object.meta().uid.as_deref() != uid);
            going.then_some(())
        };
        let _ = tokio::time::timeout(CATCH_UP, K::cache(&self.0.caches).until(&name, leaving)).await;
        Ok(Reply::Done(shown(deleted).to_string().into()))
    }

    /// The answer to a write, once the caches know of it.
    async fn written<K: Served>(&self, name: &str, object: Value) -> Result<Reply, Problem> {
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        let known = |cached: Option<&std::sync::Arc<kit::projection::Parsed<K>>>| {
            let meta = cached?.meta();
            (meta.uid.as_deref() == uid && cache::is_at_least(meta, version)).then_some(())
        };
        let _ = tokio::time::timeout(CATCH_UP, K::cache(&self.0.caches).until(name, known)).await;
        Ok(Reply::Done(shown(object).to_string().into()))
    }
}

/// The current resource with the wanted spec. Labels and annotations that are given are set; others stay.
fn replaced(mut current: Value, wanted: &Wanted, scaled: Option<&str>, version: Option<&str>) -> Value {
    let mut spec = wanted.spec.clone();
    if let Some(member) = scaled
        && !spec.contains_key(member)
        && let Some(value) = current.pointer(&format!("/spec/{member}"))
    {
        spec.insert(member.to_owned(), value.clone());
    }
    current["spec"] = Value::Object(spec);
    if let Some(version) = version {
        current["metadata"]["resourceVersion"] = json!(version);
    }
    for (place, given) in [("labels", &wanted.labels), ("annotations", &wanted.annotations)] {
        if !given.is_empty() {
            merge(&mut current["metadata"][place], given);
        }
    }
    shown(current)
}

fn merge(place: &mut Value, given: &Map<String, Value>) {
    match place {
        Value::Object(members) => members.extend(given.clone()),
        other => *other = Value::Object(given.clone()),
    }
}

/// Without the bookkeeping of the API server.
fn shown(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(spec: Value) -> Wanted {
        let Value::Object(spec) = spec else { panic!("a spec is an object") };
        Wanted { spec, labels: Map::new(), annotations: Map::new(), resource_version: None }
    }

    /// F-11
    #[test]
    fn an_update_removes_fields_but_not_the_scale() {
        let current = json!({
            "metadata": { "name": "a", "resourceVersion": "3", "finalizers": ["f"], "managedFields": [] },
            "spec": { "taskManagers": 4, "maxTaskManagers": 8, "runtime": { "image": "a", "pullSecrets": "b" } },
            "status": {},
        });
        let spec = json!({ "runtime": { "image": "c" } });
        let object = replaced(current.clone(), &wanted(spec), Some("taskManagers"), Some("2"));
        assert_eq!(object["spec"], json!({ "runtime": { "image": "c" }, "taskManagers": 4 }));
        assert_eq!(object["metadata"], json!({ "name": "a", "resourceVersion": "2", "finalizers": ["f"] }));
        let null = json!({ "taskManagers": null });
        assert_eq!(replaced(current, &wanted(null.clone()), Some("taskManagers"), None)["spec"], null);
    }
}
