//! The deadlines of an invocation.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// How long before Lambda's deadline an invocation ends, so that the caller gets the function's own error and not Lambda's
/// `Task timed out`. The rest is for sending the response of at most 6 MB.
const MARGIN: Duration = Duration::from_millis(500);

/// How long an invocation may take from `now` on if Lambda ends it at `deadline`: the time left, less half a second or a
/// tenth, whichever is shorter. With a timeout of a second, half a second would be half of the time.
pub(crate) fn allowance(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or_default();
    left.saturating_sub(MARGIN.min(left / 10))
}

/// When listing must end so that the response for many accounts is sent before `deadline`.
///
/// It is a second earlier, or a tenth of the remaining time if that is less. A function with 128 MB has a fourteenth of a
/// processor (Lambda developer guide, "Configure Lambda function memory") and takes some hundred milliseconds to serialize
/// a response of thousands of accounts or 6 MB.
pub(crate) fn before_response(deadline: Instant, now: Instant) -> Instant {
    const MAX_MARGIN: Duration = Duration::from_secs(1);
    let left = deadline.saturating_duration_since(now);
    now + left.saturating_sub(MAX_MARGIN.min(left / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_for_many_accounts_is_ready_before_the_deadline() {
        let now = Instant::now();
        for (left, listed) in [(60_000, 59_000), (5_000, 4_500), (0, 0)] {
            assert_eq!(
                before_response(now + Duration::from_millis(left), now),
                now + Duration::from_millis(listed),
                "{left}"
            );
        }
    }

    #[test]
    fn an_invocation_ends_before_lambda_ends_it() {
        let now = SystemTime::now();
        for (left, allowed) in [(60_000, 59_500), (5_000, 4_500), (1_000, 900), (0, 0)] {
            let deadline = now + Duration::from_millis(left);
            assert_eq!(
                allowance(deadline, now),
                Duration::from_millis(allowed),
                "{left}"
            );
        }
    }

    #[test]
    fn a_deadline_in_the_past_leaves_nothing() {
        let now = SystemTime::now();
        assert_eq!(allowance(now - Duration::from_secs(1), now), Duration::ZERO);
    }
}
