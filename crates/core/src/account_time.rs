//! Limits the time of each account.
//!
//! An account's time ends at the deadline or, if other accounts are waiting to start, when its share of the invocation
//! is used up. Time spent waiting for the rate limiter or for space that other accounts use does not count.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The limit that ended an account's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeLimit {
    /// The invocation's deadline.
    Deadline,
    /// The account's share of the invocation, of this length, while another account was waiting.
    Share(Duration),
    /// The invocation's deadline, while the account was waiting.
    Waiting(WaitFor),
}

/// The reason an account waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// The rate limiter of STS.
    RateLimit,
    /// Space for a page.
    Budget,
}

/// An account's share of an invocation.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    pub(crate) length: Duration,
    /// Whether another account is waiting to start.
    pub(crate) is_wanted: &'a AtomicBool,
    /// When accounts stop starting.
    pub(crate) last_start: Instant,
}

/// The time of one account in one invocation.
#[derive(Debug)]
pub(crate) struct AccountTime<'a> {
    started: Instant,
    deadline: Option<Instant>,
    share: Option<Share<'a>>,
    waits: Waits,
    ended: OnceLock<TimeLimit>,
}

impl<'a> AccountTime<'a> {
    /// Returns the time from now to `deadline`.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            started: Instant::now(),
            deadline,
            share: None,
            waits: Waits::default(),
            ended: OnceLock::new(),
        }
    }

    /// Returns the time of one of many accounts, from `started`. It has a share, and waits for the rate limiter until
    /// the deadline.
    pub(crate) fn of_many(started: Instant, deadline: Instant, share: Share<'a>) -> Self {
        Self {
            started,
            share: Some(share),
            waits: Waits {
                to_the_end: true,
                ..Waits::default()
            },
            ..Self::until(Some(deadline))
        }
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Returns the limit that ended the time, if any.
    pub(crate) fn ended(&self) -> Option<TimeLimit> {
        self.ended.get().copied()
    }

    /// Returns the most that the account can have had before `deadline`, without the time it waited.
    pub(crate) fn before(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.started + self.waits.total())
    }

    /// Returns the output of `future`, unless the time ends first.
    pub(crate) async fn within<T>(&self, future: impl Future<Output = T>) -> Result<T, TimeLimit> {
        let Some(deadline) = self.deadline else {
            return Ok(future.await);
        };
        let mut future = pin!(future);
        let mut end = pin!(sleep_until(self.end(deadline).0));
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            loop {
                let (time, ended) = self.end(deadline);
                if end.deadline() != time {
                    end.as_mut().reset(time);
                }
                if end.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                // The share may have grown to the whole invocation in the meantime.
                if self.end(deadline).0 <= Instant::now() {
                    return Poll::Ready(Err(*self.ended.get_or_init(|| ended)));
                }
            }
        })
        .await
    }

    /// Returns when the time ends, as things stand, and the limit that ends it.
    fn end(&self, deadline: Instant) -> (Instant, TimeLimit) {
        if let Some(what) = self.waits.now() {
            return (deadline, TimeLimit::Waiting(what));
        }
        match &self.share {
            Some(share) if share.is_wanted.load(Ordering::Relaxed) => {
                let end = self.started + share.length + self.waits.total();
                if end < deadline && end < share.last_start {
                    (end, TimeLimit::Share(share.length))
                } else {
                    (deadline, TimeLimit::Deadline)
                }
            }
            _ => (deadline, TimeLimit::Deadline),
        }
    }
}

/// Counts the time that an account has waited because of others.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Whether throttling is waited out until the deadline, without a limit on attempts.
    pub(crate) to_the_end: bool,
    waited: Mutex<Waited>,
}

#[derive(Debug, Default)]
struct Waited {
    total: Duration,
    now: Option<(WaitFor, Instant)>,
    throttled: bool,
}

impl Waits {
    /// Returns the output of `future`; its duration counts as waiting.
    pub(crate) async fn during<T>(&self, what: WaitFor, future: impl Future<Output = T>) -> T {
        /// Stops counting even if the future is dropped.
        struct Waiting<'a>(&'a Waits);

        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                let mut waited = self.0.lock();
                let now = waited.now.take();
                waited.total += now.map_or(Duration::ZERO, |(_, since)| since.elapsed());
            }
        }

        self.begin(what);
        let _waiting = Waiting(self);
        future.await
    }

    fn begin(&self, what: WaitFor) {
        let mut waited = self.lock();
        waited.now = Some((what, Instant::now()));
        waited.throttled |= what == WaitFor::RateLimit;
    }

    /// Adds the duration of a throttled request, which also counts as waiting.
    pub(crate) fn throttled(&self, time: Duration) {
        let mut waited = self.lock();
        waited.total += time;
        waited.throttled = true;
    }

    /// Returns whether some of the time was spent waiting for STS.
    pub(crate) fn was_throttled(&self) -> bool {
        self.lock().throttled
    }

    pub(crate) fn total(&self) -> Duration {
        self.lock().total
    }

    /// Returns the reason for the current wait.
    fn now(&self) -> Option<WaitFor> {
        self.lock().now.map(|(what, _)| what)
    }

    fn lock(&self) -> MutexGuard<'_, Waited> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
