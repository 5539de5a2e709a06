//! Development only: Lambda's Runtime API on loopback, which runs the function as a process, as Lambda does.
//!
//! It delivers one event at a time and receives what the function posts (Lambda developer guide, "Using the Lambda runtime
//! API for custom runtimes"). The caller starts the function's process with the [`address`](RuntimeApi::address) as
//! `AWS_LAMBDA_RUNTIME_API`. Like Lambda, it rejects posts for any request but the current one, and responses that are
//! too large.
//!
//! Not here: the process itself, its environment, a timeout that ends it, and the extensions API.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex as SyncMutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};

/// The prefix of every path.
const VERSION: &str = "/2018-06-01/runtime/";

/// The maximum size of a response, in bytes (Lambda developer guide, "Lambda quotas": 6 MB, and 100 bytes).
pub const MAX_RESPONSE_SIZE: usize = 6 * 1024 * 1024 + 100;

/// The function's ARN in its invocations.
const FUNCTION_ARN: &str = "arn:aws:lambda:eu-central-1:111111111111:function:list";

/// A running Runtime API. It ends with its tokio runtime.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    waiting: watch::Receiver<Option<Instant>>,
}

/// A post of the function.
#[derive(Debug)]
pub struct Outcome {
    /// The path of the post.
    pub kind: OutcomeKind,
    /// The header `Lambda-Runtime-Function-Error-Type`.
    pub error_type_header: Option<String>,
    /// The body.
    pub text: String,
    /// The time since the delivery of the event; for an init error, since the start of this API.
    pub after: Duration,
}

/// The kind of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// The response to the invocation.
    Response,
    /// The error of the invocation.
    Error,
    /// A failed start.
    InitError,
}

impl Outcome {
    /// The body as JSON; `null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The `errorType` of an error; `None` for a response.
    pub fn error_type(&self) -> Option<String> {
        self.field("errorType")
    }

    /// The `errorMessage` of an error; `None` for a response.
    pub fn error_message(&self) -> Option<String> {
        self.field("errorMessage")
    }

    fn field(&self, name: &str) -> Option<String> {
        let failed = self.kind != OutcomeKind::Response;
        failed.then(|| self.json()[name].as_str().map(ToOwned::to_owned))?
    }
}

impl RuntimeApi {
    /// Starts it on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(false).await
    }

    /// Starts one that responds to every request for an event with HTTP status 500.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_broken() -> io::Result<Self> {
        Self::start_with(true).await
    }

    async fn start_with(broken: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (events, received) = mpsc::unbounded_channel();
        let (posted, outcomes) = mpsc::unbounded_channel();
        let (asked, waiting) = watch::channel(None);
        let server = Arc::new(Server {
            events: Mutex::new(received),
            outcomes: posted,
            waiting: asked,
            broken,
            current: SyncMutex::default(),
            delivered: SyncMutex::new(Instant::now()),
            count: AtomicU32::new(0),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // If it fails, responses are only slower.
                let _ = stream.set_nodelay(true);
                let server = Arc::clone(&server);
                let service = service_fn(move |request| {
                    let server = Arc::clone(&server);
                    async move { Ok::<_, Infallible>(server.respond(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self {
            address,
            events,
            outcomes,
            waiting,
        })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the function requests an event and there is none, as after its start and after each invocation.
    /// Returns the time of the request, or `None` after the timeout.
    pub async fn ready(&mut self, within: Duration) -> Option<Instant> {
        let asked = self.waiting.wait_for(Option::is_some);
        *tokio::time::timeout(within, asked).await.ok()?.ok()?
    }

    /// Delivers an event with a deadline after `timeout`, and waits for the function's post. Returns `None` if there is
    /// none within ten seconds after the deadline.
    pub async fn invoke(&mut self, payload: &str, timeout: Duration) -> Option<Outcome> {
        let payload = payload.to_owned();
        // The receiver lives as long as the server, which ends with the runtime.
        let _ = self.events.send(Event { payload, timeout });
        self.outcome(timeout + Duration::from_secs(10)).await
    }

    /// Waits for a post without an event, such as an init error. Returns `None` after the timeout.
    pub async fn outcome(&mut self, within: Duration) -> Option<Outcome> {
        tokio::time::timeout(within, self.outcomes.recv())
            .await
            .ok()?
    }
}

#[derive(Debug)]
struct Event {
    payload: String,
    timeout: Duration,
}

#[derive(Debug)]
struct Server {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    /// The time since which the function has been waiting for an event.
    waiting: watch::Sender<Option<Instant>>,
    /// Whether every request for an event gets an error.
    broken: bool,
    /// The ID of the request that was delivered and has no response yet.
    current: SyncMutex<Option<String>>,
    delivered: SyncMutex<Instant>,
    count: AtomicU32,
}

impl Server {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let path = path.strip_prefix(VERSION).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let (kind, id) = match (request.method(), &parts[..]) {
            (&Method::GET, ["invocation", "next"]) => return self.next().await,
            (&Method::POST, ["init", "error"]) => (OutcomeKind::InitError, None),
            (&Method::POST, ["invocation", id, "response"]) => (OutcomeKind::Response, Some(*id)),
            (&Method::POST, ["invocation", id, "error"]) => (OutcomeKind::Error, Some(*id)),
            _ => return empty(StatusCode::NOT_FOUND),
        };
        if id.is_some_and(|id| self.current().as_deref() != Some(id)) {
            return rejection(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "Invalid request ID",
            );
        }
        let error_type_header = request
            .headers()
            .get("lambda-runtime-function-error-type")
            .and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let Ok(body) = request.into_body().collect().await else {
            return empty(StatusCode::BAD_REQUEST);
        };
        let body = body.to_bytes();
        self.current().take();
        let mut outcome = Outcome {
            kind,
            error_type_header,
            text: String::from_utf8_lossy(&body).into_owned(),
            after: self.delivered().elapsed(),
        };
        let is_too_large = kind == OutcomeKind::Response && body.len() > MAX_RESPONSE_SIZE;
        if is_too_large {
            // Lambda's response to the invoker.
            outcome.kind = OutcomeKind::Error;
            outcome.text = error(
                "Function.ResponseSizeTooLarge",
                &format!(
                    "Response payload size ({} bytes) exceeded maximum allowed payload size ({MAX_RESPONSE_SIZE} bytes).",
                    body.len()
                ),
            );
        }
        // The receiver is gone if the API was dropped.
        let _ = self.outcomes.send(outcome);
        if is_too_large {
            return rejection(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_SIZE} bytes)."),
            );
        }
        empty(StatusCode::ACCEPTED)
    }

    /// Responds when there is an event. Lambda freezes the function until then.
    async fn next(&self) -> Response<Full<Bytes>> {
        if self.broken {
            return rejection(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "Internal server error",
            );
        }
        let asked = Instant::now();
        let mut events = self.events.lock().await;
        let event = if let Ok(event) = events.try_recv() {
            event
        } else {
            let _waiting = Waiting::since(asked, &self.waiting);
            let Some(event) = events.recv().await else {
                return std::future::pending().await;
            };
            event
        };
        drop(events);
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let id = format!("request-{number}");
        *self.current() = Some(id.clone());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = now.unwrap_or_default() + event.timeout;
        *self.delivered() = Instant::now();
        let mut response = Response::new(Full::from(event.payload));
        for (name, value) in [
            // Lambda sends it, and awslambdaric 4.2 crashes without it.
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", id),
            (
                "lambda-runtime-deadline-ms",
                deadline.as_millis().to_string(),
            ),
            (
                "lambda-runtime-invoked-function-arn",
                FUNCTION_ARN.to_owned(),
            ),
        ] {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivered(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the function as waiting until this is dropped: when there is an event, or the function is gone.
struct Waiting<'a>(&'a watch::Sender<Option<Instant>>);

impl<'a> Waiting<'a> {
    fn since(asked: Instant, sender: &'a watch::Sender<Option<Instant>>) -> Self {
        sender.send_replace(Some(asked));
        Self(sender)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

fn rejection(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(error(error_type, message)));
    *response.status_mut() = status;
    response
}

fn error(error_type: &str, message: &str) -> String {
    json!({"errorType": error_type, "errorMessage": message}).to_string()
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(10);

    async fn ask(stream: &mut TcpStream) {
        let request = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Posts and returns the response.
    async fn post(api: &RuntimeApi, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(api.address()).await.unwrap();
        let request = format!(
            "POST /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn only_the_current_request_accepts_one_post() {
        let mut api = RuntimeApi::start().await.unwrap();
        let early = post(&api, "invocation/request-1/response", "{}").await;
        assert!(early.starts_with("HTTP/1.1 400 "), "{early}");
        assert!(
            early.contains(r#""errorType":"InvalidRequestID""#),
            "{early}"
        );

        let mut function = TcpStream::connect(api.address()).await.unwrap();
        ask(&mut function).await;
        api.ready(LATE).await.unwrap();
        let payload = "{}".to_owned();
        let event = Event {
            payload,
            timeout: LATE,
        };
        api.events.send(event).unwrap();
        assert!(function.read(&mut [0; 4_096]).await.unwrap() > 0);
        for (path, status) in [
            ("invocation/request-2/response", "400"),
            ("invocation/request-10/error", "400"),
            ("invocation//response", "400"),
            ("anything/request-1/response", "404"),
            ("invocation/request-1/response", "202"),
            ("invocation/request-1/error", "400"),
        ] {
            let response = post(&api, path, "{}").await;
            assert_eq!(
                response.split(' ').nth(1),
                Some(status),
                "{path}: {response}"
            );
        }
        assert_eq!(api.outcome(LATE).await.unwrap().kind, OutcomeKind::Response);
        assert!(
            api.outcome(SOON).await.is_none(),
            "a second post was accepted"
        );
    }

    #[tokio::test]
    async fn a_response_that_is_too_large_is_rejected() {
        let mut api = RuntimeApi::start().await.unwrap();
        for (number, size) in [(1, 6_291_556), (2, 6_291_557)] {
            let mut function = TcpStream::connect(api.address()).await.unwrap();
            ask(&mut function).await;
            api.ready(LATE).await.unwrap();
            let payload = "{}".to_owned();
            let event = Event {
                payload,
                timeout: LATE,
            };
            api.events.send(event).unwrap();
            assert!(function.read(&mut [0; 4_096]).await.unwrap() > 0);
            let path = format!("invocation/request-{number}/response");
            let response = post(&api, &path, &"x".repeat(size)).await;
            let outcome = api.outcome(LATE).await.unwrap();
            if number == 1 {
                assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
                assert_eq!(outcome.kind, OutcomeKind::Response);
                assert_eq!(outcome.text.len(), size);
            } else {
                assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
                assert_eq!(
                    outcome.error_type().as_deref(),
                    Some("Function.ResponseSizeTooLarge")
                );
                let message = outcome.error_message().unwrap();
                assert!(message.contains("(6291557 bytes)"), "{message}");
            }
        }
    }

    #[tokio::test]
    async fn ready_returns_the_time_of_the_request() {
        let mut api = RuntimeApi::start().await.unwrap();
        assert_eq!(api.ready(SOON).await, None);

        let before = Instant::now();
        let mut function = TcpStream::connect(api.address()).await.unwrap();
        ask(&mut function).await;
        let asked = api.ready(LATE).await.unwrap();
        assert!(asked >= before);

        let run = async {
            let mut response = [0; 4_096];
            let length = function.read(&mut response).await.unwrap();
            let response = String::from_utf8_lossy(&response[..length]).into_owned();
            assert!(response.ends_with("the event"), "{response}");
            let post = "POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1\r\nhost: x\r\n\
                        content-length: 2\r\n\r\n{}";
            function.write_all(post.as_bytes()).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(api.invoke("the event", LATE), run);
        assert_eq!(outcome.unwrap().kind, OutcomeKind::Response);
        // It has responded and has not requested another event.
        assert_eq!(api.ready(SOON).await, None);

        ask(&mut function).await;
        assert!(api.ready(LATE).await.unwrap() > asked);
        // A function that is gone does not wait.
        drop(function);
        let gone = api.waiting.wait_for(Option::is_none);
        assert!(tokio::time::timeout(LATE, gone).await.is_ok());
    }
}
