//! A panic is a fault of this program, or of one that it is made of: it fails the account that it happened to, and no other.
//!
//! Unwinding may leave half-changed what the account was using. So its session and its region's clients are dropped; what
//! is made in their place is new.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use contract::Target;

use crate::{clients::Clients, failure::Failure, kind::Phase};

/// What `future` gives, or what its panic said.
///
/// # Errors
/// It panicked.
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

/// What `future` gives, which is about `target`; a panic is its failure.
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
