//! Connects to AWS: credentials, timeouts, certificates.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aws_config::{
    BehaviorVersion, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    arguments::ConnectionFlags,
    failure::{self, AwsFailure},
    files,
};

/// The timeout for opening a connection, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Loads what a client of one region needs, by the rules of the AWS CLI.
pub(crate) async fn open(flags: &ConnectionFlags) -> Result<SdkConfig> {
    // The SDK sets only a connect timeout. Here, a user waits: a few seconds for each of three attempts.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(15))
        .operation_timeout(Duration::from_secs(45))
        .build();
    let region = aws_config::Region::new(flags.region.to_string());
    let retries = RetryConfig::standard();
    let http_client = http_client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http_client.clone())
        .timeout_config(timeouts.clone())
        .retry_config(retries.clone());
    if let Some(profile) = &flags.profile {
        // With the name alone, credentials in the environment would win over the profile (aws-config 1.13,
        // `DefaultCredentialsChain`), possibly those of another account.
        let provider = ProviderConfig::without_region()
            .with_region(Some(region))
            .with_http_client(http_client)
            .with_timeout_config(timeouts)
            .with_retry_config(retries);
        loader = loader.profile_name(profile).credentials_provider(
            ProfileFileCredentialsProvider::builder()
                .configure(&provider)
                .profile_name(profile)
                .build(),
        );
    }
    Ok(loader.load().await)
}

/// Fetches the credentials once, so that missing ones are one error instead of one per request.
///
/// # Errors
/// There are none, or they cannot be loaded.
pub(crate) async fn sign_in(config: &SdkConfig) -> Result<SdkConfig, AwsFailure> {
    let Some(provider) = config.credentials_provider() else {
        return Ok(config.clone());
    };
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error| failure::of_credentials(&error))?;
    Ok(with_credentials(config, credentials))
}

/// Replaces the credentials of `config`.
pub(crate) fn with_credentials(config: &SdkConfig, credentials: Credentials) -> SdkConfig {
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// The timeouts and the HTTP client for a request whose response may take as long as `timeout`.
pub(crate) fn patient(timeout: Duration) -> Result<(TimeoutConfig, SharedHttpClient)> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(timeout)
        .operation_attempt_timeout(timeout)
        .disable_operation_timeout()
        .build();
    Ok((timeouts, http_client()?))
}

/// A client that trusts the system's certificates, or those of `AWS_CA_BUNDLE`.
///
/// The SDK does not support that variable of the AWS CLI. It supports `SSL_CERT_FILE`, which replaces the system's
/// certificates and wins. This is not the function's client, which ignores the system's certificates: users may be behind
/// a proxy with a certificate of its own.
fn http_client() -> Result<SharedHttpClient> {
    let bundle = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    match bundle {
        Some(path) if env::var_os("SSL_CERT_FILE").is_none() => trusting(&PathBuf::from(path)),
        _ => Ok(https(&TlsContext::default())),
    }
}

/// A client that trusts only the certificates in `bundle`, as the AWS CLI does.
fn trusting(bundle: &Path) -> Result<SharedHttpClient> {
    let usable = files::read(bundle)
        .and_then(|pem| usable_certificates(&pem))
        .with_context(|| format!("failed to use AWS_CA_BUNDLE, `{}`", bundle.display()))?;
    let context = TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(usable))
        .build()?;
    Ok(https(&context))
}

fn https(context: &TlsContext) -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.clone())
        .build_https()
}

/// The certificates of `pem` that rustls accepts as roots, as PEM.
///
/// The trust store panics on a certificate that it cannot parse, and company bundles contain some (X.509 version 1).
fn usable_certificates(pem: &[u8]) -> Result<Vec<u8>> {
    let mut usable = String::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.context("it is not PEM")?;
        let text = base64::encode(&certificate);
        if RootCertStore::empty().add(certificate).is_ok() {
            usable.extend([
                "-----BEGIN CERTIFICATE-----\n",
                &text,
                "\n-----END CERTIFICATE-----\n",
            ]);
        }
    }
    ensure!(!usable.is_empty(), "it contains no usable certificate");
    Ok(usable.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use aws_sdk_sts::config::Config;

    use super::*;

    #[tokio::test]
    async fn the_http_client_applies_the_timeout() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let (timeouts, http_client) = patient(Duration::from_millis(200)).unwrap();
        let config = Config::builder()
            .behavior_version_latest()
            .region(aws_config::Region::new("eu-central-1"))
            .endpoint_url(format!("http://{}", silent.local_addr().unwrap()))
            .credentials_provider(Credentials::new(
                "AKIAEXAMPLE",
                "example",
                None,
                None,
                "test",
            ))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .http_client(http_client)
            .build();
        let started = Instant::now();
        let request = aws_sdk_sts::Client::from_conf(config).get_caller_identity();
        assert!(request.send().await.is_err());
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
