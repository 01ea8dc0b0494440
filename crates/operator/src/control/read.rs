//! What is answered from the caches. No object is copied: documents are made straight from what is cached.

use std::sync::{Arc, LazyLock};

use api::{labels, names as rules};
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use control_api::route::Target;
use control_api::{Kind, Problem};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::cache::Cache;
use kit::projection::Parsed;
use kube::Resource;
use serde_json::json;

use super::dialect::Reply;
use super::names::Names;
use super::served::Served;
use super::{Control, text};

/// The description of the API.
pub fn openapi() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(control_api::openapi::document().to_string()));
    ([(CONTENT_TYPE, "application/json")], Body::from(DOCUMENT.clone())).into_response()
}

impl Control {
    /// The cache of a kind, once it is complete: an absent object is absent then, and not just unseen.
    pub(super) fn cache<K: Served>(&self) -> Result<&Cache<Parsed<K>>, Problem> {
        let cache = K::cache(&self.0.caches);
        if cache.is_synced() {
            return Ok(cache);
        }
        let why = self.0.caches.missing().unwrap_or_else(|| "nothing is listed yet".to_owned());
        Err(Problem::new(Kind::Unavailable, why))
    }

    /// The resource that the path names, as it is cached.
    pub(super) fn find<K: Served>(&self, names: &Names) -> Result<Arc<Parsed<K>>, Problem> {
        let name = names.resource(K::TARGET).unwrap_or_default();
        let found =
            self.cache::<K>()?.get(&name).filter(|found| K::TARGET != Target::Job || self.is_of(found.meta(), names));
        found.ok_or_else(|| Problem::not_found(K::TARGET.noun(), &name))
    }

    /// Whether a job belongs to the cluster of the path, and not to one with a longer name that begins in the same way.
    fn is_of(&self, job: &ObjectMeta, names: &Names) -> bool {
        let cluster = names.cluster.as_deref().unwrap_or_default();
        if let Some(label) = job.labels.as_ref().and_then(|labels| labels.get(labels::CLUSTER_NAME)) {
            return label == cluster;
        }
        let clusters = self.0.caches.clusters.names();
        let others = clusters.iter().map(String::as_str).chain([cluster]);
        let name = job.name.as_deref().unwrap_or_default();
        rules::cluster_of_job(name, others).is_some_and(|(owner, _)| owner == cluster)
    }

    pub(super) fn names(&self, target: Target, names: &Names) -> Result<Reply, Problem> {
        let all = match target {
            Target::Deployment => self.cache::<api::FlinkDeployment>()?.names(),
            Target::Cluster => self.cache::<api::FlinkCluster>()?.names(),
            Target::Job => self.job_names(names)?,
        };
        Ok(Reply::Answer(text(&all)?.into()))
    }

    /// Short names. A cluster that is not there has none, as its jobs may outlive it.
    fn job_names(&self, names: &Names) -> Result<Vec<String>, Problem> {
        let cluster = names.cluster.as_deref().unwrap_or_default();
        let jobs = self.cache::<api::FlinkJob>()?.matching(|job| self.is_of(job.meta(), names));
        let short = |job: &Arc<Parsed<api::FlinkJob>>| {
            rules::short_job_name(cluster, job.meta().name.as_deref()?).map(str::to_owned)
        };
        Ok(jobs.iter().filter_map(short).collect())
    }

    pub(super) fn list(&self, target: Target) -> Result<Reply, Problem> {
        match target {
            Target::Deployment => self.list_of::<api::FlinkDeployment>(),
            Target::Cluster => self.list_of::<api::FlinkCluster>(),
            Target::Job => self.list_of::<api::FlinkJob>(),
        }
    }

    fn list_of<K: Served>(&self) -> Result<Reply, Problem> {
        let mut document = String::from("[");
        for object in self.cache::<K>()?.all() {
            if document.len() > 1 {
                document.push(',');
            }
            document.push_str(&whole(object.as_ref())?);
        }
        document.push(']');
        Ok(Reply::Answer(document.into()))
    }

    pub(super) fn get<K: Served>(&self, names: &Names) -> Result<Reply, Problem> {
        Ok(Reply::Answer(whole(self.find::<K>(names)?.as_ref())?.into()))
    }

    pub(super) fn status<K: Served>(&self, names: &Names) -> Result<Reply, Problem> {
        let found = self.find::<K>(names)?;
        match readable(&found)?.status() {
            Some(status) => Ok(Reply::Answer(self.0.statuses.of(found.meta(), || text(status))?)),
            None => Ok(Reply::Done("{}".to_owned().into())),
        }
    }
}

/// A resource, whole; of one that cannot be read only its metadata.
pub fn whole<K: Served>(object: &Parsed<K>) -> Result<String, Problem> {
    match object {
        Parsed::Valid(object) => text(object),
        Parsed::Invalid { metadata, .. } => {
            text(&json!({ "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata }))
        }
    }
}

/// The resource, unless it was stored under an older definition and cannot be read.
pub fn readable<K: Served>(object: &Parsed<K>) -> Result<&K, Problem> {
    match object {
        Parsed::Valid(object) => Ok(object),
        Parsed::Invalid { metadata, why } => {
            let name = metadata.name.as_deref().unwrap_or_default();
            Err(Problem::new(Kind::Invalid, format!("cannot read {} {name}: {why}", K::kind(&()))))
        }
    }
}
