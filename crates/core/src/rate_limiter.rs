//! How fast a service is asked that counts the caller's requests as a whole.
//!
//! STS counts the requests of the calling account in a region, whatever the target. So where it throttles one request,
//! it throttles all that come as fast, and each target backing off by itself would only try the quota again and again.
//! Every attempt of `AssumeRole` therefore passes here. At first nothing is held back. After a refusal requests start one
//! by one, those that came first before the others, at the rate that was accepted since: where a bucket of tokens is empty
//! at two refusals, what was accepted between them is what it was filled with. With each request that is accepted the rate
//! grows a little, until the next refusal, so that nothing of the quota is left. When nobody has asked for a while nothing
//! is held back again: a process may be idle for minutes, and the quota is of the second. Organizations counts the
//! requests of all its callers alike, and has a pacer of its own.
//!
//! Only what the service has answered counts; a request that timed out, or had no connection, says nothing of its quota.
//!
//! Not the SDK's adaptive retry mode: it takes the rate of the last half second for the quota, and throttled within the
//! first one goes down to one request in two seconds (aws-smithy-runtime 1.16, `ClientRateLimiter`).

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

/// The time between two requests after the first refusal: 100 a second.
const INITIAL_INTERVAL: Duration = Duration::from_millis(10);

/// The longest time between two requests.
const MAX_INTERVAL: Duration = Duration::from_millis(500);

/// A time below this is none.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// The rate is measured over no less than this, once there is as much.
const MIN_WINDOW: Duration = Duration::from_secs(1);

/// After so long without a refusal, what was measured before says nothing any more; and after so long without a request
/// nothing is held back.
const IDLE_RESET: Duration = Duration::from_secs(3);

/// What is tried more than what was measured.
const PROBE_FACTOR: f64 = 1.05;

/// Holds back requests while there are too many.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pace: Option<Rate>,
    accepted: u64,
    places: u64,
    /// Those who wait, in the order of their places.
    queue: BTreeMap<u64, Arc<Notify>>,
}

/// The pace of requests that are held back.
#[derive(Debug)]
struct Rate {
    /// The time between two.
    interval: Duration,
    /// When the last one started, and when the next one may.
    last: Instant,
    next: Instant,
    /// The first refusal, and the last one.
    first: Instant,
    slowed: Instant,
    /// How many were accepted since, and when the pace was last made faster.
    row: u32,
    grown: Instant,
    /// Refusals, some time ago and later, and how many were accepted since. What is measured is measured from the first.
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

    /// A request that started at `started` was refused. What started before the last slowing says nothing about the
    /// pace that was set then.
    fn refused(&mut self, started: Instant, now: Instant) {
        if started < self.slowed {
            return;
        }
        if now - self.slowed > IDLE_RESET.max(16 * self.interval) {
            self.marks = [Mark::new(now); 2];
        } else {
            let [since, later] = self.marks;
            let rate = PROBE_FACTOR * (f64::from(since.accepted) + 0.5);
            // By when requests started: none that starts later is answered sooner than the way there and back takes.
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
        // What is missing is a part of a token.
        if started >= self.last {
            self.next = now + self.interval / 4;
        }
    }

    /// A request that started at `started` was accepted.
    fn accepted(&mut self, started: Instant, now: Instant) {
        if started < self.first {
            return;
        }
        for mark in self.marks.iter_mut().filter(|mark| started >= mark.at) {
            mark.accepted += 1;
        }
        if started >= self.slowed {
            self.row += 1;
            // Faster with each in a row; but no more than twice as fast in half a second, as refusals come later.
            let in_row = 0.01 * f64::from(self.row);
            let in_time = 2.0 * (now - self.grown).as_secs_f64();
            self.interval = self.interval.div_f64(1.0 + in_row.min(in_time).min(0.3));
            self.grown = now;
        }
    }

    /// Whether it holds back nobody any more.
    fn is_over(&self, now: Instant) -> bool {
        self.interval < MIN_INTERVAL || now - self.last > IDLE_RESET.max(4 * self.interval)
    }
}

/// A place in the queue, which a request keeps over all its attempts.
#[derive(Debug)]
pub(crate) struct QueuePosition(u64);

/// One who waits. Dropping it lets the next one come forward.
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
    /// A place behind all others.
    pub(crate) fn place(&self) -> QueuePosition {
        let mut state = self.lock();
        state.places += 1;
        QueuePosition(state.places)
    }

    /// Waits until a request may start, and returns when that is.
    pub(crate) async fn turn(&self, place: &QueuePosition, waits: &Waits) -> Instant {
        match self.start_or_enqueue(place) {
            Ok(now) => now,
            Err(queued) => waits.during(WaitFor::RateLimit, queued.wait()).await,
        }
    }

    /// Starts a request where nobody is held back, or queues it.
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

    /// A request that started at `started` was throttled.
    pub(crate) fn refused(&self, started: Instant) {
        let now = Instant::now();
        let mut state = self.lock();
        let pace = state.pace.get_or_insert_with(|| Rate::new(now));
        pace.refused(started, now);
        tracing::debug!(interval = ?pace.interval, "throttled: asking more slowly");
    }

    /// A request that started at `started` was answered.
    pub(crate) fn accepted(&self, started: Instant) {
        let mut state = self.lock();
        state.accepted += 1;
        if let Some(pace) = &mut state.pace {
            pace.accepted(started, Instant::now());
        }
    }

    /// How many requests were answered.
    pub(crate) fn accepted_in_all(&self) -> u64 {
        self.lock().accepted
    }

    /// How long one that was refused again lets others go first, which doubles each time.
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
    /// Starts a request, or says when that may be tried again.
    fn may_start(&mut self, now: Instant) -> Result<(), Instant> {
        self.pace.take_if(|pace| pace.is_over(now));
        let Some(pace) = &mut self.pace else {
            return Ok(());
        };
        if now < pace.next {
            return Err(pace.next);
        }
        // Jitter: other processes of this account are told to slow down at the same time.
        let interval = pace.interval.mul_f64(0.9 + 0.2 * fastrand::f64());
        pace.last = now;
        pace.next = now + interval;
        Ok(())
    }
}

impl Queued<'_> {
    /// Starts the request where that is the first and may, or says when it may be; where it is not the first, nothing.
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
                // Another may come before it meanwhile.
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

    /// A service with a bucket of tokens, asked by `at_a_time` at once that each ask for one after the other: the rate at
    /// which it answers, and how many it refused.
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
        let refused = AtomicU32::new(0);
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
                    rate_limiter.refused(started);
                    refused.fetch_add(1, Ordering::Relaxed);
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
            refused.load(Ordering::Relaxed),
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
                let (found, refused) = rate(at_a_time, per_second, most, seconds).await;
                assert!(found >= 0.9 * per_second, "{found} of {per_second}, {most}");
                // But for those that are sent at once before anything is known.
                let refused = f64::from(refused.saturating_sub(at_a_time)) / f64::from(seconds);
                let most = 0.5 * per_second + 4.0;
                assert!(
                    refused <= most,
                    "{refused} refused a second of {per_second}"
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
    async fn what_is_accepted_brings_the_pace_back_and_idleness_ends_it() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.refused(Instant::now());
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
    async fn refusals_of_the_same_moment_slow_once() {
        let rate_limiter = RateLimiter::default();
        let started = Instant::now();
        advance(Duration::from_millis(20)).await;
        for _ in 0..64 {
            rate_limiter.refused(started);
        }
        assert_eq!(interval(&rate_limiter), INITIAL_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_waiting_holds_up_nobody() {
        let rate_limiter = RateLimiter::default();
        rate_limiter.refused(Instant::now());
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
