//! Failures: what each fault of AWS becomes, word for word, and that none of it shows a secret.

mod common;

use std::time::Duration;

use common::{
    ACCOUNT, PATIENT, SECRETS, clients, config, failure, failure_with, fake, list, target,
};
use cross_account::{
    Clients, ConfigurationError, Failure, FailureKind, Limits, Phase, list_buckets,
};
use fake_aws::{Account, FakeAws, Fault};
use tokio::time::Instant;

/// Everything of a failure that a person or a program sees.
fn report(failure: &Failure) -> String {
    let debug = format!("{failure:?}");
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(failure);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    for secret in SECRETS {
        for text in [
            &debug,
            &failure.to_string(),
            &format!("{causes:?}"),
            failure.hint().unwrap_or_default(),
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(!failure.to_string().contains('\n'));
    format!(
        "{failure}\nhint: {}\n{} in {}, {}; code {:?}, request ID {:?}",
        failure.hint().unwrap_or("–"),
        failure.kind(),
        failure.phase(),
        if failure.is_retryable() {
            "retryable"
        } else {
            "final"
        },
        failure.code(),
        failure.request_id(),
    )
}

/// The report without the parts that differ from run to run.
fn stable(failure: &Failure) -> String {
    let mut report = report(failure);
    while let Some(start) = report.find("127.0.0.1:") {
        let digits = report[start + 10..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        report.replace_range(start..start + 10 + digits, "ENDPOINT");
    }
    report
}

macro_rules! faults {
    ($($name:ident: $account:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                insta::assert_snapshot!(stringify!($name), stable(&failure($account).await));
            }
        )*
    };
}

const fn error(status: u16, code: &'static str, message: &'static str) -> Fault {
    Fault::Error {
        status,
        code,
        message,
    }
}

faults! {
    assume_denied: Account::new().always_on_assume(Fault::Denied);
    assume_denied_by_control_policy: Account::new().always_on_assume(error(403, "AccessDenied",
        "User: arn:aws:sts::111111111111:assumed-role/MyLambdaExecutionRole/list is not authorized to perform: \
         sts:AssumeRole on resource: arn:aws:iam::222222222222:role/MyS3ReadRole with an explicit deny in a service control policy"));
    assume_throttled: Account::new().always_on_assume(Fault::Throttled);
    assume_expired: Account::new().always_on_assume(Fault::Expired);
    assume_unknown_credentials: Account::new().always_on_assume(error(403, "InvalidClientTokenId", "The security token included in the request is invalid."));
    assume_region_disabled: Account::new().always_on_assume(error(403, "RegionDisabledException",
        "STS is not activated in this region for account:222222222222. Your account administrator can activate STS in this region using the IAM Console."));
    assume_rejected: Account::new().always_on_assume(error(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    assume_policy_too_large: Account::new().always_on_assume(error(400, "PackedPolicyTooLarge",
        "Serialized token too large for session"));
    assume_policy_malformed: Account::new().always_on_assume(error(400, "MalformedPolicyDocument",
        "This policy contains invalid Json"));
    assume_internal: Account::new().always_on_assume(Fault::Internal);
    assume_reset: Account::new().always_on_assume(Fault::Reset);
    assume_truncated: Account::new().always_on_assume(Fault::Truncated);
    assume_no_http: Account::new().always_on_assume(Fault::NoHttp);
    assume_proxy_denies: Account::new().always_on_assume(Fault::Proxy(403));
    assume_garbage: Account::new().always_on_assume(Fault::Garbage);
    assume_wrong_account: Account::new().buckets(3).always_on_assume(Fault::WrongAccount("333333333333"));
    list_denied: Account::new().always_on_list(Fault::Denied);
    list_denied_by_control_policy: Account::new().always_on_list(error(403, "AccessDenied",
        "User: arn:aws:sts::222222222222:assumed-role/MyS3ReadRole/list-s3-buckets is not authorized to perform: \
         s3:ListAllMyBuckets with an explicit deny in a service control policy"));
    list_throttled: Account::new().always_on_list(Fault::Throttled);
    list_expired: Account::new().always_on_list(Fault::Expired);
    list_unknown_session: Account::new().always_on_list(error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."));
    list_clock_wrong: Account::new().always_on_list(error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."));
    list_rejected: Account::new().always_on_list(error(400, "InvalidRequest", "Line one.\nLine two."));
    list_internal: Account::new().always_on_list(Fault::Internal);
    list_reset: Account::new().always_on_list(Fault::Reset);
    list_broken_off: Account::new().buckets(3).always_on_list(Fault::BrokenOff);
    list_truncated: Account::new().buckets(3).always_on_list(Fault::Truncated);
    list_no_http: Account::new().always_on_list(Fault::NoHttp);
    list_garbage: Account::new().always_on_list(Fault::Garbage);
    list_repeats_a_token: Account::new().buckets(3).page_cap(1).always_on_list(Fault::RepeatToken);
}

/// One attempt, so that a test waits once.
const ONCE: Limits = Limits {
    max_attempts: 1,
    ..PATIENT
};

#[tokio::test]
async fn a_service_that_does_not_respond_in_time() {
    let limits = Limits {
        read_timeout: Duration::from_millis(300),
        ..ONCE
    };
    for (name, account) in [
        ("assume_hangs", Account::new().always_on_assume(Fault::Hang)),
        ("list_hangs", Account::new().always_on_list(Fault::Hang)),
        (
            "assume_slow",
            Account::new().assume_latency(Duration::from_secs(40)),
        ),
    ] {
        let failure = failure_with(account, &limits).await;
        insta::assert_snapshot!(name, stable(&failure));
    }
}

#[tokio::test]
async fn a_response_that_never_ends() {
    let limits = Limits {
        attempt_timeout: Duration::from_millis(100),
        ..ONCE
    };
    let account = Account::new().always_on_assume(Fault::Stalled);
    let failure = failure_with(account, &limits).await;
    insta::assert_snapshot!("assume_stalls", stable(&failure));
}

#[tokio::test]
async fn a_denial_names_the_configured_external_id() {
    let fake = fake(Account::new().external_id("right-one"));
    let target = target().with_external_id("wrong-one".parse().unwrap());
    let failure = list_buckets(&clients(&fake), &target, None)
        .await
        .unwrap_err();
    insta::assert_snapshot!("assume_denied_with_external_id", stable(&failure));
}

#[tokio::test]
async fn nothing_is_listed_with_the_session_of_another_account() {
    let fake = FakeAws::builder()
        .account(
            ACCOUNT,
            Account::new().always_on_assume(Fault::WrongAccount("333333333333")),
        )
        .account("333333333333", Account::new().buckets(3))
        .start()
        .unwrap();
    for _ in 0..2 {
        let failure = list(&clients(&fake)).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::WrongAccount);
    }
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (2, 0));
}

#[tokio::test]
async fn transient_failures_are_tried_three_times_and_denials_once() {
    for (fault, times) in [
        (Fault::Throttled, 3),
        (Fault::Internal, 3),
        (Fault::BrokenOff, 3),
        (Fault::Truncated, 3),
        (Fault::Garbage, 3),
        (Fault::NoHttp, 3),
        (Fault::Proxy(429), 3),
        (Fault::Proxy(502), 3),
        (Fault::Proxy(200), 3),
        (Fault::Proxy(403), 3),
        (Fault::Denied, 1),
        (error(400, "ValidationError", "no"), 1),
    ] {
        let on_assume = fake(Account::new().always_on_assume(fault.clone()));
        list(&clients(&on_assume)).await.unwrap_err();
        assert_eq!(on_assume.counts().assume, times, "{fault:?}");
        assert_eq!(on_assume.counts().list, 0);

        let on_list = fake(Account::new().buckets(2).always_on_list(fault.clone()));
        list(&clients(&on_list)).await.unwrap_err();
        assert_eq!(on_list.counts().list, times, "{fault:?}");
    }

    let on_assume = fake(Account::new().always_on_assume(Fault::Reset));
    list(&clients(&on_assume)).await.unwrap_err();
    assert_eq!(on_assume.counts().assume, 3);
    // The first is sent over the connection that STS was asked on: that it fails there is no attempt.
    let on_list = fake(Account::new().buckets(2).always_on_list(Fault::Reset));
    list(&clients(&on_list)).await.unwrap_err();
    assert_eq!(on_list.counts().list, 1 + 3);
}

#[tokio::test]
async fn an_error_without_a_code_is_classified_by_its_status() {
    use FailureKind::*;
    for (status, kinds) in [
        (502, [ServiceUnavailable; 2]),
        (429, [Throttled; 2]),
        (403, [InvalidResponse; 2]),
        (404, [InvalidResponse; 2]),
        (200, [InvalidResponse; 2]),
    ] {
        let proxy = || Fault::Proxy(status);
        let on_assume = failure(Account::new().always_on_assume(proxy())).await;
        let on_list = failure(Account::new().always_on_list(proxy())).await;
        assert_eq!([on_assume.kind(), on_list.kind()], kinds, "{status}");
        assert_eq!((on_assume.code(), on_list.code()), (None, None));
    }
}

#[tokio::test]
async fn short_throttling_is_not_a_failure() {
    let fake = fake(
        Account::new()
            .on_assume([Fault::Throttled, Fault::Throttled])
            .on_list([Fault::Throttled, Fault::Throttled]),
    );
    list(&clients(&fake)).await.unwrap();
}

#[tokio::test]
async fn the_deadline_names_the_phase_and_leaves_the_clients_usable() {
    // Nothing but the deadline ends these calls in time. What hangs in the listing is the second call, which has a
    // session already.
    for (account, phase) in [
        (Account::new().on_assume([Fault::Hang]), Phase::Assume),
        (
            Account::new().on_list([Fault::None, Fault::Hang]),
            Phase::List,
        ),
        (
            Account::new().buckets(4).page_cap(2).on_list([
                Fault::None,
                Fault::None,
                Fault::None,
                Fault::Hang,
            ]),
            Phase::List,
        ),
    ] {
        let fake = fake(account);
        let clients = clients(&fake);
        if phase == Phase::List {
            list(&clients).await.unwrap();
        }
        let started = Instant::now();
        let deadline = started + Duration::from_millis(80);
        let failure = list_buckets(&clients, &target(), Some(deadline))
            .await
            .unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(2));
        assert_eq!(
            (failure.kind(), failure.phase()),
            (FailureKind::Timeout, phase)
        );
        assert!(
            failure
                .to_string()
                .ends_with("the invocation's deadline was reached"),
            "{failure}"
        );

        let assumed = fake.counts().assume;
        list(&clients).await.unwrap();
        let again = u64::from(phase == Phase::Assume);
        assert_eq!(fake.counts().assume, assumed + again);
    }
}

#[tokio::test]
async fn the_pages_before_a_failure_are_kept() {
    let failure = failure(
        Account::new()
            .buckets(25)
            .page_cap(10)
            .on_list([Fault::None, Fault::None])
            .always_on_list(Fault::Denied),
    )
    .await;
    assert_eq!(failure.kind(), FailureKind::ListBucketsDenied);
    assert_eq!(failure.partial().len(), 20);
    assert!(format!("{failure:?}").contains("partial: 20 buckets"));
}

#[tokio::test]
async fn the_longer_partial_result_is_kept_when_a_session_expires() {
    // What S3 gives: pages of 10 before the session is over, and of the session after that.
    for (before, after) in [(1, 0), (1, 2), (2, 1), (0, 1)] {
        let pages = |number| std::iter::repeat_n(Fault::None, number);
        let faults = pages(before).chain([Fault::Expired]).chain(pages(after));
        let account = Account::new()
            .buckets(45)
            .page_cap(10)
            .on_list(faults)
            .always_on_list(Fault::Denied);
        let failure = failure(account).await;
        assert_eq!(failure.kind(), FailureKind::ListBucketsDenied);
        assert_eq!(failure.partial().len(), 10 * before.max(after));
    }
}

#[tokio::test]
async fn no_server_listens() {
    let endpoint = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", socket.local_addr().unwrap())
    };
    let clients = Clients::with_limits(&config(&endpoint).build(), &PATIENT).unwrap();
    insta::assert_snapshot!(
        "no_server_listens",
        stable(&list(&clients).await.unwrap_err())
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_a_url() {
    let clients = Clients::with_limits(&config("not a url").build(), &PATIENT).unwrap();
    insta::assert_snapshot!(
        "endpoint_no_url",
        stable(&list(&clients).await.unwrap_err())
    );
}

/// The endpoint of S3 alone, as `AWS_ENDPOINT_URL_S3` sets it.
#[derive(Debug)]
struct EndpointOfS3(&'static str);

impl aws_types::service_config::LoadServiceConfig for EndpointOfS3 {
    fn load_config(&self, key: aws_types::service_config::ServiceConfigKey<'_>) -> Option<String> {
        (key.service_id() == "S3" && key.env() == "AWS_ENDPOINT_URL").then(|| self.0.to_owned())
    }
}

#[tokio::test]
async fn an_s3_endpoint_that_is_not_a_url() {
    let fake = fake(Account::new());
    for endpoint in [
        "not a url",
        "127.0.0.1:4566",
        "https://",
        "/s3",
        "ftp://x",
        "http://a b",
    ] {
        let mut config = config(&fake.endpoint());
        config.set_service_config(Some(EndpointOfS3(endpoint)));
        let clients = Clients::with_limits(&config.build(), &PATIENT).unwrap();
        let failure = list(&clients).await.unwrap_err();
        let kind = (failure.kind(), failure.phase());
        assert_eq!(
            kind,
            (FailureKind::InvalidConfiguration, Phase::List),
            "{endpoint}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn unavailable_credentials() {
    use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};

    #[derive(Debug)]
    struct NoProfile;
    impl ProvideCredentials for NoProfile {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
                "there is no profile `x`",
            )))
        }
    }

    let fake = fake(Account::new());
    let config = config(&fake.endpoint())
        .credentials_provider(aws_types::sdk_config::SharedCredentialsProvider::new(
            NoProfile,
        ))
        .build();
    let clients = Clients::with_limits(&config, &PATIENT).unwrap();
    insta::assert_snapshot!("no_credentials", stable(&list(&clients).await.unwrap_err()));
    assert_eq!(fake.counts().assume, 0);
}

#[test]
fn an_invalid_configuration_is_rejected_at_once() {
    let complete = || config("http://127.0.0.1:1");
    assert!(Clients::new(&complete().build()).is_ok());
    assert_eq!(
        Clients::new(&complete().region(None).build()).unwrap_err(),
        ConfigurationError::NoRegion
    );
    let mut without = complete();
    without.set_credentials_provider(None);
    assert_eq!(
        Clients::new(&without.build()).unwrap_err(),
        ConfigurationError::NoCredentials
    );
    let moon = complete().region(aws_types::region::Region::from_static("moon-east-1"));
    let refusal = Clients::new(&moon.build()).unwrap_err();
    assert!(refusal.to_string().contains("`moon-east-1`"), "{refusal}");
}

#[test]
fn kinds_have_unique_names() {
    let names: std::collections::BTreeSet<_> =
        FailureKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), FailureKind::ALL.len());
    for kind in FailureKind::ALL {
        assert_eq!(format!("{kind:?}"), kind.as_str());
        assert!(!kind.meaning().ends_with('.'));
    }
}
