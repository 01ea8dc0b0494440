//! Known bugs of Flink operators, put back in between a look, its decision and its effects, to see that they are found.
//!
//! They live here and nowhere else.

pub mod bugs;
pub mod hunt;

use flink::{JobsOverview, Listing, Operation, RunRequest, TriggerId};
use flink_client::Error;
use lifecycle::{cluster, job};
use serde_json::Value;

use crate::objects::{Kind, Object};

/// A bug. What it does not touch is as in production.
pub trait Mutation {
    /// What to do with a job.
    fn decide_job(&self, observed: &job::Observed<'_>) -> job::Step {
        job::step(observed)
    }

    /// What to do with a cluster.
    fn decide_cluster(&self, observed: &cluster::Observed<'_>) -> cluster::Step {
        cluster::step(observed)
    }

    /// Changes what is created.
    fn create(&self, _kind: Kind, _manifest: &mut Value) {}

    /// Changes a status that is written.
    fn status(&self, _object: &mut Object) {}

    /// Whether deletes name the uid that they mean.
    fn guards_deletes(&self) -> bool {
        true
    }

    /// Changes what Flink says of its jobs.
    fn jobs(&self, _answer: &mut JobsOverview) {}

    /// Changes what is heard of an operation.
    fn operation(&self, _answer: &mut Result<Operation, Error>) {}

    /// Changes what was found in the storage.
    fn listings(&self, _answer: &mut [Listing]) {}

    /// Changes what is submitted.
    fn run(&self, _request: &mut RunRequest) {}

    /// Changes the id under which a stop is ordered.
    fn trigger(&self, _trigger: &mut TriggerId) {}

    /// Whether a bootstrap looks whether its attempt is wanted.
    fn bootstrap_checks(&self) -> bool {
        true
    }
}
