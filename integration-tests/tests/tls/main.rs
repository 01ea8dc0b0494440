//! Who gets to the control API and how: a real `operator run` on a real port, judged by `curl`, `openssl` and `keytool`.
//!
//! Each test has an API server of `flinkctl local` in its own process, without nodes or controllers, and operators as child processes.

mod access;
mod certificates;
mod handshakes;
mod limits;
mod refusals;
mod reload;
mod stage;
mod stores;
