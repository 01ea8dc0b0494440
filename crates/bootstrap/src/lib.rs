//! Submits one JAR to one Flink cluster, once.
//!
//! It is started by a supervisor for one attempt of one job, and does nothing unless that attempt is the one that waits to be submitted.
//! Invariant: whatever is submitted carries the attempt's Flink job id, so that a repetition is refused by Flink and never runs twice.
//! The outcome is an exit code and one line of JSON in the termination message.

mod args;
mod install;
mod outcome;
mod pending;
mod submit;

pub use args::Args;
pub use install::{InstallArgs, install};
pub use outcome::{Failure, Outcome, Reason};

/// Does what the arguments say and reports it. Never fails: what went wrong is an outcome.
pub async fn run(args: &Args) -> Outcome {
    let outcome = if args.dry_run {
        Outcome::done(Reason::DryRun, "dry run: nothing was submitted")
    } else {
        submit::submit(args).await.unwrap_or_else(Outcome::from)
    };
    match outcome.reason {
        Reason::Submitted | Reason::DryRun => {
            tracing::info!(reason = ?outcome.reason, "{}", outcome.message);
        }
        _ => tracing::error!(reason = ?outcome.reason, "{}", outcome.message),
    }
    outcome.write_termination_message();
    outcome
}
