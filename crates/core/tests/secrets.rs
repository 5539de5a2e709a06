//! No secret is ever shown: not by `Debug`, and not in the log at any level. (For failures, see `failures.rs`.)
//!
//! One test alone, as tracing's caches of what is enabled are the process's.

mod common;

use std::{
    io,
    sync::{Arc, Mutex},
};

use common::{SECRETS, clients, fake, list, target};
use fake_aws::{Account, Fault};

/// What a log would hold.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no panic before")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn output_and_logs_contain_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let fake = fake(
        Account::new()
            .buckets(3)
            .on_assume([Fault::Truncated, Fault::Throttled])
            .on_list([Fault::Expired, Fault::Truncated, Fault::Denied]),
    );
    let clients = clients(&fake);
    list(&clients).await.unwrap_err();
    let listing = list(&clients).await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.len() > 10_000, "the SDK logged what it did");
    let texts = [
        log,
        format!("{clients:?}"),
        format!("{clients:#?}"),
        format!("{listing:?}"),
        format!("{:?}", target()),
    ];
    for line in texts.iter().flat_map(|text| text.lines()) {
        for secret in SECRETS {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
