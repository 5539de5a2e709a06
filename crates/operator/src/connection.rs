//! How AWS is reached: credentials, timeouts, certificates.

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
    arguments::Access,
    failure::{self, AwsFailure},
    files,
};

/// To open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything a client of one region needs, by the rules of the AWS CLI.
pub(crate) async fn open(access: &Access) -> Result<SdkConfig> {
    // The SDK sets a connect timeout alone. A person waits, so: a few seconds each, and three attempts.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(15))
        .operation_timeout(Duration::from_secs(45))
        .build();
    let region = aws_config::Region::new(access.region.to_string());
    let retries = RetryConfig::standard();
    let http_client = http_client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .http_client(http_client.clone())
        .timeout_config(timeouts.clone())
        .retry_config(retries.clone());
    if let Some(profile) = &access.profile {
        // The name alone would leave the credentials of the environment before those of the profile (aws-config 1.13,
        // `DefaultCredentialsChain`), and another account than the one asked for would answer.
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

/// The same with the credentials fetched, once, for a command that is done before they expire.
///
/// # Errors
/// There are none, or they cannot be loaded: said here once, and not by every request.
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

/// The same with these credentials.
pub(crate) fn with_credentials(config: &SdkConfig, credentials: Credentials) -> SdkConfig {
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// The timeouts, and the HTTP client to go with them, of a request whose answer may take up to `longest`.
pub(crate) fn patient(longest: Duration) -> Result<(TimeoutConfig, SharedHttpClient)> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(longest)
        .operation_attempt_timeout(longest)
        .disable_operation_timeout()
        .build();
    Ok((timeouts, http_client()?))
}

/// A client that trusts the system's certificates, or what `AWS_CA_BUNDLE` names.
///
/// The SDK does not know that variable of the AWS CLI; `SSL_CERT_FILE`, which takes the place of the system's
/// certificates, works without doing anything here, and wins. Not the function's own client, which knows nothing of the
/// system's certificates: a person may sit behind a proxy whose certificate only they have.
fn http_client() -> Result<SharedHttpClient> {
    let bundle = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    match bundle {
        Some(path) if env::var_os("SSL_CERT_FILE").is_none() => trusting(&PathBuf::from(path)),
        _ => Ok(https(&TlsContext::default())),
    }
}

/// A client that trusts the certificates in `bundle` and no others, as the AWS CLI does.
fn trusting(bundle: &Path) -> Result<SharedHttpClient> {
    let usable = files::read(bundle)
        .and_then(|pem| usable_certificates(&pem))
        .with_context(|| format!("AWS_CA_BUNDLE, `{}`, cannot be used", bundle.display()))?;
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

/// The certificates of `pem` that rustls accepts as roots, as PEM again.
///
/// The trust store panics on one that it cannot parse, and company bundles hold such (X.509 version 1).
fn usable_certificates(pem: &[u8]) -> Result<Vec<u8>> {
    let mut usable = String::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.context("not in PEM form")?;
        let text = base64::encode(&certificate);
        if RootCertStore::empty().add(certificate).is_ok() {
            usable.extend([
                "-----BEGIN CERTIFICATE-----\n",
                &text,
                "\n-----END CERTIFICATE-----\n",
            ]);
        }
    }
    ensure!(!usable.is_empty(), "no usable certificate in it");
    Ok(usable.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use aws_sdk_sts::config::Config;

    use super::*;

    #[tokio::test]
    async fn the_http_client_waits_as_long_as_it_was_told() {
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
