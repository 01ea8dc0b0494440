//! Why a command did not do what it was told: one message, perhaps a hint, and the exit code.

use std::error::Error;
use std::fmt::Write as _;

use control_api::{Kind, Problem};

use crate::ExitStatus;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    pub status: ExitStatus,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Something failed; the message is a sentence without its end.
    pub fn new(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Failed, message: message.into(), hint: None }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(message).with(ExitStatus::Usage)
    }

    /// An error whose text reads after "failed to".
    pub fn to(error: &(dyn Error + 'static)) -> Self {
        Self::new(format!("failed to {}", kit::chain(error)))
    }

    /// It ends with another exit code.
    #[must_use]
    pub fn with(self, status: ExitStatus) -> Self {
        Self { status, ..self }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What the operator refused.
    pub fn refused(problem: &Problem) -> Self {
        let mut message = problem.detail.clone();
        for cause in &problem.causes {
            let _ = write!(message, "\n  {}: {}", cause.field, cause.message);
        }
        let status = match problem.kind {
            Kind::StillWaiting => ExitStatus::TimedOut,
            _ => ExitStatus::Failed,
        };
        let failure = Self::new(message).with(status);
        match problem.kind {
            Kind::Unauthenticated => {
                failure.hint("give a client certificate (--tls-cert and --tls-key) or a token (--token-file)")
            }
            _ => failure,
        }
    }

    /// What failed, and what to do about it, for those that go on.
    pub fn parts(&self) -> (&str, Option<&str>) {
        (&self.message, self.hint.as_deref())
    }

    /// Says it, on stderr.
    pub fn tell(&self) {
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
    }
}

impl From<control_client::Error> for Failure {
    fn from(error: control_client::Error) -> Self {
        use control_client::Error;
        let status = match &error {
            Error::Refused(problem) => return Self::refused(problem),
            Error::Unreachable { .. } => ExitStatus::Unreachable,
            Error::Timeout { .. } => ExitStatus::TimedOut,
            Error::Address { .. } => ExitStatus::Usage,
            Error::Setup(_) => ExitStatus::Failed,
        };
        let failure = Self::to(&error).with(status);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<kit::client::ConnectError> for Failure {
    fn from(error: kit::client::ConnectError) -> Self {
        Self::to(&error).with(ExitStatus::Unreachable)
    }
}

impl From<kit::client::CallError> for Failure {
    fn from(error: kit::client::CallError) -> Self {
        use kit::client::CallError;
        match &error {
            CallError::Timeout(_) => Self::new(error.to_string()).with(ExitStatus::Unreachable),
            CallError::Kube(kube::Error::Api(status)) => Self::new(format!("Kubernetes refuses: {}", status.message)),
            CallError::Kube(other) => {
                let why = format!("failed to reach the Kubernetes API: {}", kit::chain(other));
                Self::new(why).with(ExitStatus::Unreachable).hint(
                    "check the kubeconfig (--kube-config, --kube-context), or give --host and --port of the operator",
                )
            }
        }
    }
}

impl From<kit::forward::Error> for Failure {
    fn from(error: kit::forward::Error) -> Self {
        Self::to(&error).with(ExitStatus::Unreachable)
    }
}
