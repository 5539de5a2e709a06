//! The part of a response that all services share: the faults.

use std::{borrow::Cow, fmt, future::pending};

use hyper::{Response, body::Bytes};

use crate::{body::Body, fault::Fault, latency::Clock};

/// The body of [`Fault::Proxy`].
const PROXY: &str = "<html><body>The origin cannot be reached</body></html>";

/// The body of [`Fault::Garbage`].
const GARBAGE: &str = "<html>not what was asked for";

/// The connection ends instead of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ConnectionFault {
    Reset,
    NoHttp,
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("injected connection fault")
    }
}

impl std::error::Error for ConnectionFault {}

/// An error as AWS describes it.
#[derive(Debug, Clone)]
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

impl ErrorResponse {
    pub(crate) fn new(
        status: u16,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

/// How a service writes the response to one request.
pub(crate) trait Service {
    /// The error of [`Fault::Denied`].
    fn denied(&self) -> ErrorResponse;
    /// The error of [`Fault::Throttled`].
    fn throttled(&self) -> ErrorResponse;
    /// The error of [`Fault::Expired`].
    fn expired(&self) -> ErrorResponse;
    /// The error of [`Fault::Internal`].
    fn internal(&self) -> ErrorResponse;
    /// An error in the service's protocol.
    fn error(&self, error: &ErrorResponse) -> Response<Body>;
    /// A response with the service's headers.
    fn respond(&self, status: u16, body: Body) -> Response<Body>;

    fn ok(&self, text: impl Into<Bytes>) -> Response<Body> {
        self.respond(200, Body::new([text.into()]))
    }
}

/// Responds with what the fault says; otherwise with `response`, which the fault may delay or cut short.
pub(crate) async fn respond<S: Service>(
    service: &S,
    clock: Clock,
    fault: &Fault,
    response: impl FnOnce() -> Result<Response<Body>, ErrorResponse>,
) -> Result<Response<Body>, ConnectionFault> {
    let error = match fault {
        Fault::Hang => return pending().await,
        Fault::Reset => return Err(ConnectionFault::Reset),
        Fault::NoHttp => return Err(ConnectionFault::NoHttp),
        Fault::Proxy(status) => return Ok(service.respond(*status, Body::new([PROXY.into()]))),
        Fault::Garbage => return Ok(service.ok(GARBAGE)),
        Fault::Empty => return Ok(service.ok("")),
        Fault::Denied => service.denied(),
        Fault::Throttled => service.throttled(),
        Fault::Expired => service.expired(),
        Fault::Internal => service.internal(),
        Fault::Error {
            status,
            code,
            message,
        } => ErrorResponse::new(*status, code, *message),
        _ => {
            if let Fault::Slow(delay) = fault {
                clock.wait(*delay).await;
            }
            let response = response().unwrap_or_else(|error| service.error(&error));
            return Ok(match fault {
                Fault::Truncated => response.map(Body::half),
                Fault::Stalled => response.map(|body| body.half().stalling()),
                Fault::BrokenOff => response.map(|body| body.half().breaking_off()),
                _ => response,
            });
        }
    };
    Ok(service.error(&error))
}

/// A response with a content type and request ID headers.
pub(crate) fn with_headers(
    status: u16,
    body: Body,
    content_type: &'static str,
    ids: &[(&'static str, &str)],
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static(content_type),
    );
    for (name, id) in ids {
        if let Ok(id) = id.parse() {
            headers.insert(*name, id);
        }
    }
    response
}
