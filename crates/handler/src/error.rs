//! The error of an invocation: a stable `errorType` and a message.

use cross_account::Failure;
use lambda_runtime::Diagnostic;

use crate::{all_failed::AllTargetsFailed, event::InvalidEvent, panics::Panic, response::TooLarge};

/// The error of an invocation. Neither `Display` nor `Debug` shows a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvocationError {
    /// The event is invalid.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// Listing the account failed, or looking up the accounts to list.
    #[error("{0}")]
    Listing(#[from] Failure),
    /// Listing failed for every account.
    #[error(transparent)]
    AllTargetsFailed(#[from] AllTargetsFailed),
    /// The response is too large for Lambda.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// A bug in the function.
    #[error(transparent)]
    Panic(#[from] Panic),
}

impl InvocationError {
    /// The name of the error for programs. It does not change between releases.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::Listing(failure) => failure.kind().as_str(),
            Self::AllTargetsFailed(_) => "AllTargetsFailed",
            Self::TooLarge(_) => "ResponseTooLarge",
            Self::Panic(_) => "Panic",
        }
    }

    /// The failure of the core crate, if it is one.
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

    /// The names are a contract, so the documentation lists each of them with what it means.
    #[test]
    fn the_documentation_lists_every_error_type() {
        let kinds = FailureKind::ALL
            .into_iter()
            .map(|kind| (kind.as_str(), kind.meaning()));
        let own = [
            (
                "AllTargetsFailed",
                "None of many accounts could be listed; the message groups the causes",
            ),
            (
                "InvalidEvent",
                "The event has an invalid value, such as an account that the stage does not contain",
            ),
            (
                "RuntimeStopped",
                "At start: the Lambda runtime could not be started",
            ),
        ];
        let rows: Vec<String> = kinds
            .chain(own)
            .map(|(name, meaning)| format!("| `{name}` | {meaning} |\n"))
            .collect();
        let rows = rows.concat();
        let expected = format!(
            "<!-- generated: errors -->\n| `errorType` | meaning |\n|---|---|\n{rows}<!-- end -->"
        );
        let page = include_str!("../../../docs/function.md");
        assert!(
            page.contains(&expected),
            "docs/function.md needs this block:\n{expected}"
        );
    }
}
