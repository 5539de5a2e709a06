//! Waits for operations that AWS runs asynchronously.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// The first delay between two polls: an emulator is done at once.
const MIN_DELAY: Duration = Duration::from_millis(200);
/// The longest delay: CloudFormation takes at least 10 s, and its API is throttled per account.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// When to give up. CloudFormation continues, and the same command finds the result later.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Calls `poll` with growing delays until it returns a result of `what`.
///
/// # Errors
/// `poll` fails, or returns no result within [`TIMEOUT`].
pub(crate) async fn wait_for<T>(
    what: &str,
    mut poll: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut delay = MIN_DELAY;
    loop {
        if let Some(result) = poll().await? {
            return Ok(result);
        }
        if started.elapsed() > TIMEOUT {
            bail!(
                "{what} is not ready after {} minutes",
                TIMEOUT.as_secs() / 60
            );
        }
        sleep(delay).await;
        delay = (delay * 3 / 2).min(MAX_DELAY);
    }
}
