//! What the conformance suite needs to compare answers of two API servers: short paths, a normal form, and differences.

pub mod compare;
pub mod normal;
pub mod path;
