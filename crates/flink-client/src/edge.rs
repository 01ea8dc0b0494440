//! Flink's edge as a trait: the calls that decisions depend on, so that a Flink that is made up can stand in for one.

use std::collections::BTreeMap;

use flink::{
    CheckpointConfig, Checkpoints, Jars, JobId, JobState, JobsOverview, Listing, Operation, Overview, Requirements,
    RunRequest, TaskManagers, TriggerId,
};

use crate::{Client, Error};

/// One JobManager, as far as flinkctl asks it. What each call means stands at the [`Client`]'s method of that name.
#[expect(async_fn_in_trait, reason = "who needs `Send` has a concrete type, which tells")]
pub trait Flink {
    async fn overview(&self) -> Result<Overview, Error>;
    async fn jobs_overview(&self) -> Result<JobsOverview, Error>;
    async fn job_status(&self, job: &JobId) -> Result<Option<JobState>, Error>;
    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error>;
    async fn checkpoint_config(&self, job: &JobId) -> Result<Option<CheckpointConfig>, Error>;
    async fn jobmanager_config(&self) -> Result<BTreeMap<String, String>, Error>;
    async fn taskmanagers(&self) -> Result<TaskManagers, Error>;
    async fn job_exceptions(&self, job: &JobId) -> Result<Option<String>, Error>;
    async fn savepoint_operation(&self, job: &JobId, trigger: &TriggerId) -> Result<Operation, Error>;
    async fn list_checkpoints(&self, paths: &[String]) -> Result<Vec<Listing>, Error>;
    async fn run_jar(&self, jar_id: &str, request: &RunRequest) -> Result<JobId, Error>;
    async fn delete_jar(&self, jar_id: &str) -> Result<(), Error>;
    async fn cancel_job(&self, job: &JobId) -> Result<(), Error>;
    async fn trigger_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error>;
    async fn stop_with_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error>;

    async fn dispose_savepoint(&self, path: &str) -> Result<TriggerId, Error>;
    async fn savepoint_disposal(&self, trigger: &TriggerId) -> Result<Operation, Error>;
    async fn jars(&self) -> Result<Jars, Error>;
    async fn resource_requirements(&self, job: &JobId) -> Result<Requirements, Error>;
    async fn set_resource_requirements(&self, job: &JobId, requirements: &Requirements) -> Result<(), Error>;
    async fn parallelism(&self, job: &JobId) -> Result<BTreeMap<String, u32>, Error>;
    async fn trigger_checkpoint(&self, job: &JobId, trigger: &TriggerId) -> Result<TriggerId, Error>;
}

impl Flink for Client {
    async fn dispose_savepoint(&self, path: &str) -> Result<TriggerId, Error> {
        self.dispose_savepoint(path).await
    }

    async fn savepoint_disposal(&self, trigger: &TriggerId) -> Result<Operation, Error> {
        self.savepoint_disposal(trigger).await
    }

    async fn jars(&self) -> Result<Jars, Error> {
        self.jars().await
    }

    async fn resource_requirements(&self, job: &JobId) -> Result<Requirements, Error> {
        self.resource_requirements(job).await
    }

    async fn set_resource_requirements(&self, job: &JobId, requirements: &Requirements) -> Result<(), Error> {
        self.set_resource_requirements(job, requirements).await
    }

    async fn parallelism(&self, job: &JobId) -> Result<BTreeMap<String, u32>, Error> {
        self.parallelism(job).await
    }

    async fn trigger_checkpoint(&self, job: &JobId, trigger: &TriggerId) -> Result<TriggerId, Error> {
        self.trigger_checkpoint(job, trigger).await
    }

    async fn overview(&self) -> Result<Overview, Error> {
        self.overview().await
    }

    async fn jobs_overview(&self) -> Result<JobsOverview, Error> {
        self.jobs_overview().await
    }

    async fn job_status(&self, job: &JobId) -> Result<Option<JobState>, Error> {
        self.job_status(job).await
    }

    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error> {
        self.checkpoints(job).await
    }

    async fn checkpoint_config(&self, job: &JobId) -> Result<Option<CheckpointConfig>, Error> {
        self.checkpoint_config(job).await
    }

    async fn jobmanager_config(&self) -> Result<BTreeMap<String, String>, Error> {
        self.jobmanager_config().await
    }

    async fn taskmanagers(&self) -> Result<TaskManagers, Error> {
        self.taskmanagers().await
    }

    async fn job_exceptions(&self, job: &JobId) -> Result<Option<String>, Error> {
        self.job_exceptions(job).await
    }

    async fn savepoint_operation(&self, job: &JobId, trigger: &TriggerId) -> Result<Operation, Error> {
        self.savepoint_operation(job, trigger).await
    }

    async fn list_checkpoints(&self, paths: &[String]) -> Result<Vec<Listing>, Error> {
        self.list_checkpoints(paths).await
    }

    async fn run_jar(&self, jar_id: &str, request: &RunRequest) -> Result<JobId, Error> {
        self.run_jar(jar_id, request).await
    }

    async fn delete_jar(&self, jar_id: &str) -> Result<(), Error> {
        self.delete_jar(jar_id).await
    }

    async fn cancel_job(&self, job: &JobId) -> Result<(), Error> {
        self.cancel_job(job).await
    }

    async fn trigger_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        self.trigger_savepoint(job, trigger, target).await
    }

    async fn stop_with_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        self.stop_with_savepoint(job, trigger, target).await
    }
}
