//! `flinkctl local`: a Kubernetes control plane and a node in one process, on loopback, for development, demos and the CI of Flink jobs.

pub mod machinery;
