//! Where a supervisor ends: Kubernetes, Flink and the clock lie beyond, and what decides stands beside it.
//!
//! There is one edge in production. Another one can make up what lies beyond, and put itself between a look and its decision.

use std::time::Duration;

use flink_client::{Client, Flink};
use kit::kubernetes::Namespaced;
use kit::{Clock, Kubernetes};
use lifecycle::{cluster, job};

/// What a supervisor speaks to, tells the time by, and asks what to do.
pub trait Edge {
    type Kubernetes: Kubernetes;
    type Flink: Flink;

    fn kubernetes(&self) -> &Self::Kubernetes;

    /// The JobManager at `host:port`, whose calls have this deadline. Nothing is sent yet.
    fn flink(&self, address: &str, deadline: Duration) -> Self::Flink;

    fn clock(&self) -> &Clock;

    fn decide_cluster(&self, observed: &cluster::Observed<'_>) -> cluster::Step {
        cluster::step(observed)
    }

    fn decide_job(&self, observed: &job::Observed<'_>) -> job::Step {
        job::step(observed)
    }
}

/// The edge of a supervisor that is at work.
pub struct Production {
    kubernetes: Namespaced,
    clock: Clock,
}

impl Production {
    pub fn new(client: kube::Client, namespace: &str) -> Self {
        Self { kubernetes: Namespaced::new(client, namespace), clock: Clock::machine() }
    }
}

impl Edge for Production {
    type Kubernetes = Namespaced;
    type Flink = Client;

    fn kubernetes(&self) -> &Namespaced {
        &self.kubernetes
    }

    fn flink(&self, address: &str, deadline: Duration) -> Client {
        Client::new(address).with_deadline(deadline)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}
