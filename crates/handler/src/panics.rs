//! Logs a panic as one line and returns it to the caller as an error.
//!
//! `lambda_runtime` catches panics too, but names them by a Rust type. Both need `panic = "unwind"`, which the release
//! profile sets.

use std::panic::{Location, PanicHookInfo, set_hook};

/// A panic of the function, with its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The function panicked, which is a bug: {0}")]
pub(crate) struct Panic(String);

impl Panic {
    /// The message of the panic.
    pub(crate) fn message(&self) -> &str {
        &self.0
    }
}

/// Writes panics to the log instead of standard error.
pub(crate) fn log_panics() {
    set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        // A panic of `lambda_runtime` itself is reported when the runtime stops.
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

/// The output of `future`, or its panic.
///
/// The core crate catches a panic while listing an account and drops the state it may have left inconsistent
/// (`cross_account::FailureKind::Panic`). The panics caught here come from this crate, which keeps no state between
/// invocations.
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
