//! The account that is listed with the caller's own credentials: they list it and no other, and STS is not asked.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::time::Duration;

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_types::sdk_config::SharedCredentialsProvider;
use common::{ACCOUNT, PATIENT, clients, config, target};
use contract::Target;
use cross_account::{Clients, FailureKind, FanOutOptions, Outcome, Phase, fan_out, list_buckets};
use fake_aws::{Account, Action, FakeAws, Fault};
use tokio::time::Instant;

/// The account of the fake's caller.
const ADMIN: &str = "111111111111";

fn admin() -> Target {
    Target::own(ADMIN.parse().unwrap())
}

fn fake(account: Account) -> FakeAws {
    FakeAws::builder()
        .account(ADMIN, account)
        .account(ACCOUNT, Account::new().numbered_buckets("target-", 2))
        .start()
        .unwrap()
}

#[tokio::test]
async fn own_credentials_list_the_account_and_sts_is_not_called() {
    let fake = fake(Account::new().buckets(25).page_cap(10));
    let clients = clients(&fake);
    for _ in 0..2 {
        let listing = list_buckets(&clients, &admin(), None).await.unwrap();
        assert_eq!(listing.buckets.len(), 25);
        assert_eq!((listing.timings.assume, listing.timings.pages), (None, 3));
    }
    assert_eq!((fake.counts().assume, fake.counts().list), (0, 6));
    for request in fake.requests() {
        assert_eq!(
            (request.access_key.as_str(), request.account.as_str()),
            ("AKIDCALLER", ADMIN)
        );
    }
    assert!(format!("{clients:?}").contains("cached: 0"));
}

#[tokio::test]
async fn a_denial_names_the_credentials() {
    let error = |status, code, message| Fault::Error {
        status,
        code,
        message,
    };
    let report = |failure: &cross_account::Failure| {
        format!(
            "{failure}\nhint: {}\n{} in {}, role {:?}",
            failure.hint().unwrap_or("–"),
            failure.kind(),
            failure.phase(),
            failure.role(),
        )
    };
    let mut reports = Vec::new();
    for fault in [
        Fault::Denied,
        Fault::Expired,
        error(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        error(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match.",
        ),
        error(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
    ] {
        let fake = fake(Account::new().buckets(1).always_on_list(fault));
        let clients = clients(&fake);
        let failure = list_buckets(&clients, &admin(), None).await.unwrap_err();
        assert_eq!(failure.account().as_str(), ADMIN);
        assert_eq!(
            (fake.counts().assume, fake.counts().list),
            (0, 1),
            "asked once"
        );
        reports.push(report(&failure));
    }
    insta::assert_snapshot!(reports.join("\n\n"));
}

/// A credentials provider with a configured result.
#[derive(Debug, Clone)]
enum Source {
    None,
    Never,
    OfAccount(&'static str),
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self {
            Self::None => future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
                "there is no profile `x`",
            ))),
            Self::Never => future::ProvideCredentials::new(std::future::pending()),
            Self::OfAccount(account) => {
                future::ProvideCredentials::ready(Ok(Credentials::builder()
                    .access_key_id("AKIDCALLER")
                    .secret_access_key("CALLER-SECRET")
                    .account_id(*account)
                    .provider_name("test")
                    .build()))
            }
        }
    }
}

fn clients_from(fake: &FakeAws, source: Source) -> Clients {
    let config = config(&fake.endpoint())
        .credentials_provider(SharedCredentialsProvider::new(source))
        .build();
    Clients::with_limits(&config, &PATIENT).unwrap()
}

#[tokio::test]
async fn credentials_that_name_another_account_list_nothing() {
    let fake = fake(Account::new().buckets(3));
    let clients = clients_from(&fake, Source::OfAccount(ADMIN));
    list_buckets(&clients, &admin(), None).await.unwrap();

    let clients = clients_from(&fake, Source::OfAccount("333333333333"));
    let failure = list_buckets(&clients, &admin(), None).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.phase()),
        (FailureKind::WrongAccount, Phase::List)
    );
    assert_eq!(
        failure.to_string(),
        "Failed to list the buckets of account 111111111111 with the function's own credentials: they belong to account 333333333333"
    );
    assert!(
        failure
            .hint()
            .unwrap()
            .contains("Admin account, 111111111111")
    );
    assert_eq!(fake.counts().list, 1);
}

#[tokio::test]
async fn unavailable_credentials_are_a_failure_to_list() {
    let fake = fake(Account::new());
    let clients = clients_from(&fake, Source::None);
    let failure = list_buckets(&clients, &admin(), None).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.phase()),
        (FailureKind::CredentialsUnavailable, Phase::List)
    );
    assert_eq!(
        failure.to_string(),
        "Failed to list the buckets of account 111111111111 with the function's own credentials: could not get \
         credentials: there is no profile `x`"
    );
    assert!(failure.is_retryable());

    let clients = clients_from(&fake, Source::Never);
    let soon = Instant::now() + Duration::from_millis(50);
    let failure = list_buckets(&clients, &admin(), Some(soon))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.phase()),
        (FailureKind::Timeout, Phase::List)
    );
    assert_eq!(fake.requests(), []);
}

#[tokio::test]
async fn own_credentials_list_only_their_own_account() {
    let fake = FakeAws::builder()
        .account(ADMIN, Account::new().numbered_buckets("admin-", 3))
        .every_account(Account::new().numbered_buckets("target-", 2))
        .start()
        .unwrap();
    let clients = clients(&fake);
    let role_in = |account: &str| Target {
        account: account.parse().unwrap(),
        ..target()
    };
    let targets = [
        role_in("000000000001"),
        admin(),
        role_in("222222222222"),
        role_in("333333333333"),
    ];
    for _ in 0..2 {
        let result = fan_out(&clients, &targets, &FanOutOptions::default(), |_, _| 0).await;
        let first: Vec<_> = result
            .outcomes
            .iter()
            .map(|answer| match &answer.outcome {
                Outcome::Listed(listing) => (
                    listing.buckets.len(),
                    listing.buckets.iter().next().unwrap().name,
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        let (admin, target) = ((3, "admin-000000"), (2, "target-000000"));
        assert_eq!(first, [target, admin, target, target]);
    }
    assert_eq!((fake.counts().assume, fake.counts().list), (3, 8));
    for request in fake.requests() {
        let own = request.access_key == "AKIDCALLER";
        match request.action {
            Action::ListBuckets => assert_eq!(own, request.account == ADMIN, "{request:?}"),
            _ => assert!(own && request.account != ADMIN, "{request:?}"),
        }
    }

    // Its failure is its own.
    fake.set_account(ADMIN, Account::new().always_on_list(Fault::Expired));
    let result = fan_out(&clients, &targets, &FanOutOptions::default(), |_, _| 0).await;
    for (target, answer) in targets.iter().zip(&result.outcomes) {
        let listed = matches!(answer.outcome, Outcome::Listed(_));
        assert_eq!(listed, target.role().is_some());
    }
    assert_eq!(fake.counts().assume, 3);
}
