//! The clock and the latency of the services.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_timer::Delay;
use tokio::time::{Instant, sleep};

/// The time source of the services.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    /// The machine's clock.
    Machine,
    /// The client's runtime, since this moment. It may be paused.
    Runtime(Instant),
}

impl Clock {
    /// The start of simulated time: 2026-01-01.
    const BEGIN: Duration = Duration::from_hours(490_896);

    /// A clock of the current runtime, from now on.
    pub(crate) fn of_runtime() -> Self {
        Self::Runtime(Instant::now())
    }

    /// Waits, by the machine's clock to within 0.1 ms.
    ///
    /// Tokio's timer rounds up to whole milliseconds: 20 ms took one or two more, which added 60 ms to a call for 1,000
    /// accounts at a concurrency of 64.
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
