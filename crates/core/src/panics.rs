//! Contains panics: a panic fails the account in which it happened and no other.
//!
//! Unwinding may leave the account's state inconsistent, so its session and its region's clients are dropped and built
//! again.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use contract::Target;

use crate::{clients::Clients, failure::Failure, kind::Phase};

/// Returns the output of `future`.
///
/// # Errors
/// It panicked; the error is the panic's message.
pub async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => {
                let text = payload
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                Poll::Ready(Err(text.unwrap_or("without a message").to_owned()))
            }
        },
    )
    .await
}

/// Returns the output of `future`, which lists `target`, or the failure for its panic.
pub(crate) async fn of_target<T>(
    clients: &Clients,
    target: &Target,
    phase: Phase,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    catch_panic(future).await.unwrap_or_else(|text| {
        clients.forget(target);
        Err(clients.failure(phase, target).panicked(&text))
    })
}
