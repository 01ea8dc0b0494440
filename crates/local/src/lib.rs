//! `flinkctl local`: a Kubernetes control plane and a node in one process, on loopback, for development, demos and the CI of Flink jobs.

pub mod controllers;
mod files;
pub mod instance;
pub mod kubeconfig;
pub mod lock;
pub mod machinery;
pub mod network;
pub mod pki;
pub mod server;
pub mod shim;
pub mod store;
