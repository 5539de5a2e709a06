//! Waiting for as long as was ordered.
//!
//! Tokio's timer counts whole milliseconds and rounds up: what was to take 20 ms took one or two more, and a call for 1,000
//! accounts at 64 at a time 60 ms that nobody ordered.

use std::time::Duration;

use futures_timer::Delay;

/// Waits, to within 0.1 ms.
pub(crate) async fn wait(time: Duration) {
    if !time.is_zero() {
        Delay::new(time).await;
    }
}
