//! The function, run as Lambda runs it: as a process, with the Runtime API, STS and S3 on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail anywhere"
)]

mod support;

use std::time::Duration;

use contract::ActionSpec;
use fake_aws::{Account, Counts, FakeAws, Fault};
use runtime_api::OutcomeKind;
use support::{Function, Setup, TARGET};

fn aws(account: Account) -> FakeAws {
    FakeAws::builder().account(TARGET, account).start().unwrap()
}

async fn function(aws: &FakeAws) -> Function {
    Setup::new(&aws.endpoint()).start().await
}

#[tokio::test]
async fn the_response_lists_the_buckets_of_the_target() {
    let aws = aws(Account::new().named_buckets(["bucket-b", "bucket-a"]));
    let mut function = function(&aws).await;
    let outcome = function.invoke("{}").await;
    assert_eq!(outcome.kind, OutcomeKind::Response);
    assert_eq!(
        outcome.text,
        r#"{"statusCode":200,"body":"[\"bucket-b\",\"bucket-a\"]"}"#
    );

    let requests = aws.requests();
    assert_eq!(
        requests[0].parameter("RoleArn"),
        Some("arn:aws:iam::222222222222:role/MyS3ReadRole")
    );
    assert_eq!(
        requests[0].parameter("RoleSessionName"),
        Some("list-s3-buckets")
    );
    assert_eq!(requests[0].parameter("ExternalId"), None);

    let line = function.stop().await.line("listed");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["requestId"], "request-1");
    assert_eq!(line["account"], TARGET);
    assert_eq!(line["buckets"], 2);
    assert_eq!(line["pages"], 1);
    assert_eq!(line["cached"], false);
    for duration in ["assumeMs", "listMs", "durationMs"] {
        assert!(line[duration].as_f64().unwrap() > 0.0, "{line}");
    }
}

#[tokio::test]
async fn many_pages_are_listed_completely() {
    let aws = aws(Account::new().buckets(2_500).page_cap(1_000));
    let outcome = function(&aws).await.invoke("{}").await;
    let response = outcome.json();
    let names: Vec<String> = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(names.len(), 2_500);
    assert_eq!(aws.counts().list, 3);
}

#[tokio::test]
async fn an_account_without_buckets_has_an_empty_list() {
    let aws = aws(Account::new());
    let outcome = function(&aws).await.invoke("{}").await;
    assert_eq!(outcome.text, r#"{"statusCode":200,"body":"[]"}"#);
}

#[tokio::test]
async fn any_event_is_accepted_and_none_changes_the_target() {
    let aws = aws(Account::new().buckets(1));
    let mut function = function(&aws).await;
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    for event in [
        "{}",
        "null",
        "",
        "[1, 2]",
        "42",
        "true",
        "\"text\"",
        r#"{"key1": "value1", "details": {"a": [[], {}]}}"#,
        r#"{"detail-type": "Scheduled Event", "source": "aws.events", "account": "111111111111", "detail": {"a": []}}"#,
        r#"{"TARGET_ACCOUNT_ID": "333333333333", "role": "Admin"}"#,
        &deep,
    ] {
        let outcome = function.invoke(event).await;
        assert_eq!(
            outcome.kind,
            OutcomeKind::Response,
            "{event}: {}",
            outcome.text
        );
    }
    assert!(
        aws.requests()
            .iter()
            .all(|request| request.account == TARGET)
    );
}

#[tokio::test]
async fn an_event_that_is_not_json_is_invalid_and_the_function_keeps_running() {
    let aws = aws(Account::new().named_buckets(["a"]));
    let mut function = Setup::new(&aws.endpoint())
        .with("LOG_LEVEL", "trace")
        .start()
        .await;
    for event in ["accounts", r#"{"prefix": "#, "{} {}"] {
        let outcome = function.invoke(event).await;
        assert_eq!(outcome.error_type().unwrap(), "InvalidEvent");
        let message = outcome.json()["errorMessage"].to_string();
        assert!(message.contains("invalid JSON"), "{message}");
    }
    let outcome = function.invoke("").await;
    assert_eq!(outcome.json()["body"], r#"["a"]"#);
}

#[tokio::test]
async fn an_event_filters_a_single_target_too() {
    let aws = aws(Account::new().named_buckets(["logs-a", "data"]));
    let mut function = function(&aws).await;
    for (event, body) in [
        (r#"{"prefix": "logs-"}"#, r#"["logs-a"]"#),
        (
            r#"{"accounts": ["222222222222"], "detail": false}"#,
            r#"["logs-a","data"]"#,
        ),
    ] {
        let outcome = function.invoke(event).await;
        assert_eq!(outcome.json()["body"], body, "{event}");
    }
    let outcome = function.invoke(r#"{"detail": true, "prefix": "d"}"#).await;
    let body: serde_json::Value =
        serde_json::from_str(outcome.json()["body"].as_str().unwrap()).unwrap();
    let bucket = body[0].as_object().unwrap();
    let mut fields = ActionSpec::S3_BUCKETS.item_fields.to_vec();
    fields.sort_by_key(|field| field.name);
    let keys: Vec<_> = bucket.keys().collect();
    assert_eq!(keys, ["created", "name", "region"]);
    assert!(keys.into_iter().eq(fields.iter().map(|field| field.name)));
    assert_eq!(bucket["name"], "data");

    for (event, part) in [
        (
            r#"{"accounts": ["333333333333"]}"#,
            "account 333333333333 is not in this stage",
        ),
        (
            r#"{"accounts": "222222222222"}"#,
            "`accounts`: expected a list of account IDs, got a string",
        ),
        (r#"{"resume": "e30="}"#, "`resume`"),
    ] {
        let outcome = function.invoke(event).await;
        assert_eq!(outcome.error_type().unwrap(), "InvalidEvent");
        let message = outcome.error_message().unwrap();
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn a_line_of_metrics_for_each_invocation() {
    let aws = aws(Account::new().buckets(3));
    let mut function = Setup::new(&aws.endpoint())
        .with("AWS_LAMBDA_LOG_FORMAT", "Text")
        .start()
        .await;
    function.invoke("{}").await;
    aws.set_account(TARGET, Account::new().always_on_list(Fault::Denied));
    function.invoke("{}").await;
    let log = function.stop().await;
    let lines: Vec<serde_json::Value> = log
        .out
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(lines.len(), 2, "{}", log.out);
    for (line, ok, buckets) in [(&lines[0], 1, 3), (&lines[1], 0, 0)] {
        assert_eq!(line["Targets"], 1);
        assert_eq!(line["Ok"], ok);
        assert_eq!(line["Failed"], 1 - ok);
        assert_eq!(line["Buckets"], buckets);
    }
}

#[tokio::test]
async fn a_warm_invocation_sends_no_request_to_sts_and_opens_no_connection() {
    let aws = aws(Account::new().buckets(3));
    let mut function = function(&aws).await;
    function.invoke("{}").await;
    aws.reset_counts();
    for _ in 0..5 {
        assert_eq!(function.invoke("{}").await.kind, OutcomeKind::Response);
    }
    assert_eq!(
        aws.counts(),
        Counts {
            list: 5,
            ..Counts::default()
        }
    );
    let log = function.stop().await;
    let cached = log
        .lines()
        .iter()
        .filter(|line| line["cached"] == true)
        .count();
    assert_eq!(cached, 5, "{}", log.out);
}

#[tokio::test]
async fn the_external_id_and_a_roles_path_are_used() {
    let account = Account::new()
        .role("team/Reader")
        .external_id("audit:2026")
        .buckets(1);
    let aws = aws(account);
    let setup = Setup::new(&aws.endpoint())
        .with("S3_READ_ROLE", "team/Reader")
        .with("EXTERNAL_ID", "audit:2026");
    assert_eq!(
        setup.start().await.invoke("{}").await.kind,
        OutcomeKind::Response
    );

    let without = Setup::new(&aws.endpoint()).with("S3_READ_ROLE", "team/Reader");
    let outcome = without.start().await.invoke("{}").await;
    assert_eq!(outcome.error_type().unwrap(), "AssumeRoleDenied");
}

#[tokio::test]
async fn a_denial_is_an_error_with_a_hint() {
    let aws = aws(Account::new().always_on_assume(Fault::Denied));
    let mut function = function(&aws).await;
    let outcome = function.invoke("{}").await;
    assert_eq!(outcome.kind, OutcomeKind::Error);
    assert_eq!(outcome.error_type().unwrap(), "AssumeRoleDenied");
    let message = outcome.error_message().unwrap();
    for part in [
        "arn:aws:iam::222222222222:role/MyS3ReadRole",
        "AccessDenied",
        "sts-222222222222-1",
        "\nhint: ",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }

    // The process keeps running and does not cache the denial.
    aws.set_account(TARGET, Account::new().buckets(1));
    assert_eq!(function.invoke("{}").await.kind, OutcomeKind::Response);

    let log = function.stop().await;
    let errors: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    let [line] = &errors[..] else {
        panic!("expected one line: {errors:#?}");
    };
    assert_eq!(line["requestId"], "request-1");
    assert_eq!(line["errorType"], "AssumeRoleDenied");
    assert_eq!(line["account"], TARGET);
    assert_eq!(line["phase"], "assume");
    assert_eq!(line["code"], "AccessDenied");
    assert_eq!(line["serviceRequestId"], "sts-222222222222-1");
    assert_eq!(line["retryable"], false);
    assert!(line["hint"].is_string(), "{line}");
    assert!(line["durationMs"].is_number(), "{line}");
}

#[tokio::test]
async fn a_denied_listing_has_its_own_error_type() {
    let aws = aws(Account::new().always_on_list(Fault::Denied));
    let mut function = function(&aws).await;
    assert_eq!(
        function.invoke("{}").await.error_type().unwrap(),
        "ListBucketsDenied"
    );
    let log = function.stop().await;
    for part in [r#""phase":"list""#, r#""deniedBy":"identity-policy""#] {
        assert!(log.out.contains(part), "{part} is not in: {}", log.out);
    }
}

#[tokio::test]
async fn an_invocation_ends_before_lambda_ends_it() {
    for (account, phase) in [
        (Account::new().always_on_assume(Fault::Hang), "assume"),
        (Account::new().always_on_list(Fault::Hang), "list"),
    ] {
        let aws = aws(account);
        let mut function = function(&aws).await;
        let limit = Duration::from_secs(2);
        let outcome = function.invoke_within("{}", limit).await;
        assert_eq!(outcome.error_type().unwrap(), "Timeout");
        assert!(outcome.after < limit, "{:?}", outcome.after);
        assert!(outcome.after > limit / 2, "{:?}", outcome.after);
        let lines = function.stop().await.lines();
        assert_eq!(lines[0]["phase"], phase);
    }
}

#[tokio::test]
async fn a_response_over_6_mb_is_an_error() {
    let account = Account::new().numbered_buckets(&"x".repeat(50), 110_000);
    let aws = aws(account);
    let outcome = function(&aws).await.invoke("{}").await;
    assert_eq!(outcome.error_type().unwrap(), "ResponseTooLarge");
    let message = outcome.error_message().unwrap();
    assert!(message.contains("110000 buckets"), "{message}");
    assert!(message.contains("at most 6291556"), "{message}");
}

#[tokio::test]
async fn a_response_just_under_6_mb_is_sent() {
    let account = Account::new().numbered_buckets(&"x".repeat(50), 100_000);
    let aws = aws(account);
    let outcome = function(&aws).await.invoke("{}").await;
    assert_eq!(outcome.kind, OutcomeKind::Response);
    assert!(outcome.text.len() > 6_000_000, "{}", outcome.text.len());
}

#[tokio::test]
async fn one_init_error_has_every_problem_of_the_configuration() {
    let mut function = Setup::new("http://127.0.0.1:9")
        .with("TARGET_ACCOUNT_ID", "12345678901")
        .without("S3_READ_ROLE")
        .with("LOG_LEVEL", "loud")
        .without("AWS_REGION")
        .start()
        .await;
    let outcome = function.outcome().await;
    assert_eq!(outcome.kind, OutcomeKind::InitError);
    assert_eq!(outcome.error_type().unwrap(), "InvalidConfiguration");
    assert_eq!(
        outcome.error_type_header.as_deref(),
        Some("InvalidConfiguration")
    );
    assert!(outcome.json()["stackTrace"].as_array().unwrap().is_empty());
    let message = outcome.error_message().unwrap();
    for part in [
        "TARGET_ACCOUNT_ID",
        "`012345678901`",
        "S3_READ_ROLE is not set",
        "LOG_LEVEL",
        "AWS_REGION is not set",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    let (status, log) = function.ended().await;
    assert!(!status.success());
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{}", log.out);
    assert_eq!(lines[0]["errorType"], "InvalidConfiguration");
    assert_eq!(lines[0]["level"], "ERROR");
}

#[tokio::test]
async fn missing_variables_of_lambda_are_reported_by_name() {
    let mut function = Setup::new("http://127.0.0.1:9")
        .without("AWS_LAMBDA_FUNCTION_NAME")
        .with("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much")
        .start()
        .await;
    let outcome = function.outcome().await;
    assert_eq!(outcome.kind, OutcomeKind::InitError);
    assert_eq!(outcome.error_type().unwrap(), "InvalidConfiguration");
    let message = outcome.error_message().unwrap();
    for part in [
        "environment variable AWS_LAMBDA_FUNCTION_NAME is not set",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE: size `much`",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    let (status, log) = function.ended().await;
    assert!(!status.success());
    assert_eq!(log.lines().len(), 1, "{}", log.out);
}

#[tokio::test]
async fn a_runtime_api_without_events_is_an_error_and_not_a_panic() {
    let aws = aws(Account::new());
    let mut function = Setup::new(&aws.endpoint()).without_events().start().await;
    let outcome = function.outcome().await;
    assert_eq!(outcome.kind, OutcomeKind::InitError);
    assert_eq!(outcome.error_type().unwrap(), "RuntimeStopped");
    let message = outcome.error_message().unwrap();
    assert!(
        message.contains("runtime API returned no event"),
        "{message}"
    );
    let (status, log) = function.ended().await;
    assert_eq!(status.code(), Some(1));
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{}", log.out);
    assert_eq!(lines[0]["errorType"], "RuntimeStopped");
}

#[tokio::test]
async fn a_proxy_is_reported_at_the_start() {
    let aws = aws(Account::new().buckets(1));
    let mut function = Setup::new(&aws.endpoint())
        .with("HTTPS_PROXY", "http://127.0.0.1:9")
        .start()
        .await;
    assert_eq!(function.invoke("{}").await.kind, OutcomeKind::Response);
    let lines = function.stop().await.lines();
    let line = &lines[0];
    assert_eq!(line["level"], "WARN");
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("HTTPS_PROXY is set"), "{message}");
}

#[tokio::test]
async fn an_endpoint_without_tls_is_rejected_at_the_start() {
    let mut function = Setup::new("http://127.0.0.1:9")
        .with("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
        .start()
        .await;
    let outcome = function.outcome().await;
    assert_eq!(outcome.error_type().unwrap(), "InvalidConfiguration");
    let message = outcome.error_message().unwrap();
    for part in ["AWS_ENDPOINT_URL_STS", "has no TLS", "ALLOW_HTTP_ENDPOINT"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[tokio::test]
async fn an_unread_log_does_not_block_invocations() {
    let aws = aws(Account::new().buckets(1));
    let mut function = Setup::new(&aws.endpoint())
        // A few invocations fill a pipe of 64 KB.
        .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
        .unread()
        .start()
        .await;
    for _ in 0..10 {
        let outcome = function.invoke("{}").await;
        assert_eq!(outcome.kind, OutcomeKind::Response, "{}", outcome.text);
    }
}

#[tokio::test]
async fn the_level_that_lambda_sets_wins() {
    let aws = aws(Account::new().buckets(1));
    let mut quiet = Setup::new(&aws.endpoint())
        .with("LOG_LEVEL", "error")
        .start()
        .await;
    quiet.invoke("{}").await;
    let log = quiet.stop().await;
    assert!(log.lines().is_empty(), "{}", log.out);
    assert_eq!(log.metrics().len(), 1, "metrics ignore the log level");

    let mut loud = Setup::new(&aws.endpoint())
        .with("LOG_LEVEL", "error")
        .with("AWS_LAMBDA_LOG_LEVEL", "DEBUG")
        .start()
        .await;
    loud.invoke("{}").await;
    let lines = loud.stop().await.lines();
    assert!(
        lines.iter().any(|line| line["level"] == "DEBUG"),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line["message"] == "listed"));
}

#[tokio::test]
async fn an_error_has_its_request_id_at_any_level() {
    let aws = aws(Account::new().always_on_assume(Fault::Denied));
    let mut function = Setup::new(&aws.endpoint())
        .with("AWS_LAMBDA_LOG_LEVEL", "ERROR")
        .start()
        .await;
    function.invoke("{}").await;
    let lines = function.stop().await.lines();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["requestId"], "request-1");
}

#[tokio::test]
async fn a_text_log_if_lambda_requests_text() {
    let aws = aws(Account::new().buckets(1));
    let mut function = Setup::new(&aws.endpoint())
        .with("AWS_LAMBDA_LOG_FORMAT", "Text")
        .start()
        .await;
    function.invoke("{}").await;
    let log = function.stop().await;
    assert!(
        log.out
            .contains(" INFO handler::function: \"listed\" account="),
        "{}",
        log.out
    );
    assert!(log.out.contains("requestId=\"request-1\""), "{}", log.out);
}

#[tokio::test]
async fn no_secret_is_logged_at_the_finest_level() {
    for account in [
        Account::new().buckets(2),
        Account::new().always_on_assume(Fault::Denied),
        Account::new().always_on_assume(Fault::Truncated),
        Account::new().always_on_list(Fault::Denied),
        Account::new().always_on_list(Fault::Garbage),
    ] {
        let aws = aws(account);
        let mut function = Setup::new(&aws.endpoint())
            .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            // The SDK's switches for verbose logs.
            .with("LOG_SENSITIVE_BODIES", "true")
            .with("LOG_SIGNABLE_BODY", "true")
            .start()
            .await;
        let limit = Duration::from_secs(8);
        function.invoke_within("{}", limit).await;
        function.invoke_within("{}", limit).await;
        let log = function.stop().await;
        assert!(log.lines().len() > 10, "{}", log.out);
    }
}
