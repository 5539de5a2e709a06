//! A panic is a fault of this program; it is logged as one line, and told to the caller as an error like any other.
//!
//! `lambda_runtime` catches panics too, but names them by a Rust type. Both need `panic = "unwind"`, which the release
//! profile sets.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook},
    pin::pin,
    task::Poll,
};

/// That the function panicked, with what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The function panicked, which is a fault in it: {0}")]
pub(crate) struct Panic(String);

/// Logs panics as lines of the log, instead of as text on standard error.
pub(crate) fn log_panics() {
    set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        tracing::error!(
            errorType = "Panic",
            location = panic.location().map(tracing::field::display),
            "{}",
            text(panic.payload())
        );
    }));
}

/// What `future` gives, or its panic.
///
/// Unwinding may leave a value half changed; of what outlives a call only the cache of sessions changes, and it holds
/// whole entries.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panic> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panic(text(&*payload).to_owned()))),
        },
    )
    .await
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
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
