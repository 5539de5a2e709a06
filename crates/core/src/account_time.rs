//! The time that an account has of its own.
//!
//! It ends with the call, or, where another account waits for its place, with its share of the call. What it waits for its
//! turn at a service that throttles the caller, or for room that others take, is for the sake of all, and counts against
//! none.

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

/// What ended an account's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeLimit {
    /// The call's deadline.
    Deadline,
    /// Its share of the call, as long as this, while another account waited for its place.
    Share(Duration),
    /// The call's deadline, while it waited.
    Waiting(WaitFor),
}

/// What an account waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// Its turn at STS.
    RateLimit,
    /// Room for a page.
    Budget,
}

/// The share that an account has of a call.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    pub(crate) length: Duration,
    /// Whether another account waits for a place.
    pub(crate) is_wanted: &'a AtomicBool,
    /// Until when one that waits would be started.
    pub(crate) last_start: Instant,
}

/// The time of one account in one call.
#[derive(Debug)]
pub(crate) struct AccountTime<'a> {
    started: Instant,
    deadline: Option<Instant>,
    share: Option<Share<'a>>,
    waits: Waits,
    ended: OnceLock<TimeLimit>,
}

impl<'a> AccountTime<'a> {
    /// From now to the end of the call.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self {
            started: Instant::now(),
            deadline,
            share: None,
            waits: Waits::default(),
            ended: OnceLock::new(),
        }
    }

    /// Of one account of many, from `started`: it has a share, and waits for its turn as long as the call has time.
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

    /// What has ended it, where something has.
    pub(crate) fn ended(&self) -> Option<TimeLimit> {
        self.ended.get().copied()
    }

    /// How much of it there was at most, without the waiting, before `deadline`.
    pub(crate) fn before(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.started + self.waits.total())
    }

    /// What `future` gives, unless the time ends first.
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
                // A share may have become the whole call meanwhile.
                if self.end(deadline).0 <= Instant::now() {
                    return Poll::Ready(Err(*self.ended.get_or_init(|| ended)));
                }
            }
        })
        .await
    }

    /// When it ends, as things are, and what it is that ends it.
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

/// What an account has waited for others' sake.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Whether it is throttled to the end of the call, and not only as often as a request is tried.
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
    /// What `future` gives; its time is spent waiting.
    pub(crate) async fn during<T>(&self, what: WaitFor, future: impl Future<Output = T>) -> T {
        /// Also where it is given up.
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

    /// A request that took so long was refused, so that this was waiting as well.
    pub(crate) fn refused(&self, time: Duration) {
        let mut waited = self.lock();
        waited.total += time;
        waited.throttled = true;
    }

    /// Whether some of it was for its turn at STS.
    pub(crate) fn was_throttled(&self) -> bool {
        self.lock().throttled
    }

    pub(crate) fn total(&self) -> Duration {
        self.lock().total
    }

    /// What it waits for now.
    fn now(&self) -> Option<WaitFor> {
        self.lock().now.map(|(what, _)| what)
    }

    fn lock(&self) -> MutexGuard<'_, Waited> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
