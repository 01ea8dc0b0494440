//! Decisions: what to do next for a Flink cluster and for a Flink job.
//!
//! Pure functions from what was observed to a record to persist, effects to carry out, and the reason why
//! nothing more is done now. No I/O, no clock, no randomness: time comes in, ids are derived. Every effect is
//! idempotent and names what it is about, so that one that runs twice, late, or from a deposed leader is harmless.

mod ahead;
pub mod change;
pub mod cluster;
pub mod command;
mod deletion;
pub mod deployment;
pub mod desired;
pub mod ids;
pub mod job;
pub mod notice;
pub mod ownership;
pub mod reading;
pub mod refusal;
pub mod step;
pub mod supervision;
pub mod transitions;

pub use notice::Notice;
pub use reading::Reading;
pub use refusal::Refusal;
pub use step::Step;
