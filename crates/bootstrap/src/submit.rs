//! The way of a JAR: check, wait for the JobManager, upload, check again, run, tidy up.

use std::time::Duration;

use flink::RunRequest;
use flink_client::{Client, Error, JarSource};
use tokio::time::Instant;

use crate::outcome::{Outcome, Reason, Refused};
use crate::{Args, Failure, pending};

/// How long to wait for a JobManager that starts, or that went away in the middle.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(250);
/// How long tidying up may hold up the end.
const TIDY: Duration = Duration::from_secs(5);

pub async fn submit(args: &Args) -> Result<Outcome, Failure> {
    let opened = tokio::fs::File::open(&args.jar_path).await;
    opened.map_err(|source| Failure::MissingJar { path: args.jar_path.clone(), source })?;
    let kubernetes =
        kit::client::connect(args.kube_config.as_deref()).await.map_err(|why| Failure::Kubernetes(kit::chain(&why)))?;
    pending::check(&kubernetes, args).await?;
    let flink = Client::new(&args.flink_address());
    let end = Instant::now() + PATIENCE;
    patiently(end, || flink.overview()).await?;
    let jar = patiently(end, || upload(&flink, args)).await?;
    // The upload may have taken minutes; the supervisor may have changed its mind.
    let outcome = match pending::check(&kubernetes, args).await {
        Ok(()) => run(&flink, &jar, args, end).await,
        Err(failure) => Err(failure),
    };
    tidy(&flink, &jar).await;
    outcome
}

async fn upload(flink: &Client, args: &Args) -> Result<String, Error> {
    let path = args.jar_path.clone();
    tracing::info!(jar = %path.display(), address = flink.address(), "uploading");
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Should this process be killed before it has tidied up, the supervisor knows the JAR by its name.
    let name = flink::jar::upload_name(&args.job_id, &file);
    flink.upload_jar(JarSource::Named { path, name }, |_| {}).await
}

async fn run(flink: &Client, jar: &str, args: &Args, end: Instant) -> Result<Outcome, Failure> {
    let request = request(args);
    // With the job id in the request, a run whose answer was lost can be repeated.
    let submitted = patiently(end, async || match flink.run_jar(jar, &request).await {
        Err(error) if error.is_duplicate_submission() => Ok("was submitted before"),
        answer => answer.map(|_| "submitted"),
    });
    match submitted.await {
        Ok(how) => Ok(Outcome::done(Reason::Submitted, format!("job {} {how}", args.job_id))),
        Err(Failure::Refused(Refused::Other(why))) => Err(Failure::Refused(sort(why, args))),
        Err(failure) => Err(failure),
    }
}

fn request(args: &Args) -> RunRequest {
    RunRequest {
        entry_class: Some(args.class_name.clone()),
        program_args_list: args.arguments.clone(),
        parallelism: Some(args.parallelism),
        job_id: Some(args.job_id.clone()),
        savepoint_path: args.savepoint_path.clone().filter(|path| !path.is_empty()),
        allow_non_restored_state: Some(false),
        ..RunRequest::default()
    }
}

/// What the user has to mend. Flink has one status code for all of it, so its words decide.
fn sort(why: String, args: &Args) -> Refused {
    let no_class = why.contains("entry point class")
        || why.contains("main(String[])")
        || (why.contains("ClassNotFoundException") && why.contains(&args.class_name));
    let restore = ["savepoint", "checkpoint", "FileNotFoundException", "restore"];
    if no_class {
        return Refused::Class { class: args.class_name.clone(), why };
    }
    match args.savepoint_path.clone().filter(|path| !path.is_empty()) {
        Some(path) if why.contains(&path) || restore.iter().any(|word| why.contains(word)) => {
            Refused::Restore { path, why }
        }
        _ => Refused::Other(why),
    }
}

/// Repeats a call until it is answered, or refused, or patience ends.
async fn patiently<T, F>(end: Instant, mut call: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut told = false;
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if let Error::File { path, source } = error {
            return Err(Failure::MissingJar { path: path.into(), source });
        }
        if error.refusal().is_some() {
            return Err(Failure::Refused(Refused::Other(reason(&error))));
        }
        if Instant::now() >= end {
            return Err(Failure::Unreachable(error));
        }
        if !told {
            tracing::warn!(error = kit::chain(&error), "the JobManager does not answer yet, trying again");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Status { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Flink has copied the JAR to where the job needs it; the upload is of no more use.
async fn tidy(flink: &Client, jar: &str) {
    match tokio::time::timeout(TIDY, flink.delete_jar(jar)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(jar, error = kit::chain(&error), "cannot delete the uploaded JAR"),
        Err(_) => tracing::warn!(jar, "cannot delete the uploaded JAR in time"),
    }
}

#[cfg(test)]
mod tests;
