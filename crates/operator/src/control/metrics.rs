//! How often the control API is asked for what, how it answers, and how long that takes.

use std::time::Duration;

use control_api::Operation;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Requests and their durations. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Family<Asked, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    operation: &'static str,
    resource: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    resource: &'static str,
    code: u16,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        registry.register(
            "flink_operator_api_requests",
            "Requests to the control API by what they asked for and HTTP code",
            Family::clone(&requests),
        );
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "flink_operator_api_request_duration_seconds",
            "Time until the answer of the control API",
            Family::clone(&durations),
        );
        Self { requests, durations }
    }

    /// Counts one request.
    pub fn observe(&self, operation: Operation, code: u16, duration: Duration) {
        let (operation, resource) = (operation.name(), operation.target().map_or("", |target| target.plural()));
        self.requests.get_or_create(&Answered { operation, resource, code }).inc();
        self.durations.get_or_create(&Asked { operation, resource }).observe(duration.as_secs_f64());
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 9))
}
