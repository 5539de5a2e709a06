//! What can be ordered to go wrong.

use std::time::Duration;

/// How one request is answered other than it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not at all: as it should be. A gap in a list of faults.
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
    /// The right answer, so much later than the account's latency.
    Slow(Duration),
    /// No answer, ever.
    Hang,
    /// The connection is reset (TCP RST) before an answer.
    Reset,
    /// Bytes that are no HTTP, and then the end of the connection.
    NoHttp,
    /// The answer breaks off in the middle, and the connection with it.
    BrokenOff,
    /// The first half of the answer, and then nothing, on an open connection.
    Stalled,
    /// The first half of the answer, as if it were all of it.
    Truncated,
    /// An answer that is neither XML nor JSON, with HTTP status 200.
    Garbage,
    /// Of S3 the right answer, of STS none, with a comment of so many bytes in it.
    Padded(usize),
    /// An answer that is no service's own, HTML, with this HTTP status.
    Proxy(u16),
    /// Organizations only: an answer of no bytes, with HTTP status 200.
    Empty,
    /// `AssumeRole` only: the right answer but for this element, which has another text, or is missing.
    Element(&'static str, Option<&'static str>),
    /// `AssumeRole` only: a session of the account with this id.
    WrongAccount(&'static str),
    /// Lists only: the page, with the continuation token that was sent, or `again`.
    RepeatToken,
    /// Lists only: a page without items, with a token that leads on.
    EmptyPage,
}

/// What [`Fault::Proxy`] says.
pub(crate) const PROXY: &str = "<html><body>The origin cannot be reached</body></html>";

/// Which requests meet which fault.
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
