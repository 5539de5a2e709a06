//! How long a call may take, and how often it is tried.

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;

/// How long a request may take, and how often it is tried.
///
/// They bound a request; the whole of a call is bounded by the deadline given to [`list_buckets`](crate::list_buckets),
/// which is the shorter one in a Lambda with its default timeout of 3 or 6 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To open a connection, TLS included. Default 3.1 s: long enough for a lost SYN to be sent twice more (after 1 s and
    /// 3 s, RFC 6298), and the default of the SDKs since 2026 (aws-smithy-runtime 1.16, `BehaviorVersion`). On Linux also how
    /// long an open connection may acknowledge nothing of what was sent (`tcp(7)`, `TCP_USER_TIMEOUT`): one that died
    /// silently costs so much, and not the `read_timeout`.
    pub connect_timeout: Duration,
    /// From the start of a request to the first byte of its answer. Default 10 s: STS and S3 take some 10 to 100 ms,
    /// and a page of 10,000 buckets up to a few seconds; what has not begun by then will not.
    pub read_timeout: Duration,
    /// One attempt of a request as a whole, the body of its answer included. Default 20 s: what `read_timeout` allows,
    /// and as much again for 2 MB of buckets over a slow line. It takes the place of the SDK's stalled stream protection,
    /// which is switched off.
    pub attempt_timeout: Duration,
    /// How often a request is tried in all; 0 counts as 1. Default 3, with exponential backoff and jitter, as the SDKs'
    /// standard retry mode does (AWS SDKs and Tools reference guide, "Retry behavior"). Throttling, 5xx, timeouts and
    /// broken connections are tried again, refusals never.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; the real one is a random part of it, and it doubles each time.
    /// Default 1 s, as the SDKs have it.
    pub initial_backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(3_100),
            read_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(20),
            max_attempts: 3,
            initial_backoff: Duration::from_secs(1),
        }
    }
}

impl Limits {
    pub(crate) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .operation_attempt_timeout(self.attempt_timeout)
            .build()
    }

    /// How long to wait after attempt `number`, counted from 1, has failed: a random part of a time that doubles, as the
    /// SDKs' standard retry mode has it, and at most its 20 s.
    pub(crate) fn backoff(&self, number: u32) -> Duration {
        const MAX_BACKOFF: Duration = Duration::from_secs(20);
        let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
        let longest = self
            .initial_backoff
            .saturating_mul(doubled)
            .min(MAX_BACKOFF);
        longest.mul_f64(fastrand::f64())
    }
}
