//! A deterministic simulator of the whole lifecycle: one thread, one seed, virtual time.
//!
//! The control loops of `operator` and `supervisor` run here as they run in production; what is behind their edges is
//! made up: an API server, the nodes, and Flink. Faults are injected at each of these edges, and after every event the
//! invariants are checked. For development only: no other crate depends on this one. Invariant: the same seed gives the
//! same run.

pub mod books;
mod bootstrap;
pub mod campaign;
pub mod chaos;
pub mod dice;
mod edge;
pub mod faults;
pub mod flink;
mod invariants;
pub mod mutants;
mod nodes;
mod objects;
mod operators;
pub mod plans;
pub mod run;
pub mod scenario;
mod server;
pub mod shrink;
mod state;
mod supervisors;
mod time;
mod watch;
mod world;
