//! When a call must have ended.

use std::time::{Duration, SystemTime};

/// How long before Lambda's deadline a call ends by itself, so that an error of our own is sent and not Lambda's
/// `Task timed out`: what is then left is for sending the answer, 6 MB at most.
const MARGIN: Duration = Duration::from_millis(500);

/// How long a call may take from `now` on, when Lambda ends it at `deadline`.
///
/// The time left, less half a second, or less a tenth where a tenth is less: a function with a timeout of a second
/// would otherwise lose half of it.
pub(crate) fn allowance(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or_default();
    left.saturating_sub(MARGIN.min(left / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_before_lambda_ends_it() {
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
