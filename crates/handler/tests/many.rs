//! The function of a stage with many accounts, run as Lambda runs it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail anywhere"
)]

mod support;

use std::{collections::BTreeMap, time::Duration};

use contract::ActionSpec;
use fake_aws::{Account, Action, FakeAws, Fault, Organization};
use runtime_api::{Outcome, OutcomeKind};
use serde_json::{Value, json};
use support::{Function, Setup};

const A: &str = "333333333333";
const B: &str = "222222222222";
const C: &str = "444444444444";

/// A `targets.json` with these accounts in this order, each with a name.
fn targets(accounts: &[&str]) -> String {
    let targets: Vec<Value> = accounts
        .iter()
        .map(|account| json!({"accountId": account, "name": format!("Team {}", &account[..1]), "role": "MyS3ReadRole"}))
        .collect();
    json!({"version": 1, "concurrency": 8, "targets": targets}).to_string()
}

fn id(number: usize) -> String {
    format!("{:012}", 900_000_000_000 - number)
}

/// A `targets.json` with `count` accounts, in descending order and without names.
fn crowd(count: usize) -> String {
    let targets: Vec<Value> = (0..count)
        .map(|number| json!({"accountId": id(number), "role": "MyS3ReadRole"}))
        .collect();
    json!({"version": 1, "concurrency": 64, "targets": targets}).to_string()
}

/// Three accounts. The second denies `AssumeRole`.
fn three() -> FakeAws {
    FakeAws::builder()
        .account(
            A,
            Account::new()
                .named_buckets(["logs-a", "data-a"])
                .assume_latency(Duration::from_millis(150)),
        )
        .account(B, Account::new().always_on_assume(Fault::Denied))
        .account(C, Account::new().named_buckets(["logs-c"]))
        .start()
        .unwrap()
}

async fn function(aws: &FakeAws) -> Function {
    Setup::many(&aws.endpoint(), &targets(&[A, B, C]))
        .start()
        .await
}

/// The body of a response with this status. Checks that the response is within Lambda's limit.
fn body(outcome: &Outcome, status: u16) -> Value {
    assert_eq!(outcome.kind, OutcomeKind::Response, "{}", outcome.text);
    assert!(outcome.text.len() <= 6_291_556, "{}", outcome.text.len());
    let response = outcome.json();
    assert_eq!(response["statusCode"], status, "{}", outcome.text);
    serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
}

fn invalid(outcome: &Outcome) -> String {
    assert_eq!(outcome.kind, OutcomeKind::Error, "{}", outcome.text);
    assert_eq!(
        outcome.error_type().unwrap(),
        "InvalidEvent",
        "{}",
        outcome.text
    );
    outcome.error_message().unwrap()
}

/// The accounts of a body: ID, status and buckets.
fn accounts(body: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                text(&entry["accountId"]),
                text(&entry["status"]),
                entry["buckets"].clone(),
            )
        })
        .collect()
}

fn account(id: &str, status: &str, buckets: Value) -> (String, String, Value) {
    (id.to_owned(), status.to_owned(), buckets)
}

/// Invokes the function until there is no resume token. Returns each account that was not skipped, and the number of
/// invocations. Checks that no account occurs twice.
async fn invoke_all(
    function: &mut Function,
    event: &str,
    limit: Duration,
) -> (BTreeMap<String, Value>, usize) {
    let mut all = BTreeMap::new();
    let mut event = event.to_owned();
    for invocations in 1..1_000 {
        let outcome = function.invoke_within(&event, limit).await;
        let status = if outcome.json()["statusCode"] == 200 {
            200
        } else {
            207
        };
        let body = body(&outcome, status);
        let entries = body["accounts"].as_array().unwrap();
        for entry in entries {
            if entry["status"] != "skipped" {
                let id = entry["accountId"].as_str().unwrap().to_owned();
                assert!(all.insert(id, entry.clone()).is_none(), "twice: {entry}");
            }
        }
        let skipped = entries.iter().any(|entry| entry["status"] == "skipped");
        assert_eq!(skipped, body["resume"].is_string());
        match body["resume"].as_str() {
            Some(token) => event = json!({"resume": token}).to_string(),
            None => return (all, invocations),
        }
    }
    panic!("there is always another resume token");
}

#[tokio::test]
async fn a_denial_names_the_kind_of_policy_if_aws_does() {
    const D: &str = "555555555555";
    let by_control_policy = Fault::Error {
        status: 403,
        code: "AccessDenied",
        message: "User: arn:aws:sts::111111111111:assumed-role/MyLambdaExecutionRole/list is not authorized to perform: \
                  sts:AssumeRole on resource: arn:aws:iam::333333333333:role/MyS3ReadRole with an explicit deny in a service \
                  control policy",
    };
    let aws = FakeAws::builder()
        .account(A, Account::new().always_on_assume(by_control_policy))
        .account(B, Account::new().always_on_assume(Fault::Denied))
        .account(C, Account::new().always_on_list(Fault::Denied))
        .account(D, Account::new().buckets(1))
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &targets(&[A, B, C, D]))
        .start()
        .await;
    let body = body(&function.invoke("{}").await, 207);
    let log = function.stop().await;
    for (index, (account, expected)) in [
        (A, Some("service-control-policy")),
        // The message of STS names none.
        (B, None),
        (C, Some("identity-policy")),
        (D, None),
    ]
    .into_iter()
    .enumerate()
    {
        let entry = &body["accounts"][index];
        assert_eq!(entry["accountId"], account);
        let denied_by = entry.get("deniedBy").map(|value| value.as_str().unwrap());
        assert_eq!(denied_by, expected, "{entry}");
        let lines = log.lines();
        let line = lines.iter().find(|line| line["account"] == account);
        let denied_by = line.and_then(|line| line.get("deniedBy"));
        assert_eq!(denied_by.map(|value| value.as_str().unwrap()), expected);
    }
    let hint = body["accounts"][0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("an explicit deny in a service control policy"),
        "{hint}"
    );
}

#[tokio::test]
async fn one_of_three_is_denied() {
    let aws = three();
    let mut function = function(&aws).await;
    let body = body(&function.invoke("{}").await, 207);
    assert_eq!(body["complete"], false);
    assert_eq!(
        body["summary"],
        json!({"targets": 3, "ok": 2, "failed": 1, "skipped": 0, "buckets": 3})
    );
    assert_eq!(body.get("resume"), None);
    assert_eq!(
        accounts(&body),
        [
            account(A, "ok", json!(["logs-a", "data-a"])),
            account(B, "failed", Value::Null),
            account(C, "ok", json!(["logs-c"])),
        ],
        "in configured order, not in the order of completion"
    );
    let keys = |index: usize| -> Vec<String> {
        let entry = body["accounts"][index].as_object().unwrap();
        entry.keys().cloned().collect()
    };
    assert_eq!(
        keys(0),
        ["accountId", "buckets", "durationMs", "name", "status"]
    );
    assert_eq!(keys(0)[1], ActionSpec::S3_BUCKETS.items_key);
    assert_eq!(
        keys(1),
        [
            "accountId",
            "code",
            "durationMs",
            "errorType",
            "hint",
            "message",
            "name",
            "phase",
            "requestId",
            "retryable",
            "status"
        ]
    );
    let failed = &body["accounts"][1];
    assert_eq!(failed["name"], "Team 2");
    assert_eq!(failed["phase"], "assume");
    assert_eq!(failed["code"], "AccessDenied");
    assert_eq!(failed["errorType"], "AssumeRoleDenied");
    assert_eq!(failed["requestId"], "sts-222222222222-1");
    assert_eq!(failed["retryable"], false);
    assert!(failed["durationMs"].as_f64().unwrap() > 0.0);
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.contains("arn:aws:iam::222222222222:role/MyS3ReadRole"),
        "{message}"
    );
    let hint = failed["hint"].as_str().unwrap();
    assert!(hint.contains("trust policy"), "{hint}");

    let log = function.stop().await;
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let line = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    for (key, value) in [
        ("requestId", "request-1"),
        ("errorType", "AssumeRoleDenied"),
        ("account", B),
        ("targetName", "Team 2"),
        ("phase", "assume"),
        ("code", "AccessDenied"),
        ("serviceRequestId", "sts-222222222222-1"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    assert_eq!(line["retryable"], false);
    assert!(
        line["hint"].is_string() && line["durationMs"].is_number(),
        "{line}"
    );
    let line = log.line("listed");
    assert_eq!(line["level"], "INFO");
    for (key, value) in [
        ("targets", 3),
        ("ok", 2),
        ("failed", 1),
        ("skipped", 0),
        ("buckets", 3),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
}

#[tokio::test]
async fn every_account_listed_is_a_200() {
    let aws = three();
    aws.set_account(B, Account::new());
    let mut function = function(&aws).await;
    let body = body(&function.invoke("").await, 200);
    assert_eq!(body["complete"], true);
    assert_eq!(body["accounts"][1]["buckets"], json!([]));

    aws.reset_counts();
    function.invoke("{}").await;
    let counts = aws.counts();
    assert_eq!((counts.assume, counts.list), (0, 3), "sessions are cached");
}

#[tokio::test]
async fn a_line_of_metrics_for_each_invocation() {
    let aws = three();
    let mut function = Setup::many(&aws.endpoint(), &targets(&[A, B, C]))
        .with("AWS_LAMBDA_LOG_LEVEL", "ERROR")
        .start()
        .await;
    function.invoke("{}").await;
    function.invoke("{}").await;
    function.invoke(r#"{"accounts": 1}"#).await;
    function.invoke(r#"{"accounts": ["222222222222"]}"#).await;
    let metrics = function.stop().await.metrics();
    assert_eq!(metrics.len(), 4);
    for line in &metrics {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "CrossAccountS3");
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        assert_eq!(line["FunctionName"], "list");
        let timestamp = line["_aws"]["Timestamp"].as_u64().unwrap();
        assert!(timestamp > 1_700_000_000_000, "in milliseconds");
        let names: Vec<&str> = directive["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "Targets", "Ok", "Failed", "Skipped", "Buckets", "AssumeMs", "ListMs"
            ]
        );
        for name in names {
            assert!(line[name].is_number(), "{line}");
        }
    }
    let counts = |line: &Value| {
        ["Targets", "Ok", "Failed", "Skipped", "Buckets"].map(|name| line[name].as_u64().unwrap())
    };
    assert_eq!(counts(&metrics[0]), [3, 2, 1, 0, 3]);
    assert_eq!(counts(&metrics[2]), [0; 5], "an invalid event");
    assert_eq!(counts(&metrics[3]), [1, 0, 1, 0, 0]);
    assert!(metrics[0]["AssumeMs"].as_f64().unwrap() > 150.0);
    assert_eq!(metrics[1]["AssumeMs"], 0.0, "from the cache");
    assert!(metrics[1]["ListMs"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn all_failing_is_an_error_that_groups_the_causes() {
    let aws = FakeAws::builder()
        .account(A, Account::new().always_on_assume(Fault::Denied))
        .account(B, Account::new().always_on_list(Fault::Denied))
        .account(C, Account::new().always_on_assume(Fault::Denied))
        .start()
        .unwrap();
    let mut function = function(&aws).await;
    let outcome = function.invoke("{}").await;
    assert_eq!(outcome.kind, OutcomeKind::Error);
    assert_eq!(outcome.error_type().unwrap(), "AllTargetsFailed");
    let message = outcome.error_message().unwrap();
    let at = |part: &str| {
        message
            .find(part)
            .unwrap_or_else(|| panic!("{part} is not in: {message}"))
    };
    assert_eq!(at("Failed to list any of 3 accounts:"), 0);
    assert!(
        at("\n- assume: AccessDenied (333333333333, 444444444444): ")
            < at("\n- list: AccessDenied (222222222222): ")
    );
    assert_eq!(message.matches("\nhint: ").count(), 2, "{message}");

    let lines = function.stop().await.lines();
    let errors: Vec<&Value> = lines
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 4, "{lines:#?}");
    assert_eq!(errors[3]["errorType"], "AllTargetsFailed");
}

#[tokio::test]
async fn an_error_of_thousands_of_accounts_is_short() {
    let aws = FakeAws::builder()
        .every_account(Account::new().always_on_assume(Fault::Denied))
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &crowd(1_000)).start().await;
    let outcome = function.invoke_within("{}", Duration::from_mins(1)).await;
    assert_eq!(outcome.error_type().unwrap(), "AllTargetsFailed");
    let message = outcome.error_message().unwrap();
    assert!(message.contains(" and 995 more): "), "{message}");
    assert!(message.len() < 3_000, "{message}");
}

#[tokio::test]
async fn the_pages_before_a_failure_are_kept() {
    let aws = three();
    let half = Account::new()
        .buckets(30)
        .page_cap(20)
        .on_list([Fault::None])
        .always_on_list(Fault::Denied);
    aws.set_account(B, half);
    let body = body(&function(&aws).await.invoke("{}").await, 207);
    let entry = &body["accounts"][1];
    assert_eq!(entry["status"], "failed");
    assert_eq!(entry["partial"], true);
    assert_eq!(entry["phase"], "list");
    assert_eq!(entry["buckets"].as_array().unwrap().len(), 20);
    assert_eq!(body["summary"]["buckets"], 23);
    assert_eq!(body["accounts"][0].get("partial"), None);
}

#[tokio::test]
async fn an_event_filters_accounts_and_buckets() {
    let aws = three();
    let mut function = function(&aws).await;
    let event = json!({"accounts": [C, A, C], "prefix": "logs-", "detail": true, "other": [1]});
    let body_of = body(&function.invoke(&event.to_string()).await, 200);
    assert_eq!(body_of["summary"]["targets"], 2);
    let detail =
        |name: &str| body_of["accounts"][usize::from(name == "logs-c")]["buckets"][0].clone();
    for name in ["logs-a", "logs-c"] {
        let bucket = detail(name);
        assert_eq!(bucket["name"], name);
        assert!(bucket["region"].is_string(), "{bucket}");
        let created = bucket["created"].as_str().unwrap();
        assert!(
            created.len() >= 20 && created.ends_with('Z') && created.contains('T'),
            "{created}"
        );
    }
    assert_eq!(
        accounts(&body_of)
            .into_iter()
            .map(|(id, _, _)| id)
            .collect::<Vec<_>>(),
        [A, C],
        "in configured order, each once"
    );
    let listed: Vec<_> = aws
        .requests()
        .into_iter()
        .filter(|request| request.action != Action::AssumeRole)
        .collect();
    assert!(
        listed
            .iter()
            .all(|request| request.parameter("prefix") == Some("logs-")),
        "{listed:#?}"
    );

    let body_of = body(
        &function
            .invoke(r#"{"prefix": "", "detail": null, "accounts": null, "resume": null}"#)
            .await,
        207,
    );
    assert_eq!(body_of["summary"]["buckets"], 3);
    let body_of = body(&function.invoke(r#"{"prefix": "none-"}"#).await, 207);
    assert_eq!(body_of["accounts"][0]["buckets"], json!([]));
}

#[tokio::test]
async fn an_event_never_adds_an_account() {
    let aws = three();
    let mut function = function(&aws).await;
    for (event, parts) in [
        (
            json!({"accounts": ["999999999999"]}),
            &["account 999999999999", "is not in this stage"][..],
        ),
        (
            json!({"accounts": [A, "999999999999", "888888888888"]}),
            &["888888888888, 999999999999"][..],
        ),
    ] {
        let message = invalid(&function.invoke(&event.to_string()).await);
        for part in parts {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
    assert_eq!(aws.counts().assume, 0);
    let event =
        json!({"role": "Admin", "targets": [{"accountId": "999999999999"}], "organization": {}});
    let body = body(&function.invoke(&event.to_string()).await, 207);
    assert_eq!(body["summary"]["targets"], 3);
    assert!(
        aws.requests()
            .iter()
            .all(|request| request.account != "999999999999")
    );
}

#[tokio::test]
async fn a_known_key_with_an_invalid_value_is_an_error() {
    let aws = three();
    let mut function = function(&aws).await;
    for (event, parts) in [
        (
            r#"{"accounts": "222222222222"}"#,
            &["`accounts`: expected a list of account IDs, got a string"][..],
        ),
        (
            r#"{"accounts": {}}"#,
            &["`accounts`: expected a list of account IDs, got an object"],
        ),
        (
            r#"{"accounts": []}"#,
            &["`accounts` is empty", "hint: omit the key"],
        ),
        (
            r#"{"accounts": [222222222222]}"#,
            &["`accounts[0]`: expected an account ID in quotes, got a number"],
        ),
        (
            r#"{"accounts": ["222222222222", "12345678901"]}"#,
            &[
                "`accounts[1]`: account ID `12345678901`",
                "hint: did you mean `012345678901`?",
            ],
        ),
        (
            r#"{"detail": "true"}"#,
            &["`detail`: expected a boolean, got a string"],
        ),
        (
            r#"{"detail": {}}"#,
            &["`detail`: expected a boolean, got an object"],
        ),
        (
            r#"{"detail": 1}"#,
            &["`detail`: expected a boolean, got a number"],
        ),
        (
            r#"{"prefix": ["logs-"]}"#,
            &["`prefix`: expected a string, got a list"],
        ),
        (
            r#"{"prefix": "logs*"}"#,
            &["bucket prefix `logs*` contains `*`"],
        ),
        (
            r#"{"prefix": true}"#,
            &["`prefix`: expected a string, got a boolean"],
        ),
        (
            r#"{"resume": 5}"#,
            &["`resume`: expected a string, got a number"],
        ),
        (
            r#"{"resume": ""}"#,
            &["`resume` is not a token of this function", "hint: "],
        ),
        (
            r#"{"resume": "bm90IGpzb24="}"#,
            &["`resume` is not a token"],
        ),
        (
            r#"{"accounts": ["222222222222"], "accounts": ["333333333333"]}"#,
            &["duplicate key `accounts`"],
        ),
        (
            r#"{"\ud800": 1, "accounts": 1, "detail": 2, "prefix": 3, "resume": 4}"#,
            &["- `accounts`", "- `detail`", "- `prefix`", "- `resume`"],
        ),
        (
            r#"{"detail-type": "x", "source": 1, "detail": {}}"#,
            &["`detail`: expected a boolean, got an object"],
        ),
    ] {
        let message = invalid(&function.invoke(event).await);
        for part in parts {
            assert!(
                message.contains(part),
                "{event}: {part} is not in: {message}"
            );
        }
    }
    assert_eq!(aws.counts().assume, 0);
    let lines = function.stop().await.lines();
    assert!(
        lines
            .iter()
            .all(|line| line["errorType"] == "InvalidEvent" && line["level"] == "ERROR")
    );
}

#[tokio::test]
async fn events_of_other_services_list_every_account() {
    let aws = three();
    let mut function = function(&aws).await;
    for event in [
        "null",
        "[]",
        "\"text\"",
        "42",
        r#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#,
        // An EventBridge rule and EventBridge Scheduler.
        r#"{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","account":"111111111111","time":"2026-11-22T00:00:00Z","region":"us-east-1","resources":[],"detail":{}}"#,
        r#"{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.scheduler","account":"111111111111","time":"2026-11-22T00:00:00Z","region":"us-east-1","resources":[],"detail":"{}"}"#,
        r#"{"resource": "/", "path": "/", "httpMethod": "GET", "headers": null, "body": null}"#,
    ] {
        let body = body(&function.invoke(event).await, 207);
        assert_eq!(body["summary"]["targets"], 3, "{event}");
    }
}

#[tokio::test]
async fn a_large_event_is_parsed_quickly() {
    let aws = three();
    let mut function = function(&aws).await;
    function.invoke("{}").await;
    let accounts: Vec<&str> = std::iter::repeat_n(A, 400_000).collect();
    let event = json!({"accounts": accounts}).to_string();
    assert!(event.len() > 5_900_000);
    let outcome = function.invoke(&event).await;
    assert_eq!(body(&outcome, 200)["summary"]["targets"], 1);
    let wrong = event.replace(A, "33333333333x");
    let message = invalid(&function.invoke(&wrong).await);
    assert!(message.contains("\n- and 399990 more"), "{message}");
}

/// An account that takes `size` kilobytes of the response. The bucket names are long, because many buckets take long to
/// list.
fn kilobytes(size: usize) -> Account {
    Account::new().numbered_buckets(&"x".repeat(990), size)
}

/// Each account takes about 2.5 MB of the response.
fn large() -> FakeAws {
    FakeAws::builder()
        .every_account(kilobytes(2_500))
        .start()
        .unwrap()
}

#[tokio::test]
async fn full_responses_continue_until_every_account_is_listed() {
    let aws = large();
    let mut function = Setup::many(&aws.endpoint(), &crowd(5)).start().await;
    let limit = Duration::from_mins(2);
    let outcome = function.invoke_within("{}", limit).await;
    let body = body(&outcome, 207);
    assert_eq!(
        body["summary"],
        json!({"targets": 5, "ok": 2, "failed": 0, "skipped": 3, "buckets": 5_000})
    );
    for index in 2..5 {
        let expected =
            json!({"accountId": id(index), "status": "skipped", "reason": "response-full"});
        assert_eq!(body["accounts"][index], expected);
    }
    let token = body["resume"].as_str().unwrap();
    assert!(token.len() < 150, "{token}");

    // The token carries the filter, and the event may repeat it.
    let filtered = json!({"accounts": [id(0), id(4), id(2)], "detail": false});
    let (all, invocations) = invoke_all(&mut function, &filtered.to_string(), limit).await;
    assert_eq!((all.len(), invocations), (3, 2));
    assert!(all.values().all(|entry| entry["status"] == "ok"));

    let again = json!({"resume": token, "detail": false, "prefix": ""});
    let body = body_of_ids(&function.invoke_within(&again.to_string(), limit).await);
    assert_eq!(body, [id(2), id(3), id(4)]);
    for other in [
        json!({"resume": token, "detail": true}),
        json!({"resume": token, "prefix": "a"}),
        json!({"resume": token, "accounts": [id(2)]}),
    ] {
        let message = invalid(&function.invoke(&other.to_string()).await);
        assert!(
            message.contains("differs from the invocation that `resume` continues"),
            "{message}"
        );
    }
}

fn body_of_ids(outcome: &Outcome) -> Vec<String> {
    accounts(&body(outcome, 207))
        .into_iter()
        .map(|(id, _, _)| id)
        .collect()
}

#[tokio::test]
async fn a_token_carries_detail_and_prefix() {
    let aws = large();
    let mut function = Setup::many(&aws.endpoint(), &crowd(3)).start().await;
    let event = json!({"detail": true, "prefix": "xx"});
    let (all, invocations) =
        invoke_all(&mut function, &event.to_string(), Duration::from_mins(2)).await;
    assert_eq!((all.len(), invocations), (3, 2));
    for entry in all.values() {
        assert!(entry["buckets"][0]["created"].is_string());
        assert_eq!(entry["buckets"].as_array().unwrap().len(), 2_500);
    }
    let listed: Vec<_> = aws
        .requests()
        .into_iter()
        .filter(|request| request.action != Action::AssumeRole)
        .collect();
    assert!(
        listed
            .iter()
            .all(|request| request.parameter("prefix") == Some("xx"))
    );
}

#[tokio::test]
async fn invocations_that_end_before_the_deadline_reach_every_account() {
    let aws = FakeAws::builder()
        .every_account(
            Account::new()
                .buckets(1)
                .list_latency(Duration::from_millis(40)),
        )
        .account(id(7), Account::new().always_on_assume(Fault::Denied))
        .account(id(199), Account::new().always_on_assume(Fault::Denied))
        .start()
        .unwrap();
    let file = crowd(200).replace("\"concurrency\":64", "\"concurrency\":2");
    let mut function = Setup::many(&aws.endpoint(), &file).start().await;
    let limit = Duration::from_millis(1_500);
    let outcome = function.invoke_within("{}", limit).await;
    assert!(outcome.after < limit, "{:?}", outcome.after);
    let first = body(&outcome, 207);
    let last = &first["accounts"][199];
    assert_eq!(
        last,
        &json!({"accountId": id(199), "status": "skipped", "reason": "deadline"})
    );

    let (all, invocations) = invoke_all(&mut function, "{}", limit).await;
    assert_eq!(all.len(), 200);
    assert!(invocations > 1);
    for (account, entry) in &all {
        let denied = *account == id(7) || *account == id(199);
        let expected = if denied { "failed" } else { "ok" };
        assert_eq!(entry["status"], expected, "{entry}");
    }
}

#[tokio::test]
async fn the_last_invocation_succeeds_although_all_its_accounts_fail() {
    let aws = large();
    let mut function = Setup::many(&aws.endpoint(), &crowd(3)).start().await;
    let limit = Duration::from_mins(1);
    let first = body(&function.invoke_within("{}", limit).await, 207);
    assert_eq!(first["summary"]["ok"], 2, "{}", first["summary"]);
    aws.set_account(id(2), Account::new().always_on_list(Fault::Denied));
    let event = json!({"resume": first["resume"]});
    let last = body(&function.invoke(&event.to_string()).await, 207);
    let summary = json!({"targets": 1, "ok": 0, "failed": 1, "skipped": 0, "buckets": 0});
    assert_eq!(last["summary"], summary);
    assert_eq!(last.get("resume"), None);
}

#[tokio::test]
async fn an_account_too_large_for_any_response_fails_and_the_others_are_listed() {
    let aws = FakeAws::builder()
        .every_account(Account::new().buckets(1))
        .account(id(1), kilobytes(6_400))
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &crowd(3)).start().await;
    let body = body(
        &function.invoke_within("{}", Duration::from_mins(1)).await,
        207,
    );
    let entry = &body["accounts"][1];
    assert_eq!(entry["errorType"], "ResponseTooLarge");
    assert_eq!(entry["code"], "ResponseTooLarge");
    assert_eq!(
        body["summary"],
        json!({"targets": 3, "ok": 2, "failed": 1, "skipped": 0, "buckets": 2})
    );
}

#[tokio::test]
async fn a_token_of_another_function_or_for_other_accounts_is_rejected() {
    let aws = large();
    let limit = Duration::from_mins(1);
    let mut function = Setup::many(&aws.endpoint(), &crowd(5)).start().await;
    let first = body(&function.invoke_within("{}", limit).await, 207);
    let event = json!({"resume": first["resume"]}).to_string();

    let mut other = Setup::many(&aws.endpoint(), &crowd(5))
        .with("AWS_LAMBDA_FUNCTION_NAME", "other")
        .start()
        .await;
    let message = invalid(&other.invoke(&event).await);
    assert!(
        message.contains("`resume` is a token of another function, `list`"),
        "{message}"
    );

    // After a deployment that removed the next account or a previous one, and then after one that added an account at the end.
    for left in [2, 0] {
        let ids: Vec<String> = (0..5).filter(|&number| number != left).map(id).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut function = Setup::many(&aws.endpoint(), &targets(&ids)).start().await;
        let message = invalid(&function.invoke(&event).await);
        assert!(
            message.contains(&id(2)) && message.contains("start again"),
            "{message}"
        );
    }
    let mut function = Setup::many(&aws.endpoint(), &crowd(6)).start().await;
    let ids = body_of_ids(&function.invoke_within(&event, limit).await);
    assert_eq!(ids, [id(2), id(3), id(4), id(5)]);
}

#[tokio::test]
async fn one_target_in_a_file_has_the_response_for_many_accounts() {
    let aws = three();
    let mut function = Setup::many(&aws.endpoint(), &targets(&[A])).start().await;
    let body = body(&function.invoke("{}").await, 200);
    assert_eq!(body["accounts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn five_thousand_accounts_all_have_an_entry_although_few_are_reached() {
    // With 64 at a time, all accounts take half a minute on any machine.
    let slow = Account::new()
        .buckets(2)
        .list_latency(Duration::from_millis(400));
    let aws = FakeAws::builder()
        .every_account(slow)
        .without_record()
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &crowd(5_000)).start().await;
    let limit = Duration::from_secs(10);
    let outcome = function.invoke_within("{}", limit).await;
    assert!(outcome.after < limit, "{:?}", outcome.after);
    let body = body(&outcome, 207);
    let summary = &body["summary"];
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(count("targets"), 5_000);
    assert_eq!(count("ok") + count("failed") + count("skipped"), 5_000);
    assert!(count("ok") > 0 && count("skipped") > 0, "{summary}");
    let ids: Vec<String> = accounts(&body).into_iter().map(|(id, _, _)| id).collect();
    assert_eq!(ids, (0..5_000).map(id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_response_uses_the_size_that_lambda_allows() {
    let aws = FakeAws::builder()
        .every_account(kilobytes(50))
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &crowd(200)).start().await;
    let event = json!({"detail": true}).to_string();
    let outcome = function.invoke_within(&event, Duration::from_mins(2)).await;
    let body = body(&outcome, 207);
    assert_eq!(body["accounts"][199]["reason"], "response-full");
    let left = 6_291_556 - outcome.text.len();
    assert!(left < 55_000, "another account would fit into {left} bytes");
}

#[tokio::test]
async fn variables_and_a_file_of_targets_together_are_an_init_error() {
    let mut function = Setup::new("http://127.0.0.1:9")
        .with_file(&targets(&[A]).replace("MyS3ReadRole", "a role"))
        .without("AWS_REGION")
        .start()
        .await;
    let outcome = function.outcome().await;
    assert_eq!(outcome.kind, OutcomeKind::InitError);
    assert_eq!(outcome.error_type().unwrap(), "InvalidConfiguration");
    let message = outcome.error_message().unwrap();
    for part in [
        "TARGET_ACCOUNT_ID is set, but there is also a targets.json",
        "S3_READ_ROLE is set",
        "targets.json: targets[0].role",
        "AWS_REGION is not set",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[tokio::test]
async fn an_unreadable_file_of_targets_is_an_init_error() {
    let setup = Setup::many("http://127.0.0.1:9", "{").without("AWS_REGION");
    let outcome = setup.start().await.outcome().await;
    let message = outcome.error_message().unwrap();
    assert!(
        message.contains("targets.json: EOF while parsing an object")
            && message.contains("AWS_REGION"),
        "{message}"
    );

    let directory = Setup::new("http://127.0.0.1:9")
        .without("TARGET_ACCOUNT_ID")
        .without("S3_READ_ROLE")
        .with("LOG_LEVEL", "loud")
        .with_directory();
    let outcome = directory.start().await.outcome().await;
    assert_eq!(outcome.error_type().unwrap(), "InvalidConfiguration");
    let message = outcome.error_message().unwrap();
    assert!(
        message.contains("failed to read targets.json: ") && message.contains("LOG_LEVEL"),
        "{message}"
    );
    assert!(!message.contains("TARGET_ACCOUNT_ID"), "{message}");
}

const ADMIN: &str = "111111111111";

/// A `targets.json` for the unit of [`organization`] without account C.
fn unit() -> String {
    json!({"version": 1, "concurrency": 8, "organization": {
        "adminAccountId": ADMIN, "units": ["ou-ab12-00000001"], "exclude": [C], "role": "MyS3ReadRole"
    }})
    .to_string()
}

/// An organization with these accounts and a suspended one in one unit.
fn organization(accounts: &[&str]) -> Organization {
    let parent = "ou-ab12-00000001";
    accounts.iter().fold(
        Organization::new()
            .unit(parent, Organization::ROOT)
            .account_with("888888888888", parent, "Closed", "SUSPENDED"),
        |organization, id| organization.account(id, parent),
    )
}

#[tokio::test]
async fn the_accounts_of_an_organization_are_ordered_by_id() {
    let aws = FakeAws::builder()
        .organization(organization(&[C, A, ADMIN, B]))
        .every_account(Account::new().buckets(1))
        .start()
        .unwrap();
    let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
    let all = body(&function.invoke("{}").await, 200);
    let ids: Vec<String> = accounts(&all).into_iter().map(|(id, _, _)| id).collect();
    assert_eq!(ids, [ADMIN, B, A]);
    assert_eq!(all["accounts"][2]["name"], format!("Account {A}"));

    // An event can name them, but not an account that is excluded or suspended.
    let filtered = body(
        &function.invoke(&json!({"accounts": [A]}).to_string()).await,
        200,
    );
    assert_eq!(filtered["summary"]["targets"], 1);
    for (id, hint) in [(C, "`exclude`"), ("888888888888", "suspended")] {
        let message = invalid(
            &function
                .invoke(&json!({"accounts": [id]}).to_string())
                .await,
        );
        assert!(message.contains(id) && message.contains(hint), "{message}");
    }
    assert_eq!(
        aws.counts().organization,
        2,
        "the organization is cached between invocations"
    );
}

#[tokio::test]
async fn a_token_works_although_its_account_has_left_the_organization() {
    let aws = FakeAws::builder()
        .organization(organization(&[A, B, ADMIN]))
        .every_account(kilobytes(3_700))
        .start()
        .unwrap();
    let limit = Duration::from_mins(1);
    let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
    let first = body(&function.invoke_within("{}", limit).await, 207);
    assert_eq!(first["summary"]["ok"], 1);
    let event = json!({"resume": first["resume"]}).to_string();
    aws.set_organization(Some(organization(&[A, ADMIN])));
    // Another process, whose organization cache is empty.
    let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
    let last = body(&function.invoke_within(&event, limit).await, 200);
    assert_eq!(last["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(last["accounts"][0]["accountId"], A);
}

#[tokio::test]
async fn an_account_that_the_event_names_and_that_has_left_the_organization_fails() {
    let aws = FakeAws::builder()
        .organization(organization(&[A, B, ADMIN]))
        .every_account(kilobytes(3_700))
        .start()
        .unwrap();
    let limit = Duration::from_mins(1);
    let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
    let event = json!({"accounts": [ADMIN, A, B]}).to_string();
    let first = body(&function.invoke_within(&event, limit).await, 207);
    assert_eq!(first["summary"]["ok"], 1);
    aws.set_organization(Some(organization(&[A, ADMIN])));
    let before = aws.requests().len();
    let event = json!({"resume": first["resume"]}).to_string();
    let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
    let last = body(&function.invoke_within(&event, limit).await, 207);
    assert_eq!(last["complete"], false);
    let gone = &last["accounts"][0];
    assert_eq!(gone["accountId"], B);
    assert_eq!(gone["errorType"], "NotListed", "{gone}");
    assert_eq!(gone["retryable"], false);
    let message = gone["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("Failed to find account {B} in the organization: ")));
    assert_eq!(last["accounts"][1]["status"], "ok");
    let requests = aws.requests();
    assert!(
        requests[before..]
            .iter()
            .all(|request| request.account != B)
    );
}

#[tokio::test]
async fn an_unreadable_organization_is_an_error() {
    for (fault, expected) in [
        (Fault::Denied, "OrganizationDenied"),
        (Fault::Hang, "Timeout"),
    ] {
        let aws = FakeAws::builder()
            .organization(organization(&[A]).always_on_request(fault))
            .every_account(Account::new())
            .start()
            .unwrap();
        let mut function = Setup::many(&aws.endpoint(), &unit()).start().await;
        let limit = Duration::from_secs(3);
        let outcome = function.invoke_within("{}", limit).await;
        assert_eq!(outcome.error_type().unwrap(), expected);
        assert!(outcome.after < limit, "{:?}", outcome.after);
        let log = function.stop().await;
        assert_eq!(log.lines().last().unwrap()["phase"], "organization");
        assert_eq!(log.metrics()[0]["Targets"], 0);
    }
}

#[tokio::test]
async fn sessions_have_a_session_policy_unless_it_is_off() {
    for (policy, limited) in [(None, true), (Some("on"), true), (Some("off"), false)] {
        let aws = three();
        let mut setup = Setup::many(&aws.endpoint(), &targets(&[A]));
        if let Some(policy) = policy {
            setup = setup.with("SESSION_POLICY", policy);
        }
        setup.start().await.invoke("{}").await;
        let requests = aws.requests();
        assert_eq!(
            requests[0].parameter("Policy").is_some(),
            limited,
            "{policy:?}"
        );
    }
}

/// The tests' Runtime API reports that the function belongs to account 111111111111.
#[tokio::test]
async fn the_functions_own_credentials_list_only_its_own_account() {
    let aws = FakeAws::builder()
        .every_account(Account::new().buckets(1))
        .start()
        .unwrap();
    let file = r#"{"version":1,"concurrency":64,"targets":[
        {"accountId":"000000000001","role":"MyS3ReadRole"},
        {"accountId":"999999999999","access":"own"}]}"#;
    let mut function = Setup::many(&aws.endpoint(), file).start().await;
    let body = body(&function.invoke("{}").await, 207);
    let entry = &body["accounts"][1];
    assert_eq!(entry["errorType"], "WrongAccount", "{entry}");
    let message = entry["message"].as_str().unwrap();
    assert!(
        message.contains("they belong to account 111111111111"),
        "{message}"
    );
    assert_eq!(entry.get("buckets"), None);
}
