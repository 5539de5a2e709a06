//! A panic is a fault of this program; it is logged as one line, and told to the caller as an error like any other.
//!
//! `lambda_runtime` catches panics too, but names them by a Rust type. Both need `panic = "unwind"`, which the release
//! profile sets.

use std::panic::{Location, PanicHookInfo, set_hook};

/// That the function panicked, with what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The function panicked, which is a fault in it: {0}")]
pub(crate) struct Panic(String);

impl Panic {
    /// What it said.
    pub(crate) fn message(&self) -> &str {
        &self.0
    }
}

/// Logs panics as lines of the log, instead of as text on standard error.
pub(crate) fn log_panics() {
    set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        // Of `lambda_runtime` itself: the end of the conversation with Lambda tells of it.
        let file = panic.location().map(Location::file).unwrap_or_default();
        if file.contains("/lambda_runtime") {
            return;
        }
        tracing::error!(
            errorType = "Panic",
            location = panic.location().map(tracing::field::display),
            "{}",
            panic.payload_as_str().unwrap_or("without a message")
        );
    }));
}

/// What `future` gives, or its panic.
///
/// A panic about one account is caught before (`cross_account::FailureKind::Panic`), and what it may have left half-changed
/// is dropped. What comes here is of this crate's own, which keeps nothing between calls.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panic> {
    cross_account::catch_panic(future).await.map_err(Panic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let number = 7;
        let panic = caught(async { assert_eq!(number, 8, "no {number}") })
            .await
            .unwrap_err();
        assert!(panic.to_string().contains("no 7"), "{panic}");
    }
}
