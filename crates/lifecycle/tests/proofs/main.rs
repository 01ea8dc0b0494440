//! What the decisions are, and that they keep their promises.
//!
//! Tables: one row for each phase and observation, as a snapshot that is read like the manual. Model: the real
//! decisions in a small world that fails in every way we could think of. Edges: what both have walked is what is
//! published. One target, since the last looks at what the others do.

mod cluster_case;
mod cluster_table;
mod conditions;
mod edges;
mod job_case;
mod job_commands;
mod job_table;
mod model;
mod table;
mod takeover;
