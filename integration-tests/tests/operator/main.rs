//! The operator alone, on the API server and controllers of `flinkctl local` or a genuine control plane, without nodes: no pod ever runs, so there is no supervisor
//! and no Flink. The tests play the supervisor where one is needed.

mod children;
mod control;
mod jobs;
mod namespace;
mod requests;
mod stage;
mod trouble;
