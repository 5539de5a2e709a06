//! How fast a service is asked that counts the caller's requests as a whole.
//!
//! STS counts the requests of the calling account in a region, whatever the target. So where it throttles one request,
//! it throttles all that come as fast, and each target backing off by itself would only try the quota again and again.
//! Every attempt of `AssumeRole` therefore passes here. At first nothing is held back; after STS has throttled, requests
//! start one by one with a pause between them, which doubles with each further refusal and shrinks with each answer and
//! with time, until there is none: a process may be idle for minutes, and the quota is of the second. Organizations
//! counts the requests of all its callers alike, and has a pacer of its own.
//!
//! Not the SDK's adaptive retry mode: it takes the rate of the last half second for the quota, and throttled within the
//! first one goes down to one request in two seconds (aws-smithy-runtime 1.16, `ClientRateLimiter`).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The pause after the first refusal: 200 requests a second.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause: 4 requests a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A pause below this is none.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// What an answer leaves of the pause: little enough that the quota is reached again only after many answers, and few
/// requests are refused then.
const AFTER_AN_ANSWER: f64 = 0.98;

/// In this time half of the pause is gone, whatever is answered.
const HALF_LIFE: Duration = Duration::from_secs(2);

/// Holds back requests while there are too many.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    pace: Mutex<Pace>,
    /// When the next request may start. Held while one waits for it; the others queue in their order.
    next: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Pace {
    /// What it would be, had no time passed since then.
    pause: Duration,
    slowed: Option<Instant>,
}

impl Pace {
    fn pause(&self, now: Instant) -> Duration {
        let Some(slowed) = self.slowed else {
            return Duration::ZERO;
        };
        let age = now.saturating_duration_since(slowed);
        let left = (-age.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2();
        let pause = self.pause.mul_f64(left);
        if pause < SHORTEST_PAUSE {
            Duration::ZERO
        } else {
            pause
        }
    }
}

impl Pacer {
    /// Waits until a request may start, and returns when that is.
    pub(crate) async fn turn(&self) -> Instant {
        let now = Instant::now();
        if self.lock().pause(now).is_zero() {
            return now;
        }
        let mut next = self.next.lock().await;
        if let Some(next) = *next {
            sleep_until(next).await;
        }
        let now = Instant::now();
        // Jitter: other processes of this account are told to slow down at the same time.
        let pause = self.lock().pause(now).mul_f64(0.5 + fastrand::f64());
        *next = Some(now + pause);
        now
    }

    /// A request that started at `started` was throttled. What started before the last slowing says nothing about the
    /// pace that was set then.
    pub(crate) fn throttled(&self, started: Instant) {
        let mut pace = self.lock();
        if pace.slowed.is_none_or(|slowed| started >= slowed) {
            let now = Instant::now();
            pace.pause = (pace.pause(now) * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            pace.slowed = Some(now);
            tracing::debug!(pause = ?pace.pause, "throttled: asking more slowly");
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        let mut pace = self.lock();
        pace.pause = pace.pause.mul_f64(AFTER_AN_ANSWER);
    }

    fn lock(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was set, whatever time has passed since.
    fn pause(pacer: &Pacer) -> Duration {
        let pace = pacer.lock();
        pace.slowed
            .map_or(Duration::ZERO, |slowed| pace.pause(slowed))
    }

    #[test]
    fn time_brings_the_pace_back() {
        let pacer = Pacer::default();
        for _ in 0..20 {
            pacer.throttled(Instant::now());
        }
        let slowed = pacer.lock().slowed.unwrap();
        for (half_lives, pause) in [
            (0, LONGEST_PAUSE),
            (1, LONGEST_PAUSE / 2),
            (20, Duration::ZERO),
        ] {
            assert_eq!(pacer.lock().pause(slowed + half_lives * HALF_LIFE), pause);
        }
        // So the next refusal begins anew.
        pacer.lock().slowed = Some(slowed - 20 * HALF_LIFE);
        pacer.throttled(Instant::now());
        assert_eq!(pause(&pacer), FIRST_PAUSE);
    }

    #[test]
    fn refusals_of_the_same_moment_slow_once_and_later_ones_again() {
        let pacer = Pacer::default();
        let early = Instant::now();
        for _ in 0..64 {
            pacer.throttled(early);
        }
        assert_eq!(pause(&pacer), FIRST_PAUSE);
        pacer.throttled(Instant::now());
        // Less what has passed meanwhile.
        let twice = pause(&pacer).as_secs_f64() / FIRST_PAUSE.as_secs_f64();
        assert!((1.9..=2.0).contains(&twice), "{twice}");
        for _ in 0..20 {
            pacer.throttled(Instant::now());
        }
        assert_eq!(pause(&pacer), LONGEST_PAUSE);
    }

    #[test]
    fn answers_bring_the_pace_back() {
        let pacer = Pacer::default();
        pacer.throttled(Instant::now());
        let mut answers = 0;
        while !pause(&pacer).is_zero() {
            pacer.answered();
            answers += 1;
        }
        assert!((50..100).contains(&answers), "{answers}");
        pacer.answered();
        assert_eq!(pause(&pacer), Duration::ZERO);
    }

    #[tokio::test]
    async fn turns_come_one_by_one_once_there_is_a_pause() {
        let pacer = Pacer::default();
        let started = Instant::now();
        for _ in 0..1_000 {
            pacer.turn().await;
        }
        let unpaced = started.elapsed();
        pacer.throttled(Instant::now());
        let started = Instant::now();
        let turn = || pacer.turn();
        tokio::join!(turn(), turn(), turn(), turn(), turn());
        // Four pauses of at least half of it.
        assert!(started.elapsed() >= 2 * FIRST_PAUSE);
        assert!(unpaced < Duration::from_secs(1), "{unpaced:?}");
    }

    #[tokio::test]
    async fn one_who_gives_up_waiting_holds_up_nobody() {
        let pacer = Pacer::default();
        for _ in 0..10 {
            pacer.throttled(Instant::now());
        }
        pacer.turn().await;
        let soon = Duration::from_millis(1);
        tokio::time::timeout(soon, pacer.turn()).await.unwrap_err();
        let started = Instant::now();
        pacer.turn().await;
        assert!(started.elapsed() <= 2 * LONGEST_PAUSE);
    }
}
