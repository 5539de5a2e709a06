//! Sessions: when STS is asked, and when it is not.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_async::test_util::ManualTimeSource;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use common::{ACCOUNT, PATIENT, clients, clients_at, config, failure, fake, list, target};
use contract::{SessionPolicy, Target};
use cross_account::{
    AccountOutcome, Clients, FailureKind, FanOutOptions, Outcome, Phase, Roots, fan_out,
    list_buckets,
};
use fake_aws::{Account, Action, FakeAws, Fault};

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn clock() -> ManualTimeSource {
    ManualTimeSource::new(SystemTime::now())
}

/// The access keys of the requests for pages.
fn keys(fake: &FakeAws) -> Vec<String> {
    fake.requests()
        .into_iter()
        .filter(|request| request.action == Action::ListBuckets)
        .map(|request| request.access_key)
        .collect()
}

#[tokio::test]
async fn a_session_is_refreshed_five_minutes_before_it_expires() {
    let fake = fake(Account::new());
    let clock = clock();
    let clients = clients_at(&fake, clock.clone());
    list(&clients).await.unwrap();

    clock.advance(minutes(54));
    assert_eq!(list(&clients).await.unwrap().timings.assume, None);
    assert_eq!(fake.counts().assume, 1);

    clock.advance(minutes(2));
    assert!(list(&clients).await.unwrap().timings.assume.is_some());
    assert_eq!(fake.counts().assume, 2);

    let keys = keys(&fake);
    assert_eq!(keys[0], keys[1]);
    assert_ne!(
        keys[1], keys[2],
        "the call that renewed it used the new session"
    );
}

#[tokio::test]
async fn a_session_is_used_until_it_expires_if_refreshing_fails() {
    let fake = fake(
        Account::new()
            .on_assume([Fault::None])
            .always_on_assume(Fault::Denied),
    );
    let clock = clock();
    let clients = clients_at(&fake, clock.clone());
    list(&clients).await.unwrap();

    clock.advance(minutes(56));
    list(&clients).await.unwrap();
    list(&clients).await.unwrap();
    assert_eq!(
        fake.counts().assume,
        2,
        "not asked again with every call: the first, and one renewal"
    );
    clock.advance(minutes(1));
    list(&clients).await.unwrap();
    assert_eq!(fake.counts().assume, 3, "but after a pause");

    clock.advance(minutes(4));
    let failure = list(&clients).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::AssumeRoleDenied);
}

/// An invocation must not wait until its deadline, and fail, for a session that it does not need yet.
#[tokio::test]
async fn a_session_is_used_while_sts_hangs() {
    let fake = fake(
        Account::new()
            .on_assume([Fault::None])
            .always_on_assume(Fault::Hang),
    );
    let clock = clock();
    let clients = clients_at(&fake, clock.clone());
    list(&clients).await.unwrap();

    clock.advance(minutes(56));
    let started = std::time::Instant::now();
    list(&clients).await.unwrap();
    let first = started.elapsed();
    assert!(first < Duration::from_secs(3), "{first:?}");
    list(&clients).await.unwrap();
    let second = started.elapsed().saturating_sub(first);
    assert!(
        second < Duration::from_millis(500),
        "waited again: {second:?}"
    );
}

#[tokio::test]
async fn a_very_short_session_is_used_until_it_expires() {
    let fake = fake(Account::new().session_seconds(10));
    let clock = clock();
    let clients = clients_at(&fake, clock.clone());
    for _ in 0..5 {
        list(&clients).await.unwrap();
    }
    clock.advance(Duration::from_secs(7));
    list(&clients).await.unwrap();
    assert_eq!(fake.counts().assume, 1);
    clock.advance(minutes(1));
    list(&clients).await.unwrap();
    assert_eq!(fake.counts().assume, 2);
}

#[tokio::test]
async fn an_expired_session_is_an_invalid_response() {
    let failure = failure(Account::new().session_seconds(0)).await;
    assert_eq!(
        (failure.kind(), failure.phase()),
        (FailureKind::InvalidResponse, Phase::Assume)
    );
}

/// The outcomes of an invocation for these accounts: the kind of each failure.
async fn call(clients: &Clients, accounts: &[String]) -> Vec<Option<FailureKind>> {
    let targets: Vec<_> = accounts
        .iter()
        .map(|id| Target {
            account: id.parse().unwrap(),
            ..target()
        })
        .collect();
    let result = fan_out(clients, &targets, &FanOutOptions::default(), |_, _| 0).await;
    let kind = |answer: &AccountOutcome| match &answer.outcome {
        Outcome::Listed(_) => None,
        Outcome::Failed(failure) => Some(failure.kind()),
        Outcome::Skipped(reason) => panic!("skipped: {reason:?}"),
    };
    result.outcomes.iter().map(kind).collect()
}

/// 20 accounts, the first of which is [`ACCOUNT`].
fn twenty() -> Vec<String> {
    let others = (1..20).map(|number| format!("{number:012}"));
    [ACCOUNT.to_owned()].into_iter().chain(others).collect()
}

/// A fake of many accounts, in which [`ACCOUNT`] is this one.
fn among_others(account: Account) -> FakeAws {
    FakeAws::builder()
        .every_account(Account::new())
        .account(ACCOUNT, account)
        .start()
        .unwrap()
}

#[tokio::test]
async fn an_invalid_session_affects_no_other_account_or_invocation() {
    for (element, text) in [
        ("AssumedRoleUser", None),
        ("Arn", None),
        ("Arn", Some("arn")),
        ("Credentials", None),
        ("AccessKeyId", None),
        ("AccessKeyId", Some("")),
        ("AccessKeyId", Some("ASIA\n2222")),
        ("AccessKeyId", Some("ASIA/2222")),
        ("SecretAccessKey", None),
        ("SecretAccessKey", Some("a b")),
        ("SessionToken", None),
        ("SessionToken", Some("a\nb")),
        ("SessionToken", Some("\u{e4}")),
        ("Expiration", None),
        ("Expiration", Some("2020-01-01T00:00:00Z")),
        ("Expiration", Some("tomorrow")),
    ] {
        let fake = among_others(Account::new().always_on_assume(Fault::Element(element, text)));
        let clients = clients(&fake);
        let mut expected = vec![None; 20];
        expected[0] = Some(FailureKind::InvalidResponse);
        for _ in 0..2 {
            let outcomes = call(&clients, &twenty()).await;
            assert_eq!(outcomes, expected, "{element} {text:?}");
        }
        fake.set_account(ACCOUNT, Account::new());
        let outcomes = call(&clients, &twenty()).await;
        assert_eq!(outcomes, vec![None; 20], "{element} {text:?}");
    }
}

#[tokio::test]
async fn a_session_is_used_no_longer_than_requested() {
    let fake = fake(
        Account::new().always_on_assume(Fault::Element("Expiration", Some("9999-12-31T23:59:59Z"))),
    );
    let clock = clock();
    let clients = clients_at(&fake, clock.clone());
    for assumed in [1, 1, 2] {
        list(&clients).await.unwrap();
        assert_eq!(fake.counts().assume, assumed);
        clock.advance(minutes(30));
    }
}

/// Panics while a request of [`ACCOUNT`]'s session is sent, as long as it is told to.
#[derive(Debug, Clone)]
struct Panicking {
    inner: SharedHttpClient,
    on: Arc<AtomicBool>,
}

impl HttpClient for Panicking {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(PanickingConnector {
            inner: self.inner.http_connector(settings, components),
            on: Arc::clone(&self.on),
        })
    }
}

#[derive(Debug)]
struct PanickingConnector {
    inner: SharedHttpConnector,
    on: Arc<AtomicBool>,
}

impl HttpConnector for PanickingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let signed_by = request.headers().get("authorization").unwrap_or_default();
        assert!(
            !(self.on.load(Ordering::Relaxed) && signed_by.contains(ACCOUNT)),
            "on order"
        );
        self.inner.call(request)
    }
}

#[tokio::test]
async fn a_panic_fails_one_account_and_leaves_nothing_behind() {
    let fake = among_others(Account::new());
    let on = Arc::new(AtomicBool::new(true));
    let config = config(&fake.endpoint())
        .http_client(Panicking {
            inner: PATIENT.http_client(Roots::default()),
            on: Arc::clone(&on),
        })
        .build();
    let clients = Clients::with_limits(&config, &PATIENT).unwrap();
    let mut expected = vec![None; 20];
    expected[0] = Some(FailureKind::Panic);
    for _ in 0..2 {
        assert_eq!(call(&clients, &twenty()).await, expected);
    }
    let failure = list(&clients).await.unwrap_err();
    let text = format!("{failure} {failure:?}");
    assert!(text.contains("on order"), "{text}");
    assert_eq!(fake.counts().assume, 22, "no other session is dropped");
    on.store(false, Ordering::Relaxed);
    assert_eq!(call(&clients, &twenty()).await, vec![None; 20]);
    assert_eq!(fake.counts().assume, 23, "that session is a new one");
}

#[tokio::test]
async fn a_wrong_clock_costs_one_request_each_and_fails_no_account() {
    let minute = 60;
    for ahead in [10 * minute, -10 * minute, 130 * minute, -130 * minute] {
        let fake = FakeAws::builder()
            .every_account(Account::new())
            .seconds_ahead(ahead)
            .start()
            .unwrap();
        let clients = clients(&fake);
        assert_eq!(call(&clients, &twenty()).await, vec![None; 20], "{ahead}");
        let counts = fake.counts();
        assert!(counts.assume <= 40 && counts.list <= 40, "{counts:?}");
        fake.reset_counts();
        assert_eq!(call(&clients, &twenty()).await, vec![None; 20], "{ahead}");
        let counts = fake.counts();
        assert_eq!((counts.assume, counts.list), (0, 20), "{ahead}");
    }
}

#[tokio::test]
async fn a_clock_that_stays_wrong_fails_with_a_hint() {
    let skewed = |code, message| Fault::Error {
        status: 403,
        code,
        message,
    };
    let expired = "Signature expired: 20261122T150405Z is now earlier than 20261122T151405Z";
    let too_far = "The difference between the request time and the current time is too large.";
    let not_ours = "The request signature we calculated does not match the signature you provided.";
    for (code, message) in [
        ("SignatureDoesNotMatch", expired),
        ("SignatureDoesNotMatch", not_ours),
        ("InvalidSignatureException", expired),
        ("RequestTimeTooSkewed", too_far),
        ("RequestExpired", "Request has expired."),
    ] {
        let fault = skewed(code, message);
        for account in [
            Account::new().always_on_assume(fault.clone()),
            Account::new().always_on_list(fault),
        ] {
            let fake = FakeAws::builder()
                .account(ACCOUNT, account)
                .seconds_ahead(20 * 60)
                .start()
                .unwrap();
            let clients = clients(&fake);
            let failure = list(&clients).await.unwrap_err();
            assert_eq!(failure.kind(), FailureKind::CredentialsRejected, "{code}");
            assert!(!failure.is_retryable());
            let hint = failure.hint().unwrap();
            assert!(hint.contains("clock"), "{code}: {hint}");
            let counts = fake.counts();
            assert!(counts.assume <= 2 && counts.list <= 2, "{code} {counts:?}");
            // What has been learned of the clock is kept.
            fake.reset_counts();
            list(&clients).await.unwrap_err();
            let counts = fake.counts();
            assert_eq!(counts.assume + counts.list, 1, "{code} {counts:?}");
        }
    }
}

#[tokio::test]
async fn a_session_that_s3_reports_expired_is_replaced() {
    let fake = fake(
        Account::new()
            .buckets(3)
            .on_list([Fault::None, Fault::Expired]),
    );
    let clients = clients(&fake);
    list(&clients).await.unwrap();
    fake.reset_counts();
    replaced(&fake, &clients).await;
}

/// IAM denies everything to the sessions that were issued before they were revoked.
#[tokio::test]
async fn a_revoked_session_is_replaced() {
    let fake = fake(Account::new().buckets(3));
    let clients = clients(&fake);
    for _ in 0..3 {
        list(&clients).await.unwrap();
        fake.revoke_sessions(ACCOUNT);
        fake.reset_counts();
        replaced(&fake, &clients).await;
    }
}

async fn replaced(fake: &FakeAws, clients: &Clients) {
    let listing = list(clients).await.unwrap();
    assert_eq!(listing.buckets.len(), 3);
    assert!(listing.timings.assume.is_some());
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (1, 2));
    let keys = keys(fake);
    assert_ne!(keys[0], keys[1]);

    fake.reset_counts();
    list(clients).await.unwrap();
    assert_eq!(fake.counts().assume, 0, "the new session is kept");
}

#[tokio::test]
async fn a_session_that_expires_between_two_pages_is_replaced() {
    let fake = fake(
        Account::new()
            .buckets(25)
            .page_cap(10)
            .on_list([Fault::None, Fault::Expired]),
    );
    let listing = list(&clients(&fake)).await.unwrap();
    let names: Vec<_> = listing.buckets.iter().map(|bucket| bucket.name).collect();
    let expected: Vec<_> = (0..25).map(|index| format!("bucket-{index:06}")).collect();
    assert_eq!(names, expected);
    assert_eq!(listing.timings.pages, 3);
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (2, 5));
}

#[tokio::test]
async fn a_second_expiry_is_a_failure() {
    let fake = fake(Account::new().always_on_list(Fault::Expired));
    let clients = clients(&fake);
    let failure = list(&clients).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::ExpiredCredentials);
    assert_eq!(failure.phase(), Phase::List);
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (2, 2));
    assert!(
        format!("{clients:?}").contains("cached: 0"),
        "what has expired is not kept"
    );
}

#[tokio::test]
async fn an_unknown_cached_session_is_replaced_once() {
    let unknown = Fault::Error {
        status: 403,
        code: "InvalidAccessKeyId",
        message: "The AWS Access Key Id you provided does not exist in our records.",
    };
    let fake = fake(
        Account::new()
            .on_list([Fault::None, unknown.clone()])
            .always_on_list(Fault::None),
    );
    let clients = clients(&fake);
    list(&clients).await.unwrap();
    list(&clients).await.unwrap();
    assert_eq!(fake.counts().assume, 2);

    fake.set_account(ACCOUNT, Account::new().always_on_list(unknown));
    fake.reset_counts();
    let failure = list(&clients).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::CredentialsRejected);
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (1, 2));
}

/// A denial costs STS one request when it begins, and none while it lasts.
#[tokio::test]
async fn a_denied_account_calls_sts_once() {
    let unknown = Fault::Error {
        status: 403,
        code: "InvalidAccessKeyId",
        message: "The AWS Access Key Id you provided does not exist in our records.",
    };
    for (fault, kind) in [
        (Fault::Denied, FailureKind::ListBucketsDenied),
        (unknown, FailureKind::CredentialsRejected),
    ] {
        // From the beginning, and later.
        for (good, assumed) in [(0, 1), (2, 2)] {
            let fake = fake(
                Account::new()
                    .on_list(std::iter::repeat_n(Fault::None, good))
                    .always_on_list(fault.clone()),
            );
            let clients = clients(&fake);
            for _ in 0..good {
                list(&clients).await.unwrap();
            }
            for _ in 0..10 {
                let failure = list(&clients).await.unwrap_err();
                assert_eq!((failure.kind(), failure.phase()), (kind, Phase::List));
            }
            assert_eq!(fake.counts().assume, assumed, "{good} good, {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_denied_account_recovers_by_itself_and_after_its_sessions_were_revoked() {
    let fake = fake(Account::new().always_on_list(Fault::Denied));
    let clients = clients(&fake);
    list(&clients).await.unwrap_err();

    fake.set_account(ACCOUNT, Account::new().buckets(1));
    assert_eq!(list(&clients).await.unwrap().timings.assume, None);

    fake.set_account(ACCOUNT, Account::new().always_on_list(Fault::Denied));
    list(&clients).await.unwrap_err();
    fake.set_account(ACCOUNT, Account::new().buckets(1));
    // What S3 says is another thing than what it said to the session when it was new.
    fake.revoke_sessions(ACCOUNT);
    list(&clients).await.unwrap();
    assert_eq!(fake.counts().assume, 2);
}

#[tokio::test]
async fn a_revoked_session_of_a_deleted_role_fails_to_assume() {
    let fake = fake(Account::new().buckets(1));
    let clients = clients(&fake);
    list(&clients).await.unwrap();
    fake.set_account(
        ACCOUNT,
        Account::new().buckets(1).on_assume([Fault::Denied]),
    );
    fake.revoke_sessions(ACCOUNT);
    let failure = list(&clients).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::AssumeRoleDenied);
    list(&clients).await.unwrap();
}

#[tokio::test]
async fn concurrent_callers_share_one_request_to_sts() {
    let fake = fake(Account::new().assume_latency(Duration::from_millis(50)));
    let clients = clients(&fake);
    let call = || list(&clients);
    let all = tokio::join!(call(), call(), call(), call(), call());
    for listing in [all.0, all.1, all.2, all.3, all.4] {
        listing.unwrap();
    }
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (1, 5));
}

#[tokio::test]
async fn concurrent_callers_share_one_denial_by_sts() {
    let fake = fake(
        Account::new()
            .assume_latency(Duration::from_millis(50))
            .always_on_assume(Fault::Denied),
    );
    let clients = clients(&fake);
    let call = || list(&clients);
    let all = tokio::join!(call(), call(), call());
    for listing in [all.0, all.1, all.2] {
        assert_eq!(listing.unwrap_err().kind(), FailureKind::AssumeRoleDenied);
    }
    assert_eq!(fake.counts().assume, 1);
    call().await.unwrap_err();
    assert_eq!(fake.counts().assume, 2);
}

#[tokio::test]
async fn a_waiting_caller_continues_if_the_first_is_canceled() {
    let fake = fake(Account::new().on_assume([Fault::Hang]));
    let clients = clients(&fake);
    let target = target();
    let soon = tokio::time::Instant::now() + Duration::from_millis(50);
    let (first, second) = tokio::join!(
        list_buckets(&clients, &target, Some(soon)),
        list_buckets(&clients, &target, None)
    );
    assert_eq!(first.unwrap_err().kind(), FailureKind::Timeout);
    second.unwrap();
    assert_eq!(fake.counts().assume, 2);
}

#[tokio::test]
async fn the_external_id_separates_sessions() {
    let fake = fake(Account::new());
    let clients = clients(&fake);
    for id in [None, Some("one"), Some("two"), Some("one"), None] {
        let target = match id {
            Some(id) => target().with_external_id(id.parse().unwrap()),
            None => target(),
        };
        list_buckets(&clients, &target, None).await.unwrap();
    }
    assert_eq!(fake.counts().assume, 3);
}

/// An account that was renamed needs no other session, and a region no one of its own.
#[tokio::test]
async fn names_and_regions_do_not_separate_sessions() {
    let fake = fake(Account::new());
    let clients = clients(&fake);
    for (name, region) in [
        (None, None),
        (Some("one"), None),
        (Some("two"), None),
        (Some("two"), Some("eu-west-1")),
    ] {
        let target = Target {
            name: name.map(|name| name.parse().unwrap()),
            region: region.map(|region| region.parse().unwrap()),
            ..target()
        };
        list_buckets(&clients, &target, None).await.unwrap();
    }
    assert_eq!(fake.counts().assume, 1);
}

#[tokio::test]
async fn a_session_may_only_list_buckets_unless_its_policy_is_off() {
    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;
    let fake = fake(Account::new());
    let policies = || -> Vec<_> {
        fake.requests()
            .iter()
            .filter(|request| request.action == Action::AssumeRole)
            .map(|request| request.parameter("Policy").map(ToOwned::to_owned))
            .collect()
    };
    let narrowed = clients(&fake);
    list(&narrowed).await.unwrap();
    let on = narrowed.with_session_policy(SessionPolicy::On);
    list(&on).await.unwrap();
    assert_eq!(
        policies(),
        [Some(POLICY.to_owned()), Some(POLICY.to_owned())]
    );

    fake.reset_counts();
    let off = on.with_session_policy(SessionPolicy::Off);
    list(&off).await.unwrap();
    assert_eq!(policies(), [None], "what was narrowed is not used");
}
