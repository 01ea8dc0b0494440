//! A bootstrap's process in this world: the same steps as in production, on this world's edges.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use api::{FlinkJob, names, record};
use flink::{JobId, RunRequest};
use flink_client::{Error, Flink};
use kit::{Clock, Kubernetes};

use crate::edge::{SimEdge, SimFlink};
use crate::mutants::Mutation;
use crate::state::{Id, Shared};

const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(250);

/// How the process ended: exit code and last words.
pub type End = (i32, Option<String>);

pub struct Bootstrap {
    pub id: Id,
    pub pod: (String, String),
    pub due: Duration,
    state: Shared,
    run: Pin<Box<dyn Future<Output = End>>>,
}

/// What a bootstrap is told to do.
struct Task {
    resource: String,
    attempt: u64,
    job: JobId,
    address: String,
    request: RunRequest,
}

fn value<'a>(args: &'a [String], flag: &str) -> Option<&'a str> {
    args.iter().find_map(|argument| argument.strip_prefix("--")?.strip_prefix(flag)?.strip_prefix('='))
}

impl Task {
    fn read(args: &[String]) -> Option<Self> {
        let job = JobId::try_from(value(args, "job-id")?.to_owned()).ok()?;
        let given = args.iter().filter_map(|argument| argument.strip_prefix("--argument=").map(str::to_owned));
        Some(Self {
            resource: names::job(value(args, "cluster-name")?, value(args, "job-name")?),
            attempt: value(args, "attempt")?.parse().ok()?,
            address: format!("{}:{}", value(args, "flink-hostname")?, value(args, "port-forward")?),
            request: RunRequest {
                entry_class: value(args, "class-name").map(str::to_owned),
                program_args_list: given.collect(),
                parallelism: value(args, "parallelism")?.parse().ok(),
                job_id: Some(job.clone()),
                savepoint_path: value(args, "savepoint-path").map(str::to_owned),
                allow_non_restored_state: Some(false),
                ..RunRequest::default()
            },
            job,
        })
    }
}

impl Bootstrap {
    pub fn start(
        state: &Shared,
        id: Id,
        pod: (String, String),
        args: &[String],
        mutation: Option<Rc<dyn Mutation>>,
    ) -> Self {
        let due = state.borrow().server.now;
        let edge = SimEdge { state: Rc::clone(state), me: id, clock: Clock::machine(), mutation };
        let task = Task::read(args);
        let run = Box::pin(async move {
            match task {
                Some(task) => submit(&edge, &task).await,
                None => (2, Some("the arguments cannot be read".into())),
            }
        });
        Self { id, pod, due, state: Rc::clone(state), run }
    }

    /// Goes on if it is time; how it has ended, if it has.
    pub fn poll(&mut self) -> Option<End> {
        let now = self.state.borrow().server.now;
        if now < self.due {
            return None;
        }
        self.state.borrow_mut().wake(self.id);
        match self.run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => {
                let mut state = self.state.borrow_mut();
                if state.crashed.remove(&self.id) {
                    return Some((137, None));
                }
                self.due = state.resume(self.id);
                None
            }
        }
    }
}

fn words(reason: &str, message: &str) -> String {
    serde_json::json!({ "reason": reason, "message": message }).to_string()
}

async fn submit(edge: &SimEdge, task: &Task) -> End {
    if let Err(end) = pending(edge, task).await {
        return end;
    }
    edge.wait(Duration::from_millis(80)).await;
    let flink = edge.flink_at(&task.address);
    let end = edge.state.borrow().server.now + PATIENCE;
    if let Err(end) = patiently(edge, end, || flink.overview()).await {
        return end;
    }
    edge.wait(Duration::from_millis(120)).await;
    let jar = match patiently(edge, end, || flink.upload_jar("jobs.jar")).await {
        Ok(jar) => jar,
        Err(end) => return end,
    };
    let outcome = match pending(edge, task).await {
        Ok(()) => {
            edge.wait(Duration::from_millis(60)).await;
            run(edge, &flink, &jar, task, end).await
        }
        Err(end) => end,
    };
    let _ = flink.delete_jar(&jar).await;
    outcome
}

async fn run(edge: &SimEdge, flink: &SimFlink, jar: &str, task: &Task, end: Duration) -> End {
    let submitted = patiently(edge, end, async || match flink.run_jar(jar, &task.request).await {
        Err(error) if error.is_duplicate_submission() => Ok(task.job.clone()),
        answer => answer,
    });
    match submitted.await {
        Ok(_) => (0, None),
        Err(end) => end,
    }
}

/// Whether the attempt is still the one to submit.
async fn pending(edge: &SimEdge, task: &Task) -> Result<(), End> {
    let refused = |why: &str| Err((3, Some(words("NotPending", why))));
    loop {
        match edge.get::<FlinkJob>(&task.resource).await {
            Ok(None) => return refused("there is no such job"),
            Err(_) => edge.wait(Duration::from_secs(1)).await,
            Ok(Some(job)) => {
                let written = job.status.as_ref().and_then(|status| status.record.as_ref());
                let record: record::JobRecord = record::parse(written).unwrap_or_default();
                let wanted = record
                    .pending()
                    .is_some_and(|attempt| attempt.number == task.attempt && attempt.job_id == task.job.as_str());
                let checks = edge.mutation.as_ref().is_none_or(|mutation| mutation.bootstrap_checks());
                return if (wanted && job.metadata.deletion_timestamp.is_none()) || !checks {
                    Ok(())
                } else {
                    refused("another attempt is pending, or none")
                };
            }
        }
    }
}

/// Repeats a call until it is answered, or refused, or patience ends.
async fn patiently<T, F>(edge: &SimEdge, end: Duration, mut call: impl FnMut() -> F) -> Result<T, End>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if let (Some(_), Error::Status { reason, .. }) = (error.refusal(), &error) {
            let kind = if reason.contains("savepoint") { "RestoreFailed" } else { "JobRejected" };
            return Err((4, Some(words(kind, reason))));
        }
        if edge.state.borrow().server.now >= end {
            return Err((5, Some(words("Unreachable", "the JobManager does not answer"))));
        }
        edge.wait(PAUSE).await;
    }
}
