//! Waiting for what AWS does in its own time.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// The first pause: an emulator is done at once.
const SHORTEST: Duration = Duration::from_millis(200);
/// The longest pause: CloudFormation takes 10 s at least, and its API is throttled per account.
const LONGEST: Duration = Duration::from_secs(5);
/// When to give up. What CloudFormation does goes on; the same command finds it later.
const LIMIT: Duration = Duration::from_mins(30);

/// Looks again and again, with growing pauses, until `look` sees the end of `what`.
///
/// # Errors
/// An error of `look`, or no end within half an hour.
pub(crate) async fn wait_for<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = SHORTEST;
    loop {
        if let Some(end) = look().await? {
            return Ok(end);
        }
        if started.elapsed() > LIMIT {
            bail!("{what} takes more than {} minutes", LIMIT.as_secs() / 60);
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
}
