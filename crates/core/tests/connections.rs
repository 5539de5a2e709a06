//! Connections that died while nobody used them: a freeze between two invocations, a NAT gateway that forgot them.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::time::Duration;

use common::{PATIENT, clients_with, target};
use contract::Target;
use cross_account::{Clients, Failure, Limits, Listing, list_buckets};
use fake_aws::{Account, FakeAws, Fault};
use futures_util::future::join_all;

/// With a backoff of up to 20 s, the longest there is: who succeeds within a few did so without one.
const NO_BACKOFF: Limits = Limits {
    initial_backoff: Duration::from_hours(1_000),
    ..PATIENT
};

/// How many connections the pool holds.
const POOLED: u64 = 64;

fn targets(numbers: std::ops::Range<u64>) -> Vec<Target> {
    numbers
        .map(|number| Target {
            account: format!("{:012}", 500_000_000_000 + number).parse().unwrap(),
            ..target()
        })
        .collect()
}

async fn list(clients: &Clients, targets: &[Target]) -> Vec<Result<Listing, Failure>> {
    let all = targets
        .iter()
        .map(|target| list_buckets(clients, target, None));
    let all = join_all(all);
    tokio::time::timeout(Duration::from_secs(10), all)
        .await
        .expect("a backoff was waited for")
}

/// Starts a fake, and clients with [`POOLED`] idle connections that all respond to the next request with `fault`.
async fn with_dead_connections(limits: &Limits, fault: Fault) -> (FakeAws, Clients) {
    let slow = Account::new()
        .buckets(1)
        .assume_latency(Duration::from_millis(100));
    let fake = FakeAws::builder().every_account(slow).start().unwrap();
    let clients = clients_with(&fake, limits);
    for listing in list(&clients, &targets(0..POOLED)).await {
        listing.unwrap();
    }
    let opened = fake.counts().connections;
    assert!(opened >= POOLED, "{opened}");
    fake.break_connections(fault);
    fake.reset_counts();
    (fake, clients)
}

#[tokio::test]
async fn one_dead_connection_is_enough_to_drop_the_others() {
    // With a cached session, S3 is called at once; without one, STS is.
    for number in [0, POOLED] {
        let (fake, clients) = with_dead_connections(&NO_BACKOFF, Fault::Reset).await;
        let targets = targets(number..number + 1);
        list(&clients, &targets).await.remove(0).unwrap();
        assert_eq!(fake.broken(), 1, "requests that met a dead connection");
        assert_eq!(fake.counts().connections, 1, "opened");
        // The pool works again.
        list(&clients, &targets).await.remove(0).unwrap();
        assert_eq!((fake.broken(), fake.counts().connections), (1, 1));
    }
}

#[tokio::test]
async fn concurrent_requests_on_dead_connections_succeed() {
    let (fake, clients) = with_dead_connections(&NO_BACKOFF, Fault::Reset).await;
    for listing in list(&clients, &targets(0..POOLED)).await {
        listing.unwrap();
    }
    assert!(fake.broken() <= POOLED, "{}", fake.broken());
    assert!(fake.counts().connections <= POOLED);
    // All of those opened now are kept, not only those of the last one to notice.
    fake.reset_counts();
    for listing in list(&clients, &targets(0..POOLED)).await {
        listing.unwrap();
    }
    assert_eq!(fake.counts().connections, 0);
}

#[tokio::test]
async fn a_silent_reused_connection_is_dropped() {
    let limits = Limits {
        read_timeout: Duration::from_millis(500),
        ..NO_BACKOFF
    };
    let (fake, clients) = with_dead_connections(&limits, Fault::Hang).await;
    list(&clients, &targets(0..1)).await.remove(0).unwrap();
    assert_eq!(fake.broken(), 1);
}

#[tokio::test]
async fn a_failure_on_a_new_connection_counts_as_an_attempt() {
    let fake = FakeAws::builder()
        .every_account(Account::new().always_on_assume(Fault::Reset))
        .start()
        .unwrap();
    let clients = clients_with(&fake, &PATIENT);
    list(&clients, &targets(0..1)).await.remove(0).unwrap_err();
    assert_eq!(fake.counts().assume, 3);
}

#[tokio::test]
async fn a_partial_response_counts_as_an_attempt() {
    let account = Account::new()
        .buckets(1)
        .on_list([Fault::None, Fault::BrokenOff]);
    let fake = FakeAws::builder().every_account(account).start().unwrap();
    let once = Limits {
        max_attempts: 1,
        ..PATIENT
    };
    let clients = clients_with(&fake, &once);
    list(&clients, &targets(0..1)).await.remove(0).unwrap();
    list(&clients, &targets(0..1)).await.remove(0).unwrap_err();
    assert_eq!(fake.counts().list, 2);
}
