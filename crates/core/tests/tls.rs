//! TLS: a certificate that cannot be accepted is told as such, at once.
//!
//! The certificates in `tls/` are of an authority of their own, whose key is gone. They last until 2120, but for the one
//! that ended in 2021.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use common::{PATIENT, config, list};
use cross_account::{Clients, Failure, FailureKind, Roots};
use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// A server that shows this certificate, and ends the connection after that; and how many connections it had.
fn server(certificate: &str) -> (SocketAddr, Arc<AtomicU32>) {
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&connections);
    // Ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // Fails if the client rejects the certificate.
            let _ = connection.complete_io(&mut stream.unwrap());
        }
    });
    (address, connections)
}

/// The outcome of a listing, and the number of connections it took.
async fn failure(certificate: &str, roots: Roots) -> (Failure, u32) {
    let (address, connections) = server(certificate);
    let config = config(&format!("https://{address}"))
        .http_client(PATIENT.http_client(roots))
        .build();
    let clients = Clients::with_limits(&config, &PATIENT).unwrap();
    let failure = list(&clients).await.unwrap_err();
    (failure, connections.load(Ordering::SeqCst))
}

fn ours() -> Roots {
    Roots::read(&[file("ca.pem")], &[]).unwrap()
}

#[tokio::test]
async fn a_rejected_certificate_is_not_retried_and_has_a_hint() {
    for (certificate, roots, why) in [
        ("other-name.pem", ours(), "not valid for name"),
        ("expired.pem", ours(), "expired"),
        ("valid.pem", Roots::default(), "UnknownIssuer"),
    ] {
        let (failure, connections) = failure(certificate, roots).await;
        assert_eq!(
            failure.kind(),
            FailureKind::CertificateRejected,
            "{failure}"
        );
        assert!(!failure.is_retryable());
        assert_eq!(connections, 1, "{failure}");
        assert!(failure.to_string().contains(why), "{failure}");
        let hint = failure.hint().unwrap();
        for part in ["certificate", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "clock"] {
            assert!(hint.contains(part), "{hint}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_closes_after_a_valid_certificate_is_retried() {
    let (failure, connections) = failure("valid.pem", ours()).await;
    assert_eq!(failure.kind(), FailureKind::ConnectionFailed, "{failure}");
    assert_eq!(connections, 3);
}
