//! Flink's REST API, as far as flinkctl uses it: one client speaks to one JobManager.
//!
//! The client does not retry, poll or decide: a call is one request with a deadline, and its error says what is known.
//! Redirects are not followed (Flink answers 308 to a request it refuses). Connections are kept alive between calls.
//! Invariant: `Ok` means that this JobManager answered and the answer was understood; an error of a writing call means
//! that the outcome is unknown unless the error is a refusal ([`Error::Status`]).

mod calls;
mod edge;
mod error;
mod lister;
mod shown;
mod transport;
mod upload;

use std::time::Duration;

pub use edge::Flink;
pub use error::{Error, Refusal};
pub use shown::Metrics;
pub use upload::{JarSource, Progress};

use transport::Transport;

/// A client of one JobManager. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    deadline: Duration,
}

impl Client {
    /// How long a call may take that only asks or triggers.
    pub const DEADLINE: Duration = Duration::from_secs(10);
    /// How long a run may take: it executes the program's `main`, which may talk to other systems.
    pub const RUN_DEADLINE: Duration = Duration::from_mins(3);
    /// How long an upload may stand still.
    pub const UPLOAD_STALL: Duration = Duration::from_mins(1);

    /// A client for the JobManager at `host:port`. Nothing is sent yet.
    pub fn new(address: &str) -> Self {
        Self { transport: Transport::new(address), deadline: Self::DEADLINE }
    }

    /// The same client with another deadline for calls that only ask or trigger.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The address as `host:port`.
    pub fn address(&self) -> &str {
        self.transport.address()
    }
}
