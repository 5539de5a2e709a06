//! What the tests share: a configuration that can reach nothing but the fake.

#![allow(
    dead_code,
    reason = "each test file is a program of its own and uses a part"
)]
#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;
use aws_types::{SdkConfig, region::Region, sdk_config::SharedCredentialsProvider};
use contract::Target;
use cross_account::{Clients, Failure, Limits, Listing};
use fake_aws::{Account, FakeAws};

/// The account that every test lists.
pub(crate) const ACCOUNT: &str = "222222222222";

/// The secrets of the caller, and how those of sessions begin: no text that a person sees may hold one.
pub(crate) const SECRETS: [&str; 4] = [
    "CALLER-SECRET",
    "CALLER-TOKEN",
    "FakeSecretKey",
    "FakeSessionToken",
];

/// Limits for a busy machine: responses never time out, and retries have no delay.
pub(crate) const PATIENT: Limits = Limits {
    connect_timeout: Duration::from_secs(30),
    read_timeout: Duration::from_secs(30),
    attempt_timeout: Duration::from_mins(1),
    max_attempts: 3,
    initial_backoff: Duration::from_millis(1),
};

/// A fake with one account.
pub(crate) fn fake(account: Account) -> FakeAws {
    FakeAws::builder()
        .account(ACCOUNT, account)
        .start()
        .unwrap()
}

/// A configuration for one endpoint, with credentials that are good nowhere.
pub(crate) fn config(endpoint: &str) -> aws_types::sdk_config::Builder {
    let credentials = Credentials::new(
        "AKIDCALLER",
        "CALLER-SECRET",
        Some("CALLER-TOKEN".to_owned()),
        None,
        "test",
    );
    SdkConfig::builder()
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
}

pub(crate) fn clients(fake: &FakeAws) -> Clients {
    clients_with(fake, &PATIENT)
}

pub(crate) fn clients_with(fake: &FakeAws, limits: &Limits) -> Clients {
    Clients::with_limits(&config(&fake.endpoint()).build(), limits).unwrap()
}

/// Clients whose time is `clock`.
pub(crate) fn clients_at(fake: &FakeAws, clock: impl TimeSource + 'static) -> Clients {
    let config = config(&fake.endpoint()).time_source(clock).build();
    Clients::with_limits(&config, &PATIENT).unwrap()
}

/// The target in [`ACCOUNT`].
pub(crate) fn target() -> Target {
    Target::by_role(ACCOUNT.parse().unwrap(), "MyS3ReadRole".parse().unwrap())
}

pub(crate) async fn list(clients: &Clients) -> Result<Listing, Failure> {
    cross_account::list_buckets(clients, &target(), None).await
}

/// The failure of listing an account that behaves so.
pub(crate) async fn failure(account: Account) -> Failure {
    failure_with(account, &PATIENT).await
}

pub(crate) async fn failure_with(account: Account, limits: &Limits) -> Failure {
    let fake = fake(account);
    list(&clients_with(&fake, limits)).await.unwrap_err()
}
