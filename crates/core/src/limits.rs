//! Limits how long a request may take and how often it is sent.

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;

/// Limits the duration and the attempts of a request.
///
/// The whole invocation is bounded by the deadline given to [`list_buckets`](crate::list_buckets), which is shorter in
/// a Lambda function with the default timeout of 3 or 6 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The timeout for opening a connection, including TLS. Default: 3.1 s, long enough for a lost SYN to be sent twice
    /// more (after 1 s and 3 s, RFC 6298), and the default of the SDKs since 2026 (aws-smithy-runtime 1.16,
    /// `BehaviorVersion`). On Linux, it also limits how long sent data may stay unacknowledged on an open connection
    /// (`tcp(7)`, `TCP_USER_TIMEOUT`), so a dead connection is detected before `read_timeout`.
    pub connect_timeout: Duration,
    /// The timeout from the start of a request to the first byte of its response. Default: 10 s. STS and S3 take some
    /// 10 to 100 ms, and up to a few seconds for a page of 10,000 buckets.
    pub read_timeout: Duration,
    /// The timeout for one attempt, including the response body. Default: 20 s, which is `read_timeout` and as much
    /// again for 2 MB of buckets over a slow connection. It replaces the SDK's stalled stream protection, which is
    /// switched off.
    pub attempt_timeout: Duration,
    /// The maximum number of attempts, including the first; 0 counts as 1. Default: 3, with exponential backoff and
    /// jitter like the SDKs' standard retry mode (AWS SDKs and Tools reference guide, "Retry behavior"). Throttling,
    /// 5xx, timeouts and broken connections are retried; denied requests are not.
    pub max_attempts: u32,
    /// The longest delay before the second attempt. The actual delay is a random part of it, and it doubles each time.
    /// Default: 1 s, like the SDKs.
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

    /// Returns the delay after failed attempt `number`, counted from 1: a random part of a duration that doubles, like
    /// the SDKs' standard retry mode, up to its 20 s.
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
