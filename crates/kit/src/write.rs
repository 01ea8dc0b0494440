//! What a guarded write came to.

use crate::client::CallError;

/// The three ordinary ends of a write that names the state it was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Done; the object as the API server has it now.
    Written(T),
    /// Somebody else wrote first. Nothing happened; look again.
    Conflict,
    /// The object is gone.
    Gone,
}

impl<T> Outcome<T> {
    pub(crate) fn of(answer: Result<T, CallError>) -> Result<Self, CallError> {
        match answer {
            Ok(object) => Ok(Self::Written(object)),
            Err(error) if error.is_conflict() => Ok(Self::Conflict),
            Err(error) if error.is_not_found() => Ok(Self::Gone),
            Err(error) => Err(error),
        }
    }

    /// The written object, if it was written.
    pub fn written(self) -> Option<T> {
        match self {
            Self::Written(object) => Some(object),
            Self::Conflict | Self::Gone => None,
        }
    }
}
