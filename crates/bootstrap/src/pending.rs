//! Whether the attempt that this process was started for is the one to submit.

use std::time::Duration;

use api::FlinkJob;
use api::record::{self, JobRecord};
use kube::Client;
use kube::api::Api;
use tokio::time::Instant;

use crate::{Args, Failure};

/// How long to go on asking an API server that does not answer.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the job and refuses unless the attempt is pending.
pub async fn check(client: &Client, args: &Args) -> Result<(), Failure> {
    let job = read(client, args).await?;
    judge(&job, args).map_err(Failure::NotPending)
}

async fn read(client: &Client, args: &Args) -> Result<FlinkJob, Failure> {
    let jobs: Api<FlinkJob> = Api::namespaced(client.clone(), &args.namespace);
    let name = args.resource();
    let end = Instant::now() + PATIENCE;
    loop {
        match kit::client::call(kit::client::DEADLINE, jobs.get(&name)).await {
            Ok(job) => return Ok(job),
            Err(error) if error.is_not_found() => {
                return Err(Failure::NotPending(format!(
                    "there is no FlinkJob {name} in namespace {}",
                    args.namespace
                )));
            }
            Err(error) if Instant::now() >= end || is_final(&error) => {
                return Err(Failure::Kubernetes(kit::chain(&error)));
            }
            Err(error) => tracing::warn!(error = kit::chain(&error), "cannot read the FlinkJob, trying again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forbidden and unauthorized stay so.
fn is_final(error: &kit::client::CallError) -> bool {
    error.status().is_some_and(|status| matches!(status.code, 401 | 403))
}

fn judge(job: &FlinkJob, args: &Args) -> Result<(), String> {
    let name = args.resource();
    if job.metadata.deletion_timestamp.is_some() {
        return Err(format!("FlinkJob {name} is being deleted"));
    }
    let written = job.status.as_ref().and_then(|status| status.record.as_ref());
    let record: JobRecord =
        record::parse(written).map_err(|why| format!("status.record of FlinkJob {name} cannot be read: {why}"))?;
    let Some(pending) = record.pending() else {
        return Err(format!("attempt {} of FlinkJob {name} is not pending: no attempt is", args.attempt));
    };
    if pending.number != args.attempt {
        return Err(format!(
            "attempt {} of FlinkJob {name} is not pending: attempt {} is",
            args.attempt, pending.number
        ));
    }
    if pending.job_id != args.job_id.as_str() {
        return Err(format!(
            "attempt {} of FlinkJob {name} has the Flink job id {}, not {}",
            args.attempt, pending.job_id, args.job_id
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::FlinkJob;
    use clap::Parser;
    use serde_json::{Value, json};

    use super::judge;
    use crate::Args;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn args(attempt: u64, id: &str) -> Args {
        let (attempt, id) = (format!("--attempt={attempt}"), format!("--job-id={id}"));
        let fixed = ["bootstrap", "--cluster-name=demo", "--job-name=a", "--jar-path=/j", "--class-name=C"];
        Cli::parse_from(fixed.into_iter().chain([attempt.as_str(), id.as_str()])).args
    }

    fn job(phase: &Value) -> FlinkJob {
        serde_json::from_value(json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": {"name": "demo-a"},
            "spec": {
                "bootstrap": {"image": "i", "className": "C", "jarPath": "/j"},
                "savepoint": {"savepointInterval": 0, "savepointTargetPath": "file:///s"},
                "restart": {},
            },
            "status": {"record": {"phase": phase, "attempt": {
                "number": 2, "jobId": ID, "incarnation": {"number": 1, "uid": "u"}, "restore": {"from": "Empty"},
                "parallelism": 1, "digest": "d",
            }}},
        }))
        .expect("a job")
    }

    /// SC-577, F-12, R-04
    #[test]
    fn only_the_pending_attempt_is_submitted() {
        let submitting = json!({"name": "Submitting", "since": "2026-01-01T00:00:00Z", "tries": 0});
        assert_eq!(judge(&job(&submitting), &args(2, ID)), Ok(()));
        let earlier = judge(&job(&submitting), &args(1, ID)).unwrap_err();
        assert_eq!(earlier, "attempt 1 of FlinkJob demo-a is not pending: attempt 2 is");
        let other = judge(&job(&submitting), &args(2, "ffffffffffffffffffffffffffffffff")).unwrap_err();
        assert!(other.contains("has the Flink job id 0123"), "{other}");
        let running = judge(&job(&json!({"name": "Running"})), &args(2, ID)).unwrap_err();
        assert!(running.ends_with("no attempt is"), "{running}");
        let unknown = judge(&job(&json!({"name": "Dancing"})), &args(2, ID)).unwrap_err();
        assert!(unknown.contains("cannot be read"), "{unknown}");
    }
}
