//! The calls, one method for each.

use std::collections::BTreeMap;

use flink::cluster::config_map;
use flink::{
    CheckpointConfig, CheckpointRequest, Checkpoints, ConfigEntry, DisposalRequest, Exceptions, Jars, JobId, JobState,
    JobStatus, JobsOverview, Operation, OperationAnswer, Overview, Requirements, RunAnswer, RunRequest,
    SavepointRequest, StopRequest, TaskManagers, TriggerAnswer, TriggerId, Vertices,
};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::transport::Answer;
use crate::{Client, Error};

impl Client {
    pub(crate) async fn bare(&self, method: Method, path: &str) -> Result<Answer, Error> {
        self.transport.bare(method, path, self.deadline).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.bare(Method::GET, path).await?.decode()
    }

    async fn trigger<T: Serialize>(&self, path: &str, body: &T) -> Result<TriggerId, Error> {
        let answer: TriggerAnswer = self.transport.json(path, body, self.deadline).await?.decode()?;
        Ok(answer.request_id)
    }

    /// The cluster: version and slots.
    pub async fn overview(&self) -> Result<Overview, Error> {
        self.get("/overview").await
    }

    /// All jobs that this JobManager knows, ended ones included. While it starts the list may be empty for a moment.
    pub async fn jobs_overview(&self) -> Result<JobsOverview, Error> {
        self.get("/jobs/overview").await
    }

    /// The state of one job, fresh; `None` if this JobManager does not know it.
    pub async fn job_status(&self, job: &JobId) -> Result<Option<JobState>, Error> {
        match self.get::<JobStatus>(&format!("/jobs/{job}/status")).await {
            Ok(answer) => Ok(Some(answer.status)),
            Err(error) if error.is_job_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The checkpoints of one job, from Flink's cache.
    pub async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error> {
        self.get(&format!("/jobs/{job}/checkpoints")).await
    }

    /// How one job checkpoints; `None` if it does not.
    pub async fn checkpoint_config(&self, job: &JobId) -> Result<Option<CheckpointConfig>, Error> {
        let answer = self.bare(Method::GET, &format!("/jobs/{job}/checkpoints/config")).await?;
        let disabled = answer.status == StatusCode::NOT_FOUND
            && answer.error_body().is_some_and(|body| body.reason().starts_with("Checkpointing is not enabled"));
        if disabled { Ok(None) } else { answer.decode().map(Some) }
    }

    /// The configuration that the JobManager runs with.
    pub async fn jobmanager_config(&self) -> Result<BTreeMap<String, String>, Error> {
        self.get::<Vec<ConfigEntry>>("/jobmanager/config").await.map(config_map)
    }

    /// Every TaskManager that is registered.
    pub async fn taskmanagers(&self) -> Result<TaskManagers, Error> {
        self.get("/taskmanagers").await
    }

    /// Runs an uploaded JAR. With a job id in the request a repetition does no harm: it is refused as a
    /// [duplicate](Error::is_duplicate_submission). A refused run can leave a job in state FAILED under that id.
    pub async fn run_jar(&self, jar_id: &str, request: &RunRequest) -> Result<JobId, Error> {
        let answer: RunAnswer = self.run(jar_id, request).await?.decode()?;
        Ok(answer.job_id)
    }

    pub(crate) async fn run(&self, jar_id: &str, request: &RunRequest) -> Result<Answer, Error> {
        self.transport.json(&format!("/jars/{}/run", segment(jar_id)), request, Self::RUN_DEADLINE).await
    }

    /// The JARs that were uploaded and not deleted.
    pub async fn jars(&self) -> Result<Jars, Error> {
        self.get("/jars").await
    }

    /// Deletes an uploaded JAR.
    pub async fn delete_jar(&self, jar_id: &str) -> Result<(), Error> {
        self.bare(Method::DELETE, &format!("/jars/{}", segment(jar_id))).await?.success().map(drop)
    }

    /// Asks a job to end without a savepoint. Accepted for a cancelled job too; one that ended otherwise refuses with 409.
    pub async fn cancel_job(&self, job: &JobId) -> Result<(), Error> {
        self.bare(Method::PATCH, &format!("/jobs/{job}?mode=cancel")).await?.success().map(drop)
    }

    /// Triggers a savepoint of a job that goes on running. The same trigger id again is the same operation, as long as
    /// this JobManager remembers it. Accepted for a job that does not exist: the operation fails then.
    pub async fn trigger_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        let request = SavepointRequest {
            target_directory: target.map(str::to_owned),
            cancel_job: false,
            trigger_id: trigger.clone(),
        };
        self.trigger(&format!("/jobs/{job}/savepoints"), &request).await
    }

    /// Ends a job with a savepoint, without draining it, so that it can go on from there. The savepoint can be complete
    /// before the job is `FINISHED`.
    pub async fn stop_with_savepoint(
        &self,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
    ) -> Result<TriggerId, Error> {
        let request =
            StopRequest { target_directory: target.map(str::to_owned), drain: false, trigger_id: trigger.clone() };
        self.trigger(&format!("/jobs/{job}/stop"), &request).await
    }

    /// How many subtasks each operator is to have. Refused by schedulers that do not change it while a job runs.
    pub async fn resource_requirements(&self, job: &JobId) -> Result<Requirements, Error> {
        self.get(&format!("/jobs/{job}/resource-requirements")).await
    }

    /// Says how many subtasks each operator is to have; it must name all of them. Flink does that when it has the slots, and, in some
    /// versions, the next checkpoint.
    pub async fn set_resource_requirements(&self, job: &JobId, requirements: &Requirements) -> Result<(), Error> {
        let path = format!("/jobs/{job}/resource-requirements");
        self.transport.json_by(Method::PUT, &path, requirements, self.deadline).await?.success().map(drop)
    }

    /// How many subtasks each operator has, by its id, from Flink's cache.
    pub async fn parallelism(&self, job: &JobId) -> Result<BTreeMap<String, u32>, Error> {
        let answer: Vertices = self.get(&format!("/jobs/{job}")).await?;
        Ok(answer.vertices.into_iter().map(|vertex| (vertex.id, vertex.parallelism)).collect())
    }

    /// Asks for a checkpoint now. The same trigger id again is the same one.
    pub async fn trigger_checkpoint(&self, job: &JobId, trigger: &TriggerId) -> Result<TriggerId, Error> {
        self.trigger(&format!("/jobs/{job}/checkpoints"), &CheckpointRequest::new(trigger.clone())).await
    }

    /// Where a savepoint or a stop stands.
    pub async fn savepoint_operation(&self, job: &JobId, trigger: &TriggerId) -> Result<Operation, Error> {
        let answer = self.bare(Method::GET, &format!("/jobs/{job}/savepoints/{trigger}")).await?;
        let unknown = answer.status == StatusCode::NOT_FOUND
            && answer.error_body().is_some_and(|body| !body.reason().starts_with("Unable to load requested file"));
        if unknown { Ok(Operation::NotFound) } else { answer.decode::<OperationAnswer>().map(Operation::from) }
    }

    /// Asks for a savepoint to be deleted, whoever made it.
    pub async fn dispose_savepoint(&self, path: &str) -> Result<TriggerId, Error> {
        let request = DisposalRequest { savepoint_path: path.to_owned() };
        self.trigger("/savepoint-disposal", &request).await
    }

    /// Where the deletion of a savepoint stands.
    pub async fn savepoint_disposal(&self, trigger: &TriggerId) -> Result<Operation, Error> {
        let answer = self.bare(Method::GET, &format!("/savepoint-disposal/{trigger}")).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Operation::NotFound);
        }
        answer.decode::<OperationAnswer>().map(OperationAnswer::without_location)
    }

    /// Why the job failed last, from Flink's cache; `None` if nothing is known (yet).
    pub async fn job_exceptions(&self, job: &JobId) -> Result<Option<String>, Error> {
        let answer: Exceptions = self.get(&format!("/jobs/{job}/exceptions?maxExceptions=1")).await?;
        Ok(answer.root_cause())
    }
}

/// A path segment: a JAR's id ends with the name of the user's file, which may hold anything.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("a string takes everything");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_name_cannot_leave_its_path_segment() {
        assert_eq!(super::segment("a-1_my job/../x?.jar"), "a-1_my%20job%2F..%2Fx%3F.jar");
    }
}
