//! The attempts of one request.
//!
//! Counted here and not by the SDK, so that all services are retried alike, and every attempt for a service that throttles
//! the caller as a whole passes the [pacer](crate::rate_limiter), whoever makes it. Nor do requests share the SDK's budget of
//! retries, which a few throttled accounts would spend for all (aws-smithy-runtime 1.16, `TokenBucket`).

use tokio::time::{Instant, sleep};

use crate::{
    account_time::{WaitFor, Waits},
    failure::Failure,
    kind::FailureKind,
    limits::Limits,
    rate_limiter::{Pacer, Place},
};

/// How often a request is refused while others of the caller are accepted before it counts as refused for its own sake.
/// A quota that others get through is got through sooner: it comes before them.
const MOST_PASSED_OVER: u32 = 10;

/// Sends a request until it is answered, as often as `limits` allow.
///
/// Where there is a pacer, at its pace; and throttling, which is then the caller's, is waited out where
/// [`Waits::to_the_end`] says so.
pub(crate) async fn attempts<T, F>(
    paced: Option<(&Pacer, &Waits)>,
    limits: &Limits,
    mut send: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut turns = paced.map(|(pacer, waits)| Turns {
        pacer,
        waits,
        place: pacer.place(),
        refused: 0,
        passed_over: 0,
        accepted: pacer.accepted_in_all(),
    });
    let mut attempt = 1;
    let mut clocks_apart = None;
    loop {
        let started = match &turns {
            Some(turns) => turns.pacer.turn(&turns.place, turns.waits).await,
            None => Instant::now(),
        };
        let answer = send().await;
        let kind = answer.as_ref().map_err(Failure::kind).err();
        if let Some(turns) = &mut turns {
            match kind {
                Some(FailureKind::Throttled) => {
                    turns.pacer.refused(started);
                    if turns.go_on(started).await {
                        continue;
                    }
                }
                kind if kind.is_none_or(is_answer) => turns.pacer.accepted(started),
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
        if attempt >= limits.max_attempts || !may_pass(failure.kind()) {
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
struct Turns<'a> {
    pacer: &'a Pacer,
    waits: &'a Waits,
    place: Place,
    refused: u32,
    /// How often others were accepted between two refusals.
    passed_over: u32,
    accepted: u64,
}

impl Turns<'_> {
    /// Whether to go on, after a refusal of what was started then; when there is to be a pause, after that.
    async fn go_on(&mut self, started: Instant) -> bool {
        if !self.waits.to_the_end {
            return false;
        }
        let accepted = self.pacer.accepted_in_all();
        if accepted > self.accepted {
            self.accepted = accepted;
            self.passed_over += 1;
        }
        if self.passed_over >= MOST_PASSED_OVER {
            return false;
        }
        self.waits.refused(started.elapsed());
        self.refused += 1;
        // The first time it keeps its place before all others.
        if self.refused > 1 {
            let pause = sleep(self.pacer.pause(self.refused - 2));
            self.waits.during(WaitFor::Turn, pause).await;
        }
        true
    }
}

/// Whether the service has looked at the request: a failure of the way there and back says nothing about a quota.
fn is_answer(kind: FailureKind) -> bool {
    !may_pass(kind)
        && !matches!(
            kind,
            FailureKind::CredentialsUnavailable
                | FailureKind::CertificateRejected
                | FailureKind::InvalidConfiguration
        )
}

/// Whether the same request may succeed in a moment: what the SDKs' standard retry mode tries again.
fn may_pass(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Throttled
            | FailureKind::Timeout
            | FailureKind::ServiceUnavailable
            | FailureKind::ConnectionFailed
            | FailureKind::InvalidResponse
    )
}
