//! The one HTTP client.
//!
//! hyper 1 with rustls and ring. Not the SDK's default client, which brings aws-lc: a larger binary, and an entropy
//! source that delays a cold start (aws-lambda-rust-runtime issue 1101).
//!
//! The connector is built here, once, and not on the first request, which is what the SDK's own builder does even where
//! it has loaded the roots before (aws-smithy-http-client 1.5, `HyperClient::http_connector`). So the first invocation
//! pays for no parsing of certificates, and STS and S3 share one pool whatever their settings are.
//!
//! What is *not* here: proxies; Lambda has none.

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    connector_metadata::ConnectorMetadata,
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};

use crate::Limits;

/// The HTTP client that everything in a process should share, with the timeouts of [`Limits::default`].
///
/// Give it to the loader of the `SdkConfig` as well, so that credentials come over the same connections.
///
/// The roots of trust are the system's, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name (rustls-native-certs 0.8),
/// and are loaded before this returns. Idle connections are kept for 90 s (hyper-util 0.1).
pub fn http_client() -> SharedHttpClient {
    Limits::default().http_client()
}

impl Limits {
    /// [`http_client`] with other timeouts for connecting and reading. Those are the connector's: the ones in a
    /// client's own configuration have no effect on it.
    pub fn http_client(&self) -> SharedHttpClient {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        SharedHttpClient::new(OneConnector(SharedHttpConnector::new(connector)))
    }
}

/// A client of one connector, which was built before.
///
/// There is nothing to validate when an SDK client is built on it: `validate_base_client_config`, through which the
/// SDK's own client loads the roots of trust, has nothing left to do.
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
