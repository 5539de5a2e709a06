//! Why an invocation failed: a stable `errorType`, and a message for a person.

use cross_account::Failure;
use lambda_runtime::Diagnostic;

use crate::{all_failed::AllTargetsFailed, event::InvalidEvent, panics::Panic, response::TooLarge};

/// Why an invocation failed. Neither `Display` nor `Debug` shows a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvocationError {
    /// The event says something that cannot be.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The account could not be listed, or it could not be found out which accounts to list.
    #[error("{0}")]
    Listing(#[from] Failure),
    /// None of the accounts could be listed.
    #[error(transparent)]
    AllTargetsFailed(#[from] AllTargetsFailed),
    /// It could, but Lambda would not carry the answer.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// A fault of this program.
    #[error(transparent)]
    Panic(#[from] Panic),
}

impl InvocationError {
    /// The name by which programs tell failures apart: it does not change between releases.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::Listing(failure) => failure.kind().as_str(),
            Self::AllTargetsFailed(_) => "AllTargetsFailed",
            Self::TooLarge(_) => "ResponseTooLarge",
            Self::Panic(_) => "Panic",
        }
    }

    /// The core's failure, where it is one.
    pub(crate) fn as_failure(&self) -> Option<&Failure> {
        match self {
            Self::Listing(failure) => Some(failure),
            Self::InvalidEvent(_)
            | Self::AllTargetsFailed(_)
            | Self::TooLarge(_)
            | Self::Panic(_) => None,
        }
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let mut message = error.to_string();
        if let Some(hint) = error.as_failure().and_then(Failure::hint) {
            message += "\nhint: ";
            message += hint;
        }
        Self {
            error_type: error.error_type().to_owned(),
            error_message: message,
        }
    }
}

#[cfg(test)]
mod tests {
    use cross_account::FailureKind;

    /// The names are a promise: what is not in the README is not kept.
    #[test]
    fn the_readme_lists_every_error_type() {
        let readme = include_str!("../../../README.md");
        for kind in FailureKind::ALL {
            let row = format!("| `{}` | {} |", kind.as_str(), kind.meaning());
            assert!(readme.contains(&row), "README.md lacks the row: {row}");
        }
        for name in [
            "AllTargetsFailed",
            "InvalidEvent",
            "ResponseTooLarge",
            "Panic",
            "RuntimeStopped",
        ] {
            let row = format!("| `{name}` | ");
            assert!(readme.contains(&row), "README.md lacks a row for {name}");
        }
    }
}
