//! How a command ends.

use std::process::ExitCode;

/// Exit codes of the commands that talk to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It is done.
    Done,
    /// It was refused, or it failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The operator, or Kubernetes, was not reached.
    Unreachable,
    /// It was not done within the time given.
    TimedOut,
}

impl ExitStatus {
    /// All of them, with what they mean.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Done, "done"),
        (Self::Failed, "refused, or failed"),
        (Self::Usage, "wrong usage"),
        (Self::Unreachable, "the operator or Kubernetes cannot be reached"),
        (Self::TimedOut, "not done within the time given"),
    ];

    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::TimedOut => 4,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        status.code().into()
    }
}
