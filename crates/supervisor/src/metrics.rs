//! What the supervisor counts. Nothing here is written anywhere but on `/metrics`.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Handles of the metrics; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    passes: Histogram,
    errors: Counter,
    writes: Counter,
    reachable: Gauge,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]),
            errors: Counter::default(),
            writes: Counter::default(),
            reachable: Gauge::default(),
        };
        registry.register(
            "flink_supervisor_pass_seconds",
            "Time of one pass over the cluster and its jobs; alert when the upper quantiles reach seconds",
            metrics.passes.clone(),
        );
        registry.register(
            "flink_supervisor_errors",
            "Passes over an object that ended with an error; alert when it keeps growing",
            metrics.errors.clone(),
        );
        registry.register(
            "flink_supervisor_status_writes",
            "Status writes; does not grow while nothing changes",
            metrics.writes.clone(),
        );
        registry.register(
            "flink_supervisor_jobmanager_reachable",
            "1 if the JobManager answered when it was last asked",
            metrics.reachable.clone(),
        );
        metrics
    }

    pub fn pass(&self, time: Duration) {
        self.passes.observe(time.as_secs_f64());
    }

    pub fn error(&self) {
        self.errors.inc();
    }

    pub fn write(&self) {
        self.writes.inc();
    }

    pub fn flink(&self, reachable: bool) {
        self.reachable.set(i64::from(reachable));
    }
}
