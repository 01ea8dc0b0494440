//! A Flink that exists in memory only, as far as flinkctl can tell it from a real one: JobManagers and what they
//! remember, jobs, savepoints and checkpoints in a storage that outlives them, and a ledger of what jobs have committed.
//!
//! Plain structs without I/O: time comes in, typed answers come out.
