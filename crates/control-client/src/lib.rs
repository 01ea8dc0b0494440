//! The client of the control API: it sends one operation of the table of routes and reads whatever form the answer has.
//!
//! It does not find the operator, and it repeats nothing. Invariant: an error says whether the operator was reached, and if it was not, why.

mod answer;
mod client;
mod error;
mod events;
mod request;

pub use answer::Answer;
pub use client::{Client, Endpoint};
pub use error::{Error, Unreachable};
pub use events::{Message, Watch};
pub use request::{Request, Style};
