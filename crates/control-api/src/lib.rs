//! The control API on port 4444: its routes, what requests and answers look like, and its OpenAPI document.
//!
//! Both sides use it: the operator serves these types, the command line reads them. It sends and serves nothing itself.
//! Invariant: [`route::ROUTES`] is the only list of routes. The server, the document, the permissions and the reference are made of it.

pub mod answer;
pub mod authorization;
pub mod explain;
pub mod flink;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod request;
pub mod route;

pub use answer::{Envelope, Status};
pub use problem::{Kind, Problem};
pub use route::{Operation, ROUTES, Route};

/// The begin of every path.
pub const BASE: &str = "/api/v1";
/// What a client accepts that wants plain objects, proper codes and problem details instead of the envelope.
pub const PLAIN_MEDIA_TYPE: &str = "application/vnd.flinkctl.v1+json";
/// The port, in the container and of the Service.
pub const PORT: u16 = 4444;
/// The longest body of a request, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
