//! The attempts of one request.
//!
//! Counted here and not by the SDK, for the services that throttle the caller as a whole: so every attempt passes the
//! [pacer](crate::pacer), whoever makes it.

use tokio::time::sleep;

use crate::{FailureKind, Limits, failure::Failure, pacer::Pacer};

/// Sends a request until it is answered, as often as `limits` allow, at the pace of `pacer`.
pub(crate) async fn attempts<T, F>(
    pacer: &Pacer,
    limits: &Limits,
    mut send: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut attempt = 1;
    loop {
        let started = pacer.turn().await;
        let failure = match send().await {
            Ok(answer) => {
                pacer.answered();
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        match failure.kind() {
            // A second refusal of one request says little: were it the quota, others' first ones would be refused.
            FailureKind::Throttled if attempt == 1 => pacer.throttled(started),
            FailureKind::Throttled => {}
            _ => pacer.answered(),
        }
        if attempt >= limits.max_attempts || !may_pass(failure.kind()) {
            return Err(failure);
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
