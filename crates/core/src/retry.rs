//! The attempts of one request.
//!
//! Counted here and not by the SDK, so that all services are retried alike, and every attempt for a service that throttles
//! the caller as a whole passes the [rate limiter](crate::rate_limiter), whoever makes it. Nor do requests share the SDK's budget of
//! retries, which a few throttled accounts would spend for all (aws-smithy-runtime 1.16, `TokenBucket`).

use tokio::time::{Instant, sleep};

use crate::{
    account_time::{WaitFor, Waits},
    failure::Failure,
    kind::FailureKind,
    limits::Limits,
    rate_limiter::{QueuePosition, RateLimiter},
};

/// How often a request is refused while others of the caller are accepted before it counts as refused for its own sake.
/// A quota that others get through is got through sooner: it comes before them.
const MAX_PASSED_OVER: u32 = 10;

/// Sends a request until it is answered, as often as `limits` allow.
///
/// Where there is a pacer, at its pace; and throttling, which is then the caller's, is waited out where
/// [`Waits::to_the_end`] says so.
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
        refused: 0,
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
                    turns.rate_limiter.refused(started);
                    if turns.go_on(started).await {
                        continue;
                    }
                }
                kind if kind.is_none_or(is_answer) => turns.rate_limiter.accepted(started),
                _ => {}
            }
        }
        let failure = match answer {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        // Signed by a wrong clock, of which the SDK knows now: once more, at once.
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

/// A request that waits for its turns.
struct ThrottledRequest<'a> {
    rate_limiter: &'a RateLimiter,
    waits: &'a Waits,
    place: QueuePosition,
    refused: u32,
    /// How often others were accepted between two refusals.
    passed_over: u32,
    accepted: u64,
}

impl ThrottledRequest<'_> {
    /// Whether to go on, after a refusal of what was started then; when there is to be a pause, after that.
    async fn go_on(&mut self, started: Instant) -> bool {
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
        self.waits.refused(started.elapsed());
        self.refused += 1;
        // The first time it keeps its place before all others.
        if self.refused > 1 {
            let pause = sleep(self.rate_limiter.pause(self.refused - 2));
            self.waits.during(WaitFor::RateLimit, pause).await;
        }
        true
    }
}

/// Whether the service has looked at the request: a failure of the way there and back says nothing about a quota.
fn is_answer(kind: FailureKind) -> bool {
    !is_transient(kind)
        && !matches!(
            kind,
            FailureKind::CredentialsUnavailable
                | FailureKind::CertificateRejected
                | FailureKind::InvalidConfiguration
        )
}

/// Whether the same request may succeed in a moment: what the SDKs' standard retry mode tries again.
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
