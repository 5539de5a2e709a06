//! Lambda's Runtime API on loopback: runs the function as Lambda does, as a process, without Lambda.
//!
//! It hands out events one after the other and takes what the function posts (Lambda developer guide, "Using the Lambda
//! runtime API for custom runtimes"). Whoever starts the function's process gives it the [`address`](RuntimeApi::address)
//! as `AWS_LAMBDA_RUNTIME_API`.
//!
//! What is *not* here: the process itself, its environment, a timeout that ends it, and the extensions API.

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
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};

/// What every path begins with.
const VERSION: &str = "/2018-06-01/runtime/";

/// The ARN that the function is told it was invoked by.
const FUNCTION_ARN: &str = "arn:aws:lambda:eu-central-1:111111111111:function:list";

/// A running Runtime API. It ends with the tokio runtime that it was started on.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    waiting: watch::Receiver<Option<Instant>>,
}

/// What the function posted.
#[derive(Debug)]
pub struct Outcome {
    /// Where it posted it.
    pub kind: OutcomeKind,
    /// The header `Lambda-Runtime-Function-Error-Type`.
    pub error_type_header: Option<String>,
    /// The body.
    pub text: String,
    /// How long after the delivery of the event; for an init error, after the start of this API.
    pub after: Duration,
}

/// Where the function posted an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// The invocation's answer.
    Response,
    /// The invocation's failure.
    Error,
    /// It could not start.
    InitError,
}

impl Outcome {
    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The `errorType` of a failure; nothing for an answer.
    pub fn error_type(&self) -> Option<String> {
        self.field("errorType")
    }

    /// The `errorMessage` of a failure; nothing for an answer.
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
    /// No port can be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (events, received) = mpsc::unbounded_channel();
        let (posted, outcomes) = mpsc::unbounded_channel();
        let (asked, waiting) = watch::channel(None);
        let server = Arc::new(Server {
            events: Mutex::new(received),
            outcomes: posted,
            waiting: asked,
            delivered: SyncMutex::new(Instant::now()),
            count: AtomicU32::new(0),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without effect where it fails; an answer is then slower.
                let _ = stream.set_nodelay(true);
                let server = Arc::clone(&server);
                let service = service_fn(move |request| {
                    let server = Arc::clone(&server);
                    async move { Ok::<_, Infallible>(server.answer(request).await) }
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

    /// Waits until the function asks for an event and there is none for it, as it does when it has started and after
    /// each invocation; then it does nothing until it gets one. Says when it asked. Nothing where it does not do so in
    /// time.
    pub async fn ready(&mut self, within: Duration) -> Option<Instant> {
        let asked = self.waiting.wait_for(Option::is_some);
        *tokio::time::timeout(within, asked).await.ok()?.ok()?
    }

    /// Hands out an event whose deadline is `timeout` away, as that of a function with this timeout, and waits for what
    /// the function posts. Nothing where it posts nothing within ten seconds of the deadline.
    pub async fn invoke(&mut self, payload: &str, timeout: Duration) -> Option<Outcome> {
        let payload = payload.to_owned();
        // The receiver lives as long as the server, which ends with the runtime.
        let _ = self.events.send(Event { payload, timeout });
        self.outcome(timeout + Duration::from_secs(10)).await
    }

    /// Waits for what the function posts without an event: that it could not start. Nothing where it does not do so in
    /// time.
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
    /// Since when the function has been waiting for an event, while it does.
    waiting: watch::Sender<Option<Instant>>,
    delivered: SyncMutex<Instant>,
    count: AtomicU32,
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let path = path.strip_prefix(VERSION).unwrap_or_default();
        let kind = match (request.method(), path.rsplit_once('/')) {
            (&Method::GET, Some(("invocation", "next"))) => return self.next().await,
            (&Method::POST, Some(("init", "error"))) => OutcomeKind::InitError,
            (&Method::POST, Some((_, "response"))) => OutcomeKind::Response,
            (&Method::POST, Some((_, "error"))) => OutcomeKind::Error,
            _ => return empty(StatusCode::NOT_FOUND),
        };
        let error_type_header = request
            .headers()
            .get("lambda-runtime-function-error-type")
            .and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let Ok(body) = request.into_body().collect().await else {
            return empty(StatusCode::BAD_REQUEST);
        };
        // Nobody listens any more where the API itself was dropped.
        let _ = self.outcomes.send(Outcome {
            kind,
            error_type_header,
            text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            after: self.delivered().elapsed(),
        });
        empty(StatusCode::ACCEPTED)
    }

    /// Answers when there is an event, as Lambda does: until then the function is frozen there.
    async fn next(&self) -> Response<Full<Bytes>> {
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = now.unwrap_or_default() + event.timeout;
        *self.delivered() = Instant::now();
        let mut response = Response::new(Full::from(event.payload));
        for (name, value) in [
            // As Lambda's answers have it; awslambdaric 4.2 crashes without.
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", format!("request-{number}")),
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

    fn delivered(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the function waits, for as long as it lives: it is dropped when there is an event, or the function is gone.
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

    #[tokio::test]
    async fn it_tells_when_the_function_waits_for_an_event() {
        let mut api = RuntimeApi::start().await.unwrap();
        assert_eq!(api.ready(SOON).await, None);

        let before = Instant::now();
        let mut function = TcpStream::connect(api.address()).await.unwrap();
        ask(&mut function).await;
        let asked = api.ready(LATE).await.unwrap();
        assert!(asked >= before);

        let run = async {
            let mut answer = [0; 4_096];
            let length = function.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.ends_with("the event"), "{answer}");
            let post = "POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1\r\nhost: x\r\n\
                        content-length: 2\r\n\r\n{}";
            function.write_all(post.as_bytes()).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(api.invoke("the event", LATE), run);
        assert_eq!(outcome.unwrap().kind, OutcomeKind::Response);
        // It has answered, and has not asked again.
        assert_eq!(api.ready(SOON).await, None);

        ask(&mut function).await;
        assert!(api.ready(LATE).await.unwrap() > asked);
        // A function that is gone waits no more.
        drop(function);
        let gone = api.waiting.wait_for(Option::is_none);
        assert!(tokio::time::timeout(LATE, gone).await.is_ok());
    }
}
