//! The one HTTP client: hyper 1, rustls with ring, HTTP/1.1.
//!
//! A connector of our own, and not that of aws-smithy-http-client 1.5, for three reasons. That one takes its roots of
//! trust from the system or from PEM files alone, which costs most of a cold start ([`Roots`]). It brings HTTP/2, which
//! STS and S3 do not speak, and proxies, of which Lambda has none. And it builds its connectors on the first request;
//! here everything is built at once, so that no invocation pays for it, and STS and S3 share one pool of connections
//! whatever their settings are. What it does for the SDK besides is done here as well: the timeouts for connecting and
//! reading, the classes of errors by which the SDK knows what may be tried again, and giving up connections on which an
//! attempt failed.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
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
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{CaptureConnection, HttpInfo, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::{Limits, Roots};

/// The HTTP client that everything in a process should share, with the timeouts of [`Limits::default`].
///
/// Give it to the loader of the `SdkConfig` as well, so that credentials come over the same connections. Idle connections
/// are kept for 90 s (hyper-util 0.1).
pub fn http_client(roots: Roots) -> SharedHttpClient {
    Limits::default().http_client(roots)
}

impl Limits {
    /// [`http_client`] with other timeouts for connecting and reading. Those are the connector's: the ones in a
    /// client's own configuration have no effect on it.
    pub fn http_client(&self, roots: Roots) -> SharedHttpClient {
        SharedHttpClient::new(OneConnector(SharedHttpConnector::new(Connector::new(
            self, roots,
        ))))
    }
}

/// A client of one connector, which was built before.
///
/// There is nothing to validate when an SDK client is built on it.
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
struct Connector {
    client: Client<Connect, SdkBody>,
    read_timeout: Duration,
}

impl Connector {
    fn new(limits: &Limits, roots: Roots) -> Self {
        let mut tcp = legacy::connect::HttpConnector::new();
        tcp.set_nodelay(true);
        // TLS goes over it.
        tcp.enforce_http(false);
        let connect = Connect {
            inner: HttpsConnector::from((tcp, tls(roots))),
            timeout: limits.connect_timeout,
        };
        Self {
            client: Client::builder(TokioExecutor::new())
                // Without it idle connections would be kept for ever.
                .pool_timer(TokioTimer::new())
                .build(connect),
            read_timeout: limits.read_timeout,
        }
    }
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
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let answer = self.client.request(request);
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            match within("HTTP read", read_timeout, answer).await {
                Ok(answer) => HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
                Err(error) => Err(classify(error)),
            }
        })
    }
}

/// What the SDK may learn of a connection, and how it has it given up: after an attempt that failed for a passing reason
/// the next one should not meet the same server (aws-smithy-runtime 1.16, `ConnectionPoisoningInterceptor`).
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

/// Opens connections, TLS included, in time.
#[derive(Clone)]
struct Connect {
    inner: HttpsConnector<legacy::connect::HttpConnector>,
    timeout: Duration,
}

impl Service<http::Uri> for Connect {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        Box::pin(within("HTTP connect", self.timeout, self.inner.call(uri)))
    }
}

/// Something took too long. Worded as the SDK does it.
#[derive(Debug, thiserror::Error)]
#[error("{what} timeout occurred after {after:?}")]
struct TimedOut {
    what: &'static str,
    after: Duration,
}

/// What `future` gives, unless it takes longer than `limit`.
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

/// The class of an error, which tells the SDK whether the request may be tried again: the rules of
/// aws-smithy-http-client 1.5 (`downcast_error`), without those of HTTP/2 and of proxies.
fn classify(error: BoxError) -> ConnectorError {
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
            // The connection ended before the answer did.
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

/// The first error of type `E` in the chain.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}
