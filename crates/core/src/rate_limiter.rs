//! Limits the request rate to a service with a quota per caller.
//!
//! STS counts the requests of the calling account in a region, whatever the target. If it throttles one request, it
//! throttles all that come as fast; if each target backed off by itself, they would only exhaust the quota again. Every
//! attempt of `AssumeRole` therefore passes through here. At first nothing is held back. After a throttled request,
//! requests start one at a time, the oldest first, at the rate accepted since: if a token bucket is empty at two
//! throttled requests, the number accepted between them is what it was refilled with. Each accepted request raises the
//! rate a little until the next is throttled, so that no quota is left unused. After an idle time nothing is held back
//! again: a process may be idle for minutes, and the quota is per second. Organizations counts the requests of all its
//! callers in the same way and has a rate limiter of its own.
//!
//! Only responses count. A request that timed out or had no connection says nothing about the quota.
//!
//! The SDK's adaptive retry mode does not fit: it takes the rate of the last half second for the quota and, throttled
//! within the first one, goes down to one request in two seconds (aws-smithy-runtime 1.16, `ClientRateLimiter`).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::account_time::{WaitFor, Waits};

/// The interval between two requests after the first throttled one: 100 per second.
const INITIAL_INTERVAL: Duration = Duration::from_millis(10);

/// The longest interval between two requests.
const MAX_INTERVAL: Duration = Duration::from_millis(500);

/// An interval below this ends the limit.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// The minimum time over which the rate is measured, once that much has passed.
const MIN_WINDOW: Duration = Duration::from_secs(1);

/// After this time without a throttled request, earlier measurements are dropped; after this time without a request,
/// the limit ends.
const IDLE_RESET: Duration = Duration::from_secs(3);

/// How much faster than the measured rate requests are sent.
const PROBE_FACTOR: f64 = 1.05;

/// Limits the request rate after throttling.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pace: Option<Rate>,
    accepted: u64,
    places: u64,
    /// The waiting requests, by position.
    queue: BTreeMap<u64, Arc<Notify>>,
}

/// The current limit.
#[derive(Debug)]
struct Rate {
    /// The interval between two requests.
    interval: Duration,
    /// When the last request started, and when the next may start.
    last: Instant,
    next: Instant,
    /// When the first and the last request were throttled.
    first: Instant,
    slowed: Instant,
    /// The number of accepted requests since, and when the rate was last raised.
    row: u32,
    grown: Instant,
    /// Two moments of throttling and the number of accepted requests since each. The rate is measured from the first.
    marks: [Mark; 2],
}

/// A moment at which the quota was used up.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    accepted: u32,
}

impl Mark {
    fn new(at: Instant) -> Self {
        Self { at, accepted: 0 }
    }
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self {
            interval: INITIAL_INTERVAL,
            last: now,
            next: now,
            first: now,
            slowed: now,
            row: 0,
            grown: now,
            marks: [Mark::new(now); 2],
        }
    }

    /// Slows down because a request that started at `started` was throttled. One that started before the last slowdown
    /// says nothing about the rate set then.
    fn throttled(&mut self, started: Instant, now: Instant) {
        if started < self.slowed {
            return;
        }
        if now - self.slowed > IDLE_RESET.max(16 * self.interval) {
            self.marks = [Mark::new(now); 2];
        } else {
            let [since, later] = self.marks;
            let rate = PROBE_FACTOR * (f64::from(since.accepted) + 0.5);
            // Uses start times: a response always takes at least a round trip.
            let time = started.saturating_duration_since(since.at);
            let measured = time.div_f64(rate).min(MAX_INTERVAL);
            self.interval = self.interval.max(measured);
            if started.saturating_duration_since(later.at) >= MIN_WINDOW {
                self.marks = [later, Mark::new(started)];
            }
        }
        self.slowed = now;
        self.row = 0;
        self.grown = now;
        // Only a part of a token is missing.
        if started >= self.last {
            self.next = now + self.interval / 4;
        }
    }

    /// Speeds up because a request that started at `started` was accepted.
    fn accepted(&mut self, started: Instant, now: Instant) {
        if started < self.first {
            return;
        }
        for mark in self.marks.iter_mut().filter(|mark| started >= mark.at) {
            mark.accepted += 1;
        }
        if started >= self.slowed {
            self.row += 1;
            // Faster with each in a row, but at most twice as fast in half a second, because throttling shows later.
            let in_row = 0.01 * f64::from(self.row);
            let in_time = 2.0 * (now - self.grown).as_secs_f64();
            self.interval = self.interval.div_f64(1.0 + in_row.min(in_time).min(0.3));
            self.grown = now;
        }
    }

    /// Returns whether the limit has ended.
    fn is_over(&self, now: Instant) -> bool {
        self.interval < MIN_INTERVAL || now - self.last > IDLE_RESET.max(4 * self.interval)
    }
}

/// A position in the queue, which a request keeps across all its attempts.
#[derive(Debug)]
pub(crate) struct QueuePosition(u64);

/// A waiting request. Dropping it lets the next one continue.
struct Queued<'a> {
    rate_limiter: &'a RateLimiter,
    place: u64,
    turn: Arc<Notify>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut state = self.rate_limiter.lock();
        state.queue.remove(&self.place);
        if let Some((_, first)) = state.queue.first_key_value() {
            first.notify_one();
        }
    }
}

impl RateLimiter {
    /// Returns a position after all others.
    pub(crate) fn place(&self) -> QueuePosition {
        let mut state = self.lock();
        state.places += 1;
        QueuePosition(state.places)
    }

    /// Waits until a request may start, and returns its start time.
    pub(crate) async fn turn(&self, place: &QueuePosition, waits: &Waits) -> Instant {
        match self.start_or_enqueue(place) {
            Ok(now) => now,
            Err(queued) => waits.during(WaitFor::RateLimit, queued.wait()).await,
        }
    }

    /// Starts a request if there is no limit, or queues it.
    fn start_or_enqueue(&self, place: &QueuePosition) -> Result<Instant, Queued<'_>> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.queue.is_empty() && state.may_start(now).is_ok() {
            return Ok(now);
        }
        let turn = Arc::new(Notify::new());
        state.queue.insert(place.0, Arc::clone(&turn));
        Err(Queued {
            rate_limiter: self,
            place: place.0,
            turn,
        })
    }

    /// Records that a request that started at `started` was throttled.
    pub(crate) fn throttled(&self, started: Instant) {
        let now = Instant::now();
        let mut state = self.lock();
        let pace = state.pace.get_or_insert_with(|| Rate::new(now));
        pace.throttled(started, now);
        tracing::debug!(interval = ?pace.interval, "throttled: sending requests more slowly");
    }

    /// Records that a request that started at `started` got a response.
    pub(crate) fn accepted(&self, started: Instant) {
        let mut state = self.lock();
        state.accepted += 1;
        if let Some(pace) = &mut state.pace {
            pace.accepted(started, Instant::now());
        }
    }

    /// Returns the number of requests that got a response.
    pub(crate) fn accepted_in_all(&self) -> u64 {
        self.lock().accepted
    }

    /// Returns how long a request that was throttled again lets others go first. It doubles each time.
    pub(crate) fn pause(&self, number: u32) -> Duration {
        let interval = self
            .lock()
            .pace
            .as_ref()
            .map_or(INITIAL_INTERVAL, |pace| pace.interval);
        let doubled = 2_u32.saturating_pow(number);
        (interval / 4).saturating_mul(doubled).min(interval)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Starts a request, or returns when to try again.
    fn may_start(&mut self, now: Instant) -> Result<(), Instant> {
        self.pace.take_if(|pace| pace.is_over(now));
        let Some(pace) = &mut self.pace else {
            return Ok(());
        };
        if now < pace.next {
            return Err(pace.next);
        }
        // Jitter, because other processes of this account slow down at the same time.
        let interval = pace.interval.mul_f64(0.9 + 0.2 * fastrand::f64());
        pace.last = now;
        pace.next = now + interval;
        Ok(())
    }
}

impl Queued<'_> {
    /// Starts the request if it is the first in the queue. Otherwise returns when to try again, or `None` if it is not
    /// the first.
    fn start(&self) -> Result<Instant, Option<Instant>> {
        let mut state = self.rate_limiter.lock();
        let first = state.queue.first_key_value().map(|(place, _)| *place);
        let now = Instant::now();
        if first == Some(self.place) {
            state.may_start(now).map(|()| now).map_err(Some)
        } else {
            Err(None)
        }
    }

    async fn wait(&self) -> Instant {
        loop {
            let next = match self.start() {
                Ok(now) => return now,
                Err(next) => next,
            };
            let turn = self.turn.notified();
            match next {
                // Another request may become the first in the meantime.
                Some(next) => {
                    let _ = timeout_at(next, turn).await;
                }
                None => turn.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::{advance, sleep, timeout};

    use super::*;

    /// Simulates a token bucket with `at_a_time` callers that each send one request after another. Returns the accepted
    /// rate and the number of throttled requests.
    async fn rate(at_a_time: u32, per_second: f64, most: f64, seconds: u32) -> (f64, u32) {
        let rate_limiter = RateLimiter::default();
        let tokens = Mutex::new((most, Instant::now()));
        let take = || {
            let mut tokens = tokens.lock().unwrap();
            let gained = tokens.1.elapsed().as_secs_f64() * per_second;
            *tokens = ((tokens.0 + gained).min(most), Instant::now());
            let enough = tokens.0 >= 1.0;
            tokens.0 -= f64::from(u8::from(enough));
            enough
        };
        let throttled = AtomicU32::new(0);
        let ask = async || {
            let waits = Waits::default();
            loop {
                let place = rate_limiter.place();
                loop {
                    let started = rate_limiter.turn(&place, &waits).await;
                    sleep(Duration::from_millis(20 + fastrand::u64(..40))).await;
                    if take() {
                        rate_limiter.accepted(started);
                        break;
                    }
                    rate_limiter.throttled(started);
                    throttled.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let all = (0..at_a_time).map(|_| Box::pin(ask()));
        let mut all: futures_util::stream::FuturesUnordered<_> = all.collect();
        let time = Duration::from_secs(seconds.into());
        let end = futures_util::StreamExt::next(&mut all);
        assert!(timeout(time, end).await.is_err());
        let accepted = u32::try_from(rate_limiter.accepted_in_all()).unwrap();
        (
            f64::from(accepted) / time.as_secs_f64(),
            throttled.load(Ordering::Relaxed),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn it_finds_the_quota() {
        for (at_a_time, per_second, most, seconds) in [
            (64, 10.0, 2.0, 6),
            (64, 10.0, 10.0, 30),
            (64, 4.0, 4.0, 6),
            (64, 1.0, 2.0, 60),
            (256, 20.0, 20.0, 30),
            (64, 100.0, 100.0, 30),
            (64, 400.0, 20.0, 10),
            (256, 600.0, 600.0, 10),
        ] {
            for seed in 0..3 {
                fastrand::seed(seed);
                let (found, throttled) = rate(at_a_time, per_second, most, seconds).await;
                assert!(found >= 0.9 * per_second, "{found} of {per_second}, {most}");
                // Apart from those sent at once before anything is known.
                let throttled = f64::from(throttled.saturating_sub(at_a_time)) / f64::from(seconds);
                let most = 0.5 * per_second + 4.0;
                assert!(
                    throttled <= most,
                    "{throttled} throttled per second at {per_second}"
                );
            }
        }
    }

    fn interval(rate_limiter: &RateLimiter) -> Duration {
        let state = rate_limiter.lock();
        state
            .pace
            .as_ref()
            .map_or(Duration::ZERO, |pace| pace.interval)
    }

    #[tokio::test(start_paused = true)]
    async fn accepted_requests_raise_the_rate_and_idleness_resets_it() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(Instant::now());
        assert_eq!(interval(&rate_limiter), INITIAL_INTERVAL);
        for _ in 0..3 {
            advance(Duration::from_millis(20)).await;
            rate_limiter.accepted(Instant::now());
        }
        assert!(interval(&rate_limiter) < INITIAL_INTERVAL);
        advance(IDLE_RESET + MIN_INTERVAL).await;
        rate_limiter
            .turn(&rate_limiter.place(), &Waits::default())
            .await;
        assert_eq!(interval(&rate_limiter), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn simultaneous_throttling_slows_down_once() {
        let rate_limiter = RateLimiter::default();
        let started = Instant::now();
        advance(Duration::from_millis(20)).await;
        for _ in 0..64 {
            rate_limiter.throttled(started);
        }
        assert_eq!(interval(&rate_limiter), INITIAL_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_canceled_request_does_not_block_the_queue() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.throttled(Instant::now());
        let (first, second) = (rate_limiter.place(), rate_limiter.place());
        let (waits, others) = (Waits::default(), Waits::default());
        rate_limiter.turn(&first, &waits).await;
        let started = Instant::now();
        let soon = Duration::from_millis(1);
        let (given_up, _) = tokio::join!(
            timeout(soon, rate_limiter.turn(&first, &waits)),
            rate_limiter.turn(&second, &others),
        );
        given_up.unwrap_err();
        assert!(
            started.elapsed() <= 2 * INITIAL_INTERVAL,
            "{:?}",
            started.elapsed()
        );
        assert!(waits.total() >= soon);
    }
}
