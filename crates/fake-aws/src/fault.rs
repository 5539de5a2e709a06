//! Faults to inject.

use std::time::Duration;

/// A deviation from the correct response to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No fault: a gap in a list of faults.
    None,
    /// `AccessDenied`, with AWS's own wording.
    Denied,
    /// `Throttling` of STS, `SlowDown` of S3, `TooManyRequestsException` of Organizations.
    Throttled,
    /// `ExpiredToken`.
    Expired,
    /// The service's own error, HTTP status 500.
    Internal,
    /// Any other error.
    Error {
        /// The HTTP status.
        status: u16,
        /// AWS's code.
        code: &'static str,
        /// AWS's message.
        message: &'static str,
    },
    /// The correct response, this much later than the account's latency.
    Slow(Duration),
    /// No response, ever.
    Hang,
    /// The connection is reset (TCP RST) before a response.
    Reset,
    /// Bytes that are not HTTP, then the end of the connection.
    NoHttp,
    /// The connection ends in the middle of the response.
    BrokenOff,
    /// The first half of the response, then nothing, on an open connection.
    Stalled,
    /// The first half of the response, as if it were complete.
    Truncated,
    /// A response that is neither XML nor JSON, with HTTP status 200.
    Garbage,
    /// A comment of this many bytes: in the correct response of S3, in an HTML page from STS.
    Padded(usize),
    /// An HTML page that is not from the service, with this HTTP status.
    Proxy(u16),
    /// An empty response, with HTTP status 200.
    Empty,
    /// `AssumeRole` only: the correct response, except that this element has another text or is missing.
    Element(&'static str, Option<&'static str>),
    /// `AssumeRole` only: a session of the account with this ID.
    WrongAccount(&'static str),
    /// Lists only: the page, with the continuation token that was sent, or `again`.
    RepeatToken,
    /// Lists only: a page without items, with a continuation token.
    EmptyPage,
}

/// The faults of a series of requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// The first requests, in order.
    pub(crate) first: Vec<Fault>,
    /// All that follow.
    pub(crate) then: Option<Fault>,
}

impl Script {
    /// The fault of request `number`, counted from 0.
    pub(crate) fn fault(&self, number: u64) -> &Fault {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.first.get(number))
            .or(self.then.as_ref())
            .unwrap_or(&Fault::None)
    }
}
