//! What users want, as their resources say it, with defaults applied.

use api::annotations::{self, Requested as Asked};
use api::cluster::ClusterDigest;
use api::job::JobDigest;
use api::record::JobPhase;
use api::{FlinkCluster, FlinkJob, SavepointMode, UnmanagedJobs, digest, names};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::cluster::{self, JobView};
use crate::command::{Request, Requested};
use crate::job;

/// What the annotations of an object ask for.
pub fn request(meta: &ObjectMeta) -> Option<Request> {
    let annotations = meta.annotations.as_ref();
    let action = match annotations::requested(annotations) {
        Asked::Nothing => return None,
        Asked::Action(action) => Requested::Known(action),
        Asked::Invalid(text) => Requested::Invalid(text),
    };
    let stamp = annotations::action_timestamp(annotations);
    Some(Request {
        id: stamp.or(meta.resource_version.as_deref()).unwrap_or_default().to_owned(),
        stamped: stamp.is_some(),
        action,
        without_savepoint: annotations::without_savepoint(annotations),
    })
}

fn supervised(meta: &ObjectMeta) -> bool {
    meta.finalizers.iter().flatten().any(|finalizer| finalizer == names::SUPERVISOR_FINALIZER)
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// What the user wants of the cluster.
pub fn cluster(object: &FlinkCluster) -> cluster::Desired {
    cluster_of(object, &digest::cluster(&object.spec))
}

/// What the user wants of the cluster, given the digests of its specification.
pub fn cluster_of(object: &FlinkCluster, sections: &ClusterDigest) -> cluster::Desired {
    let spec = &object.spec;
    let (min, max) = spec.task_manager_limits();
    let parts = [&sections.runtime, &sections.job_manager, &sections.task_manager, &sections.flink_configuration];
    cluster::Desired {
        deleting: object.metadata.deletion_timestamp.is_some(),
        deleting_since: object.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        force_delete: annotations::force_delete(object.metadata.annotations.as_ref()),
        supervised: supervised(&object.metadata),
        digest: digest::of(&parts),
        task_managers: spec.task_managers(),
        min_task_managers: min,
        max_task_managers: max,
        task_slots: spec.task_manager.slots(),
        rescale_policy: spec.supervisor.rescale_policy(),
        rescale_delay: signed(spec.supervisor.rescale_delay()),
        task_timeout: signed(spec.supervisor.task_timeout()),
        node_lost_timeout: spec.job_manager.node_lost_timeout().map(signed),
        cancel_unmanaged: spec.supervisor.unmanaged_jobs() == UnmanagedJobs::Cancel,
        request: request(&object.metadata),
    }
}

/// What the user wants of the job.
pub fn job(object: &FlinkJob) -> job::Desired {
    job_of(object, &digest::job(&object.spec))
}

/// What the user wants of the job, given the digests of its specification.
pub fn job_of(object: &FlinkJob, sections: &JobDigest) -> job::Desired {
    let spec = &object.spec;
    job::Desired {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        deleting_since: object.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        force_delete: annotations::force_delete(object.metadata.annotations.as_ref()),
        supervised: supervised(&object.metadata),
        parallelism: spec.parallelism(),
        digest: sections.bootstrap.clone().unwrap_or_default(),
        savepoint_automatic: spec.savepoint.mode() == SavepointMode::Automatic,
        savepoint_path: spec.savepoint.path().map(str::to_owned),
        recorded_savepoint: object.status.as_ref().and_then(|status| status.savepoint_path()).map(str::to_owned),
        savepoint_interval: spec.savepoint.interval().map(signed),
        savepoint_target: spec.savepoint.target_path().unwrap_or_default().to_owned(),
        retention: spec
            .savepoint
            .retention()
            .map(|retention| job::Retention { count: retention.max_count(), age: retention.max_age().map(signed) }),
        recovery_mode: spec.savepoint.recovery_mode(),
        on_failure: spec.savepoint.on_failure(),
        restart_policy: spec.restart.policy(),
        restart_delay: signed(spec.restart.delay()),
        restart_timeout: signed(spec.restart.timeout()),
        request: request(&object.metadata),
    }
}

/// A job as its cluster sees it. A job whose record cannot be read counts as live.
pub fn job_view(object: &FlinkJob) -> JobView {
    let name = object.metadata.name.clone().unwrap_or_default();
    let wanted = object.spec.parallelism();
    let supervised = supervised(&object.metadata);
    let Ok(record) = job::status::record(object) else {
        return JobView { name, slots: wanted, live: true, settled: false, supervised, flink_id: None };
    };
    let grown = record.rescaling.as_ref().map_or(0, |rescaling| rescaling.parallelism);
    let held = record.attempt.as_ref().map_or(wanted, |attempt| attempt.parallelism);
    let (slots, live) = match &record.phase {
        JobPhase::New | JobPhase::Waiting { .. } => (wanted, false),
        JobPhase::Adopting { .. } | JobPhase::Submitting { .. } | JobPhase::Running => (held.max(grown), true),
        JobPhase::Stopping { next, .. } => match next {
            api::record::JobNext::Restart => (held.max(wanted), true),
            _ => (held, true),
        },
        JobPhase::Ended { .. } | JobPhase::Terminated => (0, false),
    };
    let settled = matches!(record.phase, JobPhase::Running | JobPhase::Ended { .. } | JobPhase::Terminated);
    let flink_id = record.attempt.map(|attempt| attempt.job_id);
    JobView { name, slots, live, settled, supervised, flink_id }
}
