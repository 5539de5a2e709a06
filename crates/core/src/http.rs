//! Builds the HTTP client: hyper 1, rustls with ring, HTTP/1.1.
//!
//! The connector of aws-smithy-http-client 1.5 is not used, for three reasons. It takes its trust anchors only from the
//! system or from PEM files, which costs most of a cold start ([`Roots`]). It includes HTTP/2, which STS and S3 do not
//! support, and proxies, which Lambda does not have. And it builds its connectors on the first request; here everything
//! is built at start, so that no invocation pays for it, and STS and S3 share one connection pool whatever their
//! settings are. This one also does what the SDK expects of a connector: timeouts for connecting and reading, the error
//! classes that decide about retries, and closing connections after a failed attempt.
//!
//! A connection that died while idle (Lambda freezes the process between two invocations) is noticed by the next
//! request on it, and most likely all others to that host died with it. The request is then sent again at once over a
//! new connection, which does not count as an attempt, and the idle ones are dropped.

use std::{
    collections::HashMap,
    error::Error,
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connection::{CaptureSmithyConnection, ConnectionMetadata},
        connector_metadata::ConnectorMetadata,
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use http::uri::{Authority, Scheme};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{CaptureConnection, Connected, Connection, HttpInfo, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tower_service::Service;

use crate::{limits::Limits, roots::Roots};

/// Creates the HTTP client that everything in a process should share, with the timeouts of [`Limits::default`].
///
/// Pass it to the loader of the `SdkConfig` as well, so that requests for credentials use the same connections. Idle
/// connections are kept for 90 s (hyper-util 0.1).
pub fn http_client(roots: Roots) -> SharedHttpClient {
    Limits::default().http_client(roots)
}

impl Limits {
    /// Creates an [`http_client`] with other timeouts for connecting and reading. They belong to the connector: those
    /// in a client's own configuration have no effect on it.
    pub fn http_client(&self, roots: Roots) -> SharedHttpClient {
        SharedHttpClient::new(OneConnector(SharedHttpConnector::new(Connector::new(
            self, roots,
        ))))
    }
}

/// A client with one connector that is built in advance.
///
/// There is nothing to validate when an SDK client is built with it.
#[derive(Debug)]
struct OneConnector(SharedHttpConnector);

impl HttpClient for OneConnector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.clone()
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some("1.x".into())))
    }
}

/// Sends requests over pooled connections.
#[derive(Clone)]
struct Connector(Arc<Pools>);

/// The connections to one host. Its idle ones can only be dropped with the pool.
type Pool = Client<Connect, SdkBody>;

/// The pools, by host.
struct Pools {
    by_host: Mutex<HashMap<Host, Arc<Pool>>>,
    connect: Connect,
    read_timeout: Duration,
}

type Host = (Option<Scheme>, Option<Authority>);

impl Connector {
    fn new(limits: &Limits, roots: Roots) -> Self {
        let mut tcp = legacy::connect::HttpConnector::new();
        tcp.set_nodelay(true);
        // TLS runs on top of it.
        tcp.enforce_http(false);
        // A dead peer acknowledges nothing; a slow one does.
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(limits.connect_timeout));
        Self(Arc::new(Pools {
            by_host: Mutex::default(),
            connect: Connect {
                inner: HttpsConnector::from((tcp, tls(roots))),
                timeout: limits.connect_timeout,
                opened: Arc::default(),
            },
            read_timeout: limits.read_timeout,
        }))
    }

    /// Sends `request`, and again as long as it meets dead connections. Each time, the host's idle connections are
    /// dropped, so that it soon gets a new one. A failure on a new one is returned.
    async fn send(
        &self,
        mut request: http::Request<SdkBody>,
    ) -> Result<http::Response<Incoming>, BoxError> {
        let host = (
            request.uri().scheme().cloned(),
            request.uri().authority().cloned(),
        );
        let capture = request
            .extensions()
            .get::<CaptureSmithyConnection>()
            .cloned();
        loop {
            let again = copy(&request);
            let pool = self.pool(&host);
            let connection = capture_connection(&mut request);
            if let Some(capture) = &capture {
                let connection = connection.clone();
                capture.set_connection_retriever(move || metadata(&connection));
            }
            let opened = self.0.connect.opened.load(Ordering::Relaxed);
            let answer = pool.request(request);
            let error = match within("HTTP read", self.0.read_timeout, answer).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let was_dead =
                used(&connection).is_some_and(|line| line.number < opened && !line.heard());
            match again {
                Some(again) if was_dead => {
                    tracing::debug!(%error, "a pooled connection was dead");
                    self.drop_idle(&host, &pool);
                    request = again;
                }
                _ => return Err(error),
            }
        }
    }

    fn pool(&self, host: &Host) -> Arc<Pool> {
        let mut pools = self.pools();
        if let Some(pool) = pools.get(host) {
            return Arc::clone(pool);
        }
        let pool = self.0.new_pool();
        pools.insert(host.clone(), Arc::clone(&pool));
        pool
    }

    /// Drops the idle connections in `pool`, unless another request already has. Those in use close after their
    /// requests.
    fn drop_idle(&self, host: &Host, pool: &Arc<Pool>) {
        let mut pools = self.pools();
        if let Some(current) = pools.get_mut(host)
            && Arc::ptr_eq(current, pool)
        {
            *current = self.0.new_pool();
        }
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, HashMap<Host, Arc<Pool>>> {
        self.0
            .by_host
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pools {
    fn new_pool(&self) -> Arc<Pool> {
        let pool = Client::builder(TokioExecutor::new())
            // Without a timer, idle connections would be kept forever.
            .pool_timer(TokioTimer::new())
            .build(self.connect.clone());
        Arc::new(pool)
    }
}

/// Copies the request, if its body can be sent twice.
fn copy(request: &http::Request<SdkBody>) -> Option<http::Request<SdkBody>> {
    let mut copy = http::Request::new(request.body().try_clone()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

#[expect(
    clippy::expect_used,
    reason = "ring has the cipher suites of both versions"
)]
fn tls(roots: Roots) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots.into_store())
        .with_no_client_auth()
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let answer = connector.send(request).await.map_err(classify)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Describes the connection to the SDK, which closes it after an attempt with a transient failure, so that the next one
/// does not meet the same server (aws-smithy-runtime 1.16, `ConnectionPoisoningInterceptor`).
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let mut extensions = http::Extensions::new();
    connection
        .connection_metadata()
        .as_ref()?
        .get_extras(&mut extensions);
    let info = extensions.get::<HttpInfo>();
    let connection = connection.clone();
    let mut builder = ConnectionMetadata::builder()
        .proxied(false)
        .poison_fn(move || {
            if let Some(connection) = connection.connection_metadata().as_ref() {
                connection.poison();
            }
        });
    builder
        .set_local_addr(info.map(HttpInfo::local_addr))
        .set_remote_addr(info.map(HttpInfo::remote_addr));
    Some(builder.build())
}

/// Returns the connection that a request was sent on, if any.
fn used(connection: &CaptureConnection) -> Option<Line> {
    let mut extensions = http::Extensions::new();
    connection
        .connection_metadata()
        .as_ref()?
        .get_extras(&mut extensions);
    extensions.remove()
}

/// Opens connections, including TLS, within the timeout.
#[derive(Clone)]
struct Connect {
    inner: HttpsConnector<legacy::connect::HttpConnector>,
    timeout: Duration,
    /// The number of connections opened.
    opened: Arc<AtomicU64>,
}

impl Service<http::Uri> for Connect {
    type Response = TokioIo<Watched>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connected = within("HTTP connect", self.timeout, self.inner.call(uri));
        let opened = Arc::clone(&self.opened);
        Box::pin(async move {
            let stream = TokioIo::new(connected.await?);
            let line = Line {
                number: opened.fetch_add(1, Ordering::Relaxed),
                heard: Arc::default(),
            };
            Ok(TokioIo::new(Watched { stream, line }))
        })
    }
}

/// The state of a connection.
#[derive(Debug, Clone)]
struct Line {
    /// The number of connections opened before it.
    number: u64,
    /// Whether anything was received since the last send.
    heard: Arc<AtomicBool>,
}

impl Line {
    fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// A connection and its state.
struct Watched {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    line: Line,
}

impl Connection for Watched {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.line.clone())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.line.heard.store(true, Ordering::Relaxed);
        }
        poll
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.heard.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.heard.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A timeout, worded like the SDK's.
#[derive(Debug, thiserror::Error)]
#[error("{what} timeout occurred after {after:?}")]
struct TimedOut {
    what: &'static str,
    after: Duration,
}

/// Returns the output of `future`, unless it takes longer than `limit`.
async fn within<T, E: Into<BoxError>>(
    what: &'static str,
    limit: Duration,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(limit, future).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_) => Err(TimedOut { what, after: limit }.into()),
    }
}

/// Classifies an error, which tells the SDK whether to retry the request. These are the rules of aws-smithy-http-client
/// 1.5 (`downcast_error`), without those for HTTP/2 and proxies.
fn classify(error: BoxError) -> ConnectorError {
    if let Some(rustls::Error::InvalidCertificate(_)) = find::<rustls::Error>(&*error) {
        // The next attempt would get the same certificate.
        return ConnectorError::other(CertificateRejected(error).into(), None);
    }
    if find::<TimedOut>(&*error).is_some() {
        return ConnectorError::timeout(error);
    }
    let io = find::<std::io::Error>(&*error).is_some();
    if let Some(hyper) = find::<hyper::Error>(&*error) {
        if hyper.is_timeout() {
            ConnectorError::timeout(error)
        } else if hyper.is_user() {
            ConnectorError::user(error)
        } else if hyper.is_closed() || hyper.is_canceled() || io {
            ConnectorError::io(error)
        } else {
            // The connection closed before the response ended.
            let kind = hyper
                .is_incomplete_message()
                .then_some(ErrorKind::TransientError);
            ConnectorError::other(error, kind)
        }
    } else if io || find::<legacy::Error>(&*error).is_some_and(legacy::Error::is_connect) {
        ConnectorError::io(error)
    } else {
        ConnectorError::other(error, None)
    }
}

/// The server's certificate is not trusted, not valid now, or for another host.
#[derive(Debug, thiserror::Error)]
#[error("the certificate was rejected")]
pub(crate) struct CertificateRejected(#[source] BoxError);

/// Finds the first error of type `E` in the chain. An [`io::Error`] that wraps another error does not return it as its
/// source, but that one's source.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .map(|inner| inner as &(dyn Error + 'static));
    find(inner.or_else(|| error.source())?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_acknowledges_nothing_times_out_early() {
        // The kernel accepts the connection, but nothing reads from it: its window closes and stays closed.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let limits = Limits {
            connect_timeout: Duration::from_millis(500),
            read_timeout: Duration::from_mins(1),
            ..Limits::default()
        };
        let mut request = HttpRequest::new(SdkBody::from(vec![0; 32 << 20]));
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        request.set_method("POST").unwrap();
        request.set_uri(uri).unwrap();
        let started = std::time::Instant::now();
        let error = Connector::new(&limits, Roots::default())
            .call(request)
            .await
            .unwrap_err();
        assert!(error.is_io(), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
