//! Retries a request.
//!
//! Attempts are counted here and not by the SDK, so that all services are retried alike and every attempt for a service
//! with a quota per caller passes the [rate limiter](crate::rate_limiter). Nor do requests share the SDK's retry
//! budget, which a few throttled accounts would use up for all (aws-smithy-runtime 1.16, `TokenBucket`).

use tokio::time::{Instant, sleep};

use crate::{
    account_time::{WaitFor, Waits},
    failure::Failure,
    kind::FailureKind,
    limits::Limits,
    rate_limiter::{QueuePosition, RateLimiter},
};

/// How often a request may be throttled while others of the caller are accepted before it fails. With a shared quota it
/// would succeed sooner, because it goes before the others.
const MAX_PASSED_OVER: u32 = 10;

/// Sends a request within `limits` until it succeeds or fails for good.
///
/// If there is a rate limiter, every attempt passes it. Throttling, which then concerns the caller as a whole, is
/// waited out if [`Waits::to_the_end`] says so.
pub(crate) async fn send_with_retries<T, F>(
    paced: Option<(&RateLimiter, &Waits)>,
    limits: &Limits,
    mut send: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut turns = paced.map(|(rate_limiter, waits)| ThrottledRequest {
        rate_limiter,
        waits,
        place: rate_limiter.place(),
        throttled: 0,
        passed_over: 0,
        accepted: rate_limiter.accepted_in_all(),
    });
    let mut attempt = 1;
    let mut clocks_apart = None;
    loop {
        let started = match &turns {
            Some(turns) => turns.rate_limiter.turn(&turns.place, turns.waits).await,
            None => Instant::now(),
        };
        let answer = send().await;
        let kind = answer.as_ref().map_err(Failure::kind).err();
        if let Some(turns) = &mut turns {
            match kind {
                Some(FailureKind::Throttled) => {
                    turns.rate_limiter.throttled(started);
                    if turns.may_retry(started).await {
                        continue;
                    }
                }
                kind if kind.is_none_or(is_response) => turns.rate_limiter.accepted(started),
                _ => {}
            }
        }
        let failure = match answer {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        // The request was signed with a wrong clock, which the SDK has now corrected: send it once more, at once.
        if clocks_apart.is_none() && failure.clocks_apart().is_some() {
            clocks_apart = failure.clocks_apart();
            continue;
        }
        if attempt >= limits.max_attempts || !is_transient(failure.kind()) {
            return Err(match clocks_apart {
                Some(apart) => failure.despite_clocks_apart(apart),
                None => failure,
            });
        }
        sleep(limits.backoff(attempt)).await;
        attempt += 1;
    }
}

/// A request that passes the rate limiter.
struct ThrottledRequest<'a> {
    rate_limiter: &'a RateLimiter,
    waits: &'a Waits,
    place: QueuePosition,
    throttled: u32,
    /// How often other requests were accepted between two throttled attempts.
    passed_over: u32,
    accepted: u64,
}

impl ThrottledRequest<'_> {
    /// Returns whether to retry after the attempt that started at `started` was throttled, after a pause if needed.
    async fn may_retry(&mut self, started: Instant) -> bool {
        if !self.waits.to_the_end {
            return false;
        }
        let accepted = self.rate_limiter.accepted_in_all();
        if accepted > self.accepted {
            self.accepted = accepted;
            self.passed_over += 1;
        }
        if self.passed_over >= MAX_PASSED_OVER {
            return false;
        }
        self.waits.throttled(started.elapsed());
        self.throttled += 1;
        // The first time, it keeps its position before all others.
        if self.throttled > 1 {
            let pause = sleep(self.rate_limiter.pause(self.throttled - 2));
            self.waits.during(WaitFor::RateLimit, pause).await;
        }
        true
    }
}

/// Returns whether the service processed the request: a failed connection says nothing about a quota.
fn is_response(kind: FailureKind) -> bool {
    !is_transient(kind)
        && !matches!(
            kind,
            FailureKind::CredentialsUnavailable
                | FailureKind::CertificateRejected
                | FailureKind::InvalidConfiguration
        )
}

/// Returns whether the same request may succeed in a moment: the failures that the SDKs' standard retry mode retries.
fn is_transient(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Throttled
            | FailureKind::Timeout
            | FailureKind::ServiceUnavailable
            | FailureKind::ConnectionFailed
            | FailureKind::InvalidResponse
    )
}
