//! The memory of the function's process, and the number of pages that it requests from S3.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail anywhere"
)]

mod support;

use std::time::{Duration, Instant};

use fake_aws::{Account, FakeAws, Fault};
use runtime_api::Outcome;
use serde_json::{Value, json};
use support::{Function, Setup};

const MB: usize = 1024 * 1024;

/// The timeout of an invocation: an unoptimised function on a busy machine is slow.
const LIMIT: Duration = Duration::from_mins(2);

/// A function with `megabytes` of memory that lists `count` accounts, 64 at a time.
async fn crowd(fake: &FakeAws, count: usize, megabytes: usize) -> Function {
    let targets: Vec<Value> = (0..count)
        .map(|number| json!({"accountId": format!("{number:012}"), "role": "MyS3ReadRole"}))
        .collect();
    let file = json!({"version": 1, "concurrency": 64, "targets": targets});
    Setup::many(&fake.endpoint(), &file.to_string())
        .with("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &megabytes.to_string())
        .start()
        .await
}

fn same_accounts(account: Account) -> FakeAws {
    FakeAws::builder().every_account(account).start().unwrap()
}

fn body(outcome: &Outcome) -> Value {
    let response = outcome.json();
    let body = response["body"].as_str();
    serde_json::from_str(body.unwrap_or_else(|| panic!("{}", outcome.text))).unwrap()
}

/// The number of accounts and buckets that at most `max` invocations list, each continuing the previous one.
async fn invoke_up_to(function: &mut Function, max: usize) -> (usize, usize) {
    let (mut accounts, mut buckets) = (0, 0);
    let mut event = json!({});
    for _ in 0..max {
        let body = body(&function.invoke_within(&event.to_string(), LIMIT).await);
        let number = |key: &str| usize::try_from(body["summary"][key].as_u64().unwrap()).unwrap();
        assert_eq!(number("failed"), 0, "{body}");
        accounts += number("ok");
        buckets += number("buckets");
        match body["resume"].as_str() {
            Some(token) => event = json!({"resume": token}),
            None => break,
        }
    }
    (accounts, buckets)
}

#[tokio::test]
async fn accounts_with_20_000_buckets_are_listed_in_128_mb_and_hardly_any_twice() {
    let fake = same_accounts(Account::new().buckets(20_000));
    let mut function = crowd(&fake, 200, 128).await;
    assert_eq!(invoke_up_to(&mut function, 100).await, (200, 4_000_000));
    let pages = fake.counts().list;
    assert!(
        (400..=480).contains(&pages),
        "{pages} pages, 400 are needed"
    );
    let peak = function.peak_memory() / MB;
    assert!(peak < 128, "{peak} MB");
    println!("{pages} pages, {peak} MB");
}

#[tokio::test]
async fn accounts_with_90_000_buckets_take_less_than_200_mb() {
    let fake = same_accounts(Account::new().buckets(90_000));
    let mut function = crowd(&fake, 64, 256).await;
    let (accounts, _) = invoke_up_to(&mut function, 3).await;
    assert!(accounts >= 9, "{accounts}");
    let peak = function.peak_memory() / MB;
    assert!(peak < 200, "{peak} MB");
    println!(
        "{accounts} accounts, {} pages, {peak} MB",
        fake.counts().list
    );
}

#[tokio::test]
async fn an_account_is_listed_until_it_is_certainly_too_large() {
    for (name_length, count, pages) in [(50, 400_000, 13), (13, 1_000_000, 49)] {
        let prefix = "b".repeat(name_length - 6);
        let fake = same_accounts(Account::new().numbered_buckets(&prefix, count));
        let mut function = Setup::new(&fake.endpoint()).start().await;
        let outcome = function.invoke_within("{}", LIMIT).await;
        assert_eq!(outcome.error_type().unwrap(), "ResponseTooLarge");
        assert_eq!(fake.counts().list, pages, "{count}");
        let peak = function.peak_memory() / MB;
        assert!(peak < 100, "{peak} MB");
        println!("{count}: {pages} pages, {peak} MB");
    }
}

#[tokio::test]
async fn a_response_of_400_mb_is_not_read() {
    let padded = Fault::Padded(400 * MB);
    let of_s3 = || Account::new().buckets(3).always_on_list(padded.clone());
    let of_sts = Account::new().always_on_assume(Fault::Padded(2 * MB));
    let fake = FakeAws::builder()
        .every_account(of_s3())
        .account(support::TARGET, of_sts)
        .start()
        .unwrap();

    let started = Instant::now();
    let mut function = Setup::new(&fake.endpoint()).start().await;
    let outcome = function.invoke_within("{}", LIMIT).await;
    assert_eq!(outcome.error_type().unwrap(), "InvalidResponse");
    let message = outcome.error_message().unwrap();
    assert!(
        message.contains("it is longer than 1048576 bytes"),
        "{message}"
    );

    fake.set_account(support::TARGET, of_s3());
    let outcome = function.invoke_within("{}", LIMIT).await;
    assert_eq!(outcome.error_type().unwrap(), "InvalidResponse");
    let message = outcome.error_message().unwrap();
    assert!(
        message.contains("it is longer than 8388608 bytes"),
        "{message}"
    );
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    let peak = function.peak_memory() / MB;
    assert!(peak < 64, "{peak} MB");
    println!("{peak} MB");

    // Nor do 64 accounts at a time exceed the memory.
    let mut function = crowd(&fake, 64, 128).await;
    let outcome = function.invoke_within("{}", LIMIT).await;
    assert_eq!(outcome.error_type().unwrap(), "AllTargetsFailed");
    let peak = function.peak_memory() / MB;
    assert!(peak < 128, "{peak} MB");
    println!("{peak} MB");
}
