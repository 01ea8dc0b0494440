//! The local API server held to the truth: programs of API requests run against it and against a genuine kube-apiserver, and the
//! answers are compared after names and times that nobody chose are made equal.
//!
//! What `kubectl` prints on both is compared as well.
//!
//! A program is data (`cases/*.yaml`) or comes out of a seed (`random`). A difference is a defect of the local server, or is listed in
//! `docs/local.md` with its reason and marked in the case. Neither operator nor Flink takes part.
//!
//! With `CONFORMANCE_SHOW` in the environment, what the genuine server answers is printed; for writing cases.

mod answer;
mod case;
mod kubectl;
mod program;
mod random;
mod servers;
mod suite;

fn main() -> std::process::ExitCode {
    suite::run()
}
