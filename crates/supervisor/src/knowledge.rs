//! What cluster and jobs say: their records, what their users want, and the digests of their sections.
//!
//! It is worked out once for each version of an object, however often it is looked at; digests only when the specification is another
//! one. Invariant: what is told is what the given object says, and nothing of an earlier one.

use std::collections::HashMap;
use std::sync::Arc;

use api::cluster::ClusterDigest;
use api::job::JobDigest;
use api::record::{ClusterRecord, JobRecord};
use api::{FlinkCluster, FlinkJob, digest};
use kit::projection::Parsed;
use lifecycle::cluster::{self, JobView};
use lifecycle::{desired, job};

/// What a version of the cluster says.
pub struct ClusterFacts {
    pub record: Result<ClusterRecord, serde_json::Error>,
    pub desired: cluster::Desired,
    pub digest: ClusterDigest,
}

/// What a version of a job says.
pub struct JobFacts {
    pub record: Result<JobRecord, serde_json::Error>,
    pub desired: job::Desired,
    pub digest: JobDigest,
    pub view: JobView,
}

/// An object, and what it says.
type Known<K, T> = (Arc<Parsed<K>>, Arc<T>);

/// What was worked out of the last versions.
#[derive(Default)]
pub struct Knowledge {
    cluster: Option<Known<FlinkCluster, ClusterFacts>>,
    jobs: HashMap<String, Known<FlinkJob, JobFacts>>,
}

impl Knowledge {
    /// What the cluster says; nothing if it cannot be read.
    pub fn cluster(&mut self, object: &Arc<Parsed<FlinkCluster>>) -> Option<Arc<ClusterFacts>> {
        if let Some((_, facts)) = self.cluster.as_ref().filter(|(known, _)| Arc::ptr_eq(known, object)) {
            return Some(Arc::clone(facts));
        }
        let cluster = object.valid()?;
        let same = |known: &Parsed<FlinkCluster>| known.valid().is_some_and(|known| known.spec == cluster.spec);
        let digest = match &self.cluster {
            Some((known, facts)) if same(known) => facts.digest.clone(),
            _ => digest::cluster(&cluster.spec),
        };
        let desired = desired::cluster_of(cluster, &digest);
        let facts = Arc::new(ClusterFacts { record: cluster::status::record(cluster), desired, digest });
        self.cluster = Some((Arc::clone(object), Arc::clone(&facts)));
        Some(facts)
    }

    /// What the job of that name says; nothing if it cannot be read.
    pub fn job(&mut self, name: &str, object: &Arc<Parsed<FlinkJob>>) -> Option<Arc<JobFacts>> {
        if let Some((_, facts)) = self.jobs.get(name).filter(|(known, _)| Arc::ptr_eq(known, object)) {
            return Some(Arc::clone(facts));
        }
        let job = object.valid()?;
        let same = |known: &Parsed<FlinkJob>| known.valid().is_some_and(|known| known.spec == job.spec);
        let digest = match self.jobs.get(name) {
            Some((known, facts)) if same(known) => facts.digest.clone(),
            _ => digest::job(&job.spec),
        };
        let facts = Arc::new(JobFacts {
            record: job::status::record(job),
            desired: desired::job_of(job, &digest),
            view: desired::job_view(job),
            digest,
        });
        self.jobs.insert(name.to_owned(), (Arc::clone(object), Arc::clone(&facts)));
        Some(facts)
    }

    /// Forgets jobs that are not there any more.
    pub fn keep(&mut self, names: &[String]) {
        self.jobs.retain(|name, _| names.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(parallelism: i32, version: &str) -> Arc<Parsed<FlinkJob>> {
        let spec = json!({
            "jobParallelism": parallelism,
            "bootstrap": {"image": "i", "className": "c", "jarPath": "/j"},
            "savepoint": {"savepointInterval": 0, "savepointTargetPath": ""},
            "restart": {},
        });
        let metadata = json!({"name": "demo-a", "uid": "u", "resourceVersion": version});
        let object =
            json!({"apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": metadata, "spec": spec});
        Arc::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn each_version_says_its_own() {
        let mut knowledge = Knowledge::default();
        let (one, other) = (job(1, "1"), job(2, "2"));
        let first = knowledge.job("demo-a", &one).unwrap();
        assert!(Arc::ptr_eq(&first, &knowledge.job("demo-a", &one).unwrap()));
        let second = knowledge.job("demo-a", &other).unwrap();
        assert_eq!((first.desired.parallelism, second.desired.parallelism), (1, 2));
        assert_eq!(second.view.slots, 2);
        assert_eq!(second.digest, digest::job(&other.valid().unwrap().spec));
        knowledge.keep(&[]);
        assert!(knowledge.jobs.is_empty());
    }
}
