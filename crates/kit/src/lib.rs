//! The frame of a process of ours: what the operator, the supervisor and the bootstrap have in common around their decisions.
//!
//! Telemetry, TLS, an HTTPS server, Kubernetes client, caches, guarded writes, events, metrics, health and shutdown. It decides nothing about
//! Flink. Invariant: nothing here waits without a deadline or a cancellation, and nothing here retries behind the caller's back.

pub mod cache;
pub mod client;
pub mod clock;
pub mod error;
pub mod events;
pub mod forward;
pub mod https;
pub mod kubernetes;
pub mod monitoring;
pub mod object;
pub mod patch;
pub mod process;
pub mod projection;
pub mod queue;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;

mod write;

pub use clock::Clock;
pub use error::chain;
pub use kubernetes::Kubernetes;
pub use object::Object;
pub use write::Outcome;
