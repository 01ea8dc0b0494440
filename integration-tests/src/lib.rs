//! The whole system on one machine, as a test or the demo sees it: a control plane (that of `flinkctl local` or a genuine one), `kubectl`, and
//! the processes of pods.
//!
//! Nothing in here knows how flinkctl works inside: it starts the binary, speaks the Kubernetes API, reads what jobs wrote to disk, and
//! looks at the machine's process table. Every wait has a deadline and fails with the state that explains it.

pub mod chaos;
pub mod cluster;
pub mod conformance;
pub mod control_plane;
pub mod counter;
pub mod flink;
pub mod forward;
pub mod local;
pub mod objects;
pub mod process;
pub mod report;
pub mod setup;
pub mod suite;
pub mod wait;
pub mod world;
