//! The attempts of one request.
//!
//! Counted here and not by the SDK, so that all services are retried alike, and every attempt for a service that throttles
//! the caller as a whole passes the [pacer](crate::pacer), whoever makes it. Nor do requests share the SDK's budget of
//! retries, which a few throttled accounts would spend for all (aws-smithy-runtime 1.16, `TokenBucket`).

use tokio::time::sleep;

use crate::{FailureKind, Limits, failure::Failure, pacer::Pacer};

/// Sends a request until it is answered, as often as `limits` allow, at the pace of `pacer` where there is one.
pub(crate) async fn attempts<T, F>(
    pacer: Option<&Pacer>,
    limits: &Limits,
    mut send: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut attempt = 1;
    let mut clocks_apart = None;
    loop {
        let turn = match pacer {
            Some(pacer) => Some((pacer, pacer.turn().await)),
            None => None,
        };
        let answer = send().await;
        if let Some((pacer, started)) = turn {
            match answer.as_ref().map_err(Failure::kind) {
                // A second refusal of one request says little: were it the quota, others' first ones would be refused.
                Err(FailureKind::Throttled) if attempt == 1 => pacer.throttled(started),
                Err(FailureKind::Throttled) => {}
                _ => pacer.answered(),
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
