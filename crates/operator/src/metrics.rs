//! Metrics: how many clusters and jobs are in which state, and how the looks went. States are counted when they are asked for.

use std::future::Future;
use std::time::Instant;

use api::SupervisorStatus;
use kit::queue::Next;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::caches::Caches;

const STATES: [SupervisorStatus; 6] = [
    SupervisorStatus::Unknown,
    SupervisorStatus::Starting,
    SupervisorStatus::Started,
    SupervisorStatus::Stopping,
    SupervisorStatus::Stopped,
    SupervisorStatus::Terminated,
];

/// Durations of looks, by kind and outcome.
#[derive(Clone)]
pub struct Timings {
    durations: Family<LookLabels, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// Registers everything.
pub fn register(registry: &mut Registry, namespace: &str, caches: &Caches) -> Timings {
    registry.register_collector(Box::new(States { namespace: namespace.to_owned(), caches: caches.clone() }));
    let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
    registry.register(
        "flink_operator_reconcile_duration_seconds",
        "Time that a look at a resource took",
        Family::clone(&durations),
    );
    Timings { durations }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 8))
}

impl Timings {
    /// Measures one look.
    pub async fn time(&self, kind: &'static str, look: impl Future<Output = Next>) -> Next {
        let start = Instant::now();
        let next = look.await;
        let outcome = if next == Next::Failed { "failure" } else { "success" };
        self.durations.get_or_create(&LookLabels { kind, outcome }).observe(start.elapsed().as_secs_f64());
        next
    }
}

struct States {
    namespace: String,
    caches: Caches,
}

impl std::fmt::Debug for States {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("States").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Collector for States {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let clusters = self.caches.clusters.all();
        let clusters = clusters.iter().map(|object| {
            object.valid().and_then(|cluster| cluster.status.as_ref()?.supervisor_status).unwrap_or_default()
        });
        self.gauge(&mut encoder, "flink_operator_cluster_status", "Clusters by state", count(clusters))?;
        let jobs = self.caches.jobs.all();
        let jobs = jobs
            .iter()
            .map(|object| object.valid().and_then(|job| job.status.as_ref()?.supervisor_status).unwrap_or_default());
        self.gauge(&mut encoder, "flink_operator_job_status", "Jobs by state", count(jobs))
    }
}

impl States {
    fn gauge(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        counts: [i64; STATES.len()],
    ) -> Result<(), std::fmt::Error> {
        let template = ConstGauge::<i64>::new(0);
        let mut metric = encoder.encode_descriptor(name, help, None, template.metric_type())?;
        for (state, count) in STATES.iter().zip(counts) {
            let labels = [("namespace", self.namespace.as_str()), ("status", state.as_str())];
            ConstGauge::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn count(states: impl Iterator<Item = SupervisorStatus>) -> [i64; STATES.len()] {
    let mut counts = [0; STATES.len()];
    for state in states {
        if let Some(index) = STATES.iter().position(|one| *one == state) {
            counts[index] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_counted() {
        let counts =
            count([SupervisorStatus::Started, SupervisorStatus::Started, SupervisorStatus::Unknown].into_iter());
        assert_eq!(counts, [1, 0, 2, 0, 0, 0]);
    }
}
