//! What the decisions are, and that they keep their promises.
//!
//! Tables: one row for each phase and observation, as a snapshot that is read like the manual. Model: the real
//! decisions in a small world that fails in every way we could think of. Edges: what both have walked is what is
//! published. Compatibility: what users of flink-k8s-toolbox know, by the numbers of docs/compatibility.md. One
//! target, since edges look at what the others do.

mod cluster_case;
mod cluster_table;
mod compatibility;
mod conditions;
mod edges;
mod job_case;
mod job_commands;
mod job_table;
mod model;
mod table;
mod takeover;
