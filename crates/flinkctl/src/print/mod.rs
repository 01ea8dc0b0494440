//! What a person or a program sees: the form of the output, tables, details, and progress.
//!
//! stdout is data, stderr is talk. Everything can be read without colour.

mod details;
mod figures;
mod look;
mod progress;
mod resource;
mod table;
mod time;

pub use details::Details;
pub use figures::{bytes, figures};
pub use look::{Format, Habit, Look, OutputArgs};
pub use progress::Progress;
pub use resource::{describe, list, rows, state};
pub use table::{Cell, Column, Table, Tone};
pub use time::{age, ago};

use std::io::Write as _;

/// Writes to stdout. Whoever reads may have gone; then nobody misses the rest.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.is_empty() && !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}
