//! Waiting for as long as was ordered, and what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_timer::Delay;
use tokio::time::{Instant, sleep};

/// By whose time requests are answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    /// The machine's.
    Machine,
    /// That of the runtime that asks, since this moment. It may be paused.
    Runtime(Instant),
}

impl Clock {
    /// When simulated time begins: 2026-01-01.
    const BEGIN: Duration = Duration::from_hours(490_896);

    /// The clock of this runtime, from now on.
    pub(crate) fn of_runtime() -> Self {
        Self::Runtime(Instant::now())
    }

    /// Waits.
    ///
    /// By the machine's clock to within 0.1 ms. Tokio's timer counts whole milliseconds and rounds up: what was to take
    /// 20 ms took one or two more, and a call for 1,000 accounts at 64 at a time 60 ms that nobody ordered.
    pub(crate) async fn wait(self, time: Duration) {
        if time.is_zero() {
            return;
        }
        match self {
            Self::Machine => Delay::new(time).await,
            Self::Runtime(_) => sleep(time).await,
        }
    }

    pub(crate) fn now(self) -> SystemTime {
        match self {
            Self::Machine => SystemTime::now(),
            Self::Runtime(begin) => UNIX_EPOCH + Self::BEGIN + begin.elapsed(),
        }
    }
}
