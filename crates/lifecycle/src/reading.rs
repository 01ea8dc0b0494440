//! A read that may have failed. "We do not know" is never "nothing is there".

use jiff::Timestamp;

/// The outcome of a read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reading<T> {
    /// The read failed, or was not made.
    Unknown {
        why: String,
        since: Timestamp,
    },
    Known(T),
}

impl<T> Reading<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }
}
