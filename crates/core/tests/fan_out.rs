//! Many targets in one call: each answered for once, in order, whatever goes wrong with some; and no further than the
//! deadline and the size of the answer allow.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{PATIENT, clients_with, target};
use contract::{Concurrency, Target};
use cross_account::{
    AccountOutcome, Clients, FailureKind, FanOutOptions, FanOutResult, Limits, Outcome, SkipReason,
    fan_out,
};
use fake_aws::{Account, Action, Builder, FakeAws, Fault};
use proptest::{
    prelude::{Just, ProptestConfig, Strategy, prop_oneof},
    proptest,
};
use tokio::time::Instant;

fn id(number: usize) -> String {
    format!("{:012}", 500_000_000_000 + number)
}

fn targets(count: usize) -> Vec<Target> {
    (0..count)
        .map(|number| Target {
            account: id(number).parse().unwrap(),
            ..target()
        })
        .collect()
}

/// One account each, behaving so.
fn fake(accounts: impl IntoIterator<Item = Account>) -> FakeAws {
    accounts
        .into_iter()
        .enumerate()
        .fold(FakeAws::builder(), |builder: Builder, (number, account)| {
            builder.account(id(number), account)
        })
        .start()
        .unwrap()
}

fn everyone(account: Account) -> FakeAws {
    FakeAws::builder().every_account(account).start().unwrap()
}

fn at_a_time(number: u64) -> FanOutOptions {
    FanOutOptions {
        concurrency: Concurrency::new(number).unwrap(),
        ..FanOutOptions::default()
    }
}

fn free(_: &Target, _: &AccountOutcome) -> usize {
    0
}

/// One word per result: the number of buckets, the kind of failure, or why it was skipped.
fn words(result: &FanOutResult) -> Vec<String> {
    result
        .outcomes
        .iter()
        .map(|answer| match &answer.outcome {
            Outcome::Listed(listing) => listing.buckets.len().to_string(),
            Outcome::Failed(failure) => failure.kind().to_string(),
            Outcome::Skipped(reason) => reason.as_str().to_owned(),
        })
        .collect()
}

/// Returns the results of a series of invocations and their number.
async fn chain(
    clients: &Clients,
    targets: &[Target],
    options: impl FnMut() -> FanOutOptions,
    measure: impl FnMut(&Target, &AccountOutcome) -> usize,
) -> (FanOutResult, usize) {
    let (all, starts) = chain_with_starts(clients, targets, options, measure).await;
    (all, starts.len())
}

/// Calls until nothing is skipped, checks what holds for each call, and returns the results of the chain and the target
/// that each call began with.
async fn chain_with_starts(
    clients: &Clients,
    targets: &[Target],
    mut options: impl FnMut() -> FanOutOptions,
    mut measure: impl FnMut(&Target, &AccountOutcome) -> usize,
) -> (FanOutResult, Vec<usize>) {
    let mut all = FanOutResult {
        outcomes: Vec::new(),
        resume: None,
    };
    let mut starts = Vec::new();
    while all.outcomes.len() < targets.len() {
        starts.push(all.outcomes.len());
        let rest = &targets[all.outcomes.len()..];
        let mut result = fan_out(clients, rest, &options(), &mut measure).await;
        assert_eq!(result.outcomes.len(), rest.len());
        let reached = result.resume.unwrap_or(rest.len());
        assert!(reached > 0, "a call that reaches nobody never ends");
        for (number, answer) in result.outcomes.iter().enumerate() {
            let skipped = matches!(answer.outcome, Outcome::Skipped(_));
            assert_eq!(skipped, number >= reached, "skipped are the last ones");
        }
        for (target, answer) in rest.iter().zip(&result.outcomes) {
            if let Outcome::Failed(failure) = &answer.outcome {
                assert_eq!(*failure.account(), target.account);
            }
        }
        all.outcomes.extend(result.outcomes.drain(..reached));
    }
    (all, starts)
}

/// The number of requests to STS and to S3 for each account.
fn requests(fake: &FakeAws) -> BTreeMap<String, (u32, u32)> {
    let mut counts = BTreeMap::<_, (u32, u32)>::new();
    for request in fake.requests() {
        let count = counts.entry(request.account).or_default();
        match request.action {
            Action::AssumeRole => count.0 += 1,
            _ => count.1 += 1,
        }
    }
    counts
}

#[tokio::test]
async fn results_keep_the_configured_order() {
    for count in [0, 1, 10] {
        let fake = fake((0..count).map(|number| {
            let left = u64::try_from(count - number).unwrap();
            Account::new()
                .buckets(number)
                .list_latency(Duration::from_millis(5 * left))
        }));
        let clients = clients_with(&fake, &PATIENT);
        for _ in 0..2 {
            let result = fan_out(&clients, &targets(count), &at_a_time(64), free).await;
            let expected: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            assert_eq!(words(&result), expected);
            assert_eq!(result.resume, None);
        }
        let once_and_twice: BTreeMap<_, _> = (0..count).map(|n| (id(n), (1, 2))).collect();
        assert_eq!(requests(&fake), once_and_twice, "sessions are kept");
    }
}

/// Connections for 64 accounts at a time: hyper may open one while another is about to be free.
const FEW: u64 = 64 + 16;

#[tokio::test]
async fn a_thousand_accounts_take_two_requests_each_and_few_connections() {
    let fake = everyone(Account::new().buckets(2));
    let clients = clients_with(&fake, &PATIENT);
    let result = fan_out(&clients, &targets(1_000), &FanOutOptions::default(), free).await;
    assert_eq!(words(&result), vec!["2"; 1_000]);
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (1_000, 1_000));
    assert!(counts.connections <= FEW, "{counts:?}");
    assert!(fake.most_in_flight() <= 64);
    let twice = requests(&fake).into_values().all(|count| count == (1, 1));
    assert!(twice);
}

#[tokio::test]
async fn five_thousand_accounts_are_listed() {
    let fake = everyone(Account::new().buckets(1));
    let clients = clients_with(&fake, &PATIENT);
    let result = fan_out(&clients, &targets(5_000), &FanOutOptions::default(), free).await;
    assert_eq!(words(&result), vec!["1"; 5_000]);
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (5_000, 5_000));
    assert!(counts.connections <= FEW, "{counts:?}");
}

#[tokio::test]
async fn five_thousand_denials_are_five_thousand_results() {
    let fake = FakeAws::builder().start().unwrap();
    let clients = clients_with(&fake, &PATIENT);
    let result = fan_out(&clients, &targets(5_000), &FanOutOptions::default(), free).await;
    assert_eq!(words(&result), vec!["AssumeRoleDenied"; 5_000]);
    assert_eq!(fake.counts().assume, 5_000);
}

#[tokio::test]
async fn concurrency_is_limited() {
    for number in [1, 7] {
        // Long enough for all concurrent requests to be seen at the same time, even on a busy machine.
        let fake = everyone(Account::new().list_latency(Duration::from_millis(150)));
        let clients = clients_with(&fake, &PATIENT);
        fan_out(&clients, &targets(14), &at_a_time(number), free).await;
        assert_eq!(fake.most_in_flight(), number);
    }
}

#[tokio::test]
async fn each_fault_of_one_some_and_all_accounts() {
    let healthy = || Account::new().buckets(15).page_cap(10);
    let patient = PATIENT;
    let impatient = Limits {
        read_timeout: Duration::from_millis(400),
        max_attempts: 1,
        ..PATIENT
    };
    let late = Fault::Slow(Duration::from_mins(1));
    let wrong = Fault::WrongAccount("999999999999");
    let assume = |fault| healthy().always_on_assume(fault);
    let list = |fault| healthy().always_on_list(fault);
    let second_page = |fault| healthy().on_list([Fault::None]).always_on_list(fault);
    let table: [(&str, &Limits, &dyn Fn() -> Account); 15] = [
        ("AssumeRoleDenied", &patient, &|| assume(Fault::Denied)),
        ("ListBucketsDenied", &patient, &|| list(Fault::Denied)),
        ("Throttled", &patient, &|| assume(Fault::Throttled)),
        ("Throttled", &patient, &|| second_page(Fault::Throttled)),
        ("Timeout", &impatient, &|| assume(late.clone())),
        ("Timeout", &impatient, &|| list(late.clone())),
        ("ConnectionFailed", &patient, &|| assume(Fault::Reset)),
        ("ConnectionFailed", &patient, &|| second_page(Fault::Reset)),
        ("ServiceUnavailable", &patient, &|| assume(Fault::Internal)),
        ("ServiceUnavailable", &patient, &|| list(Fault::Internal)),
        ("InvalidResponse", &patient, &|| assume(Fault::Truncated)),
        ("InvalidResponse", &patient, &|| list(Fault::Truncated)),
        ("ExpiredCredentials", &patient, &|| {
            second_page(Fault::Expired)
        }),
        ("WrongAccount", &patient, &|| assume(wrong.clone())),
        // The one that is no failure: it passes once the session is renewed.
        ("15", &patient, &|| {
            healthy().on_list([Fault::None, Fault::Expired])
        }),
    ];
    for (kind, limits, faulty) in table {
        for is_faulty in [|n| n == 3, |n| n % 2 == 0, |_| true] {
            let accounts = 0..7_usize;
            let fake = fake(accounts.clone().map(|number| {
                if is_faulty(number) {
                    faulty()
                } else {
                    healthy()
                }
            }));
            let clients = clients_with(&fake, limits);
            let result = fan_out(&clients, &targets(7), &at_a_time(7), free).await;
            let expected: Vec<_> = accounts
                .clone()
                .map(|number| if is_faulty(number) { kind } else { "15" })
                .collect();
            assert_eq!(words(&result), expected);
            let counts = requests(&fake);
            for number in accounts.filter(|number| !is_faulty(*number)) {
                assert_eq!(counts[&id(number)], (1, 2), "{kind}: account {number}");
            }
        }
    }
}

#[tokio::test]
async fn buckets_before_a_failure_are_kept() {
    let fake = fake([
        Account::new()
            .buckets(25)
            .page_cap(10)
            .on_list([Fault::None, Fault::None])
            .always_on_list(Fault::Denied),
        Account::new(),
    ]);
    let clients = clients_with(&fake, &PATIENT);
    let result = fan_out(&clients, &targets(2), &at_a_time(2), free).await;
    let Outcome::Failed(failure) = &result.outcomes[0].outcome else {
        panic!("{result:?}");
    };
    assert_eq!(failure.partial().len(), 20);
}

#[tokio::test]
async fn buckets_before_an_expired_session_are_kept() {
    let account = || {
        Account::new()
            .buckets(25)
            .page_cap(10)
            .on_list([Fault::None, Fault::Expired])
    };
    let fake = fake([
        account().always_on_list(Fault::Denied),
        account()
            .on_assume([Fault::None])
            .always_on_assume(Fault::Denied),
    ]);
    let clients = clients_with(&fake, &PATIENT);
    let result = fan_out(&clients, &targets(2), &at_a_time(2), free).await;
    assert_eq!(words(&result), ["ListBucketsDenied", "AssumeRoleDenied"]);
    for answer in &result.outcomes {
        let Outcome::Failed(failure) = &answer.outcome else {
            panic!("{answer:?}");
        };
        assert_eq!(failure.partial().len(), 10, "{failure}");
    }
}

#[tokio::test]
async fn an_account_that_does_not_fit_stops_before_its_last_page() {
    let fake = everyone(Account::new().buckets(100).page_cap(10));
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        response_budget: 10,
        max_name_bytes: 200,
        ..at_a_time(1)
    };
    let result = fan_out(&clients, &targets(1), &options, buckets).await;
    assert_eq!(words(&result), ["ResponseTooLarge"]);
    assert!(fake.counts().list < 10, "{:?}", fake.counts());
}

#[tokio::test]
async fn the_deadline_ends_an_invocation_and_a_series_reaches_all() {
    let fake = everyone(Account::new().list_latency(Duration::from_millis(20)));
    let clients = clients_with(&fake, &PATIENT);
    let options = || FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_millis(400)),
        ..at_a_time(2)
    };
    let started = Instant::now();
    let first = fan_out(&clients, &targets(60), &options(), free).await;
    assert!(started.elapsed() < Duration::from_secs(2));
    let resume = first.resume.unwrap();
    let skipped: Vec<_> = words(&first).split_off(resume);
    assert_eq!(skipped, vec![SkipReason::Deadline.as_str(); 60 - resume]);
    let assumed = usize::try_from(fake.counts().assume).unwrap();
    assert!(
        (resume..=resume + 2).contains(&assumed),
        "but for those under way, what is skipped was not started: {assumed}, {resume}"
    );

    let (all, calls) = chain(&clients, &targets(60), options, free).await;
    assert!(calls > 1);
    assert_eq!(words(&all), ["0"; 60], "all of them are healthy");
}

/// Slow accounts, some of which each invocation interrupts.
#[tokio::test]
async fn an_interrupted_account_comes_first_in_the_next_invocation() {
    let fake = everyone(Account::new().list_latency(Duration::from_millis(400)));
    let clients = clients_with(&fake, &PATIENT);
    let options = || FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_secs(1)),
        stop_starting_before: Duration::ZERO,
        ..at_a_time(3)
    };
    let first = fan_out(&clients, &targets(12), &options(), free).await;
    assert_eq!(first.resume, Some(6), "{:?}", words(&first));
    assert_eq!(fake.counts().assume, 9, "three were cut short");
    let (all, _) = chain(&clients, &targets(12), options, free).await;
    assert_eq!(words(&all), ["0"; 12]);
}

/// Accounts after an interrupted one are skipped even if they have finished: the next invocation starts with that one.
#[tokio::test]
async fn skipped_accounts_are_the_last_ones() {
    let slow = |number: usize| {
        let latency = if number == 2 { 10_000 } else { 0 };
        Account::new().list_latency(Duration::from_millis(latency))
    };
    let fake = fake((0..5).map(slow));
    let clients = clients_with(&fake, &PATIENT);
    let options = || FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_millis(300)),
        ..at_a_time(2)
    };
    let result = fan_out(&clients, &targets(5), &options(), free).await;
    assert_eq!(
        words(&result),
        ["0", "0", "deadline", "deadline", "deadline"]
    );
    assert_eq!(result.resume, Some(2));
    // The next call begins with it, so that it has its say.
    let (all, calls) = chain(&clients, &targets(5), options, free).await;
    assert_eq!(words(&all), ["0", "0", "Timeout", "0", "0"]);
    assert_eq!(calls, 2);
}

/// As many dead ones as there are places, before healthy ones.
#[tokio::test]
async fn unresponsive_accounts_use_at_most_half_of_the_invocation() {
    let dead = |number: usize| {
        if number < 3 {
            Account::new().always_on_list(Fault::Hang)
        } else {
            Account::new()
        }
    };
    let fake = fake((0..9).map(dead));
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_secs(1)),
        least_time: Duration::ZERO,
        ..at_a_time(3)
    };
    let result = fan_out(&clients, &targets(9), &options, free).await;
    let expected = [["Timeout"; 3], ["0"; 3], ["0"; 3]].concat();
    assert_eq!(words(&result), expected);
}

#[tokio::test]
async fn own_credentials_list_no_other_account() {
    let fake = everyone(Account::new().buckets(1));
    let clients = clients_with(&fake, &PATIENT);
    let own = [contract::Target::own(id(0).parse().unwrap())];
    for (account, word) in [(id(0), "1"), (id(1), "WrongAccount")] {
        let options = FanOutOptions {
            own_account: Some(account.parse().unwrap()),
            ..at_a_time(1)
        };
        let result = fan_out(&clients, &own, &options, free).await;
        assert_eq!(words(&result), [word]);
    }
}

#[tokio::test]
async fn the_deadline_fails_started_accounts_and_skips_the_others() {
    let hanging = |number: usize| {
        if number < 4 {
            Account::new()
        } else {
            Account::new().always_on_assume(Fault::Hang)
        }
    };
    let fake = fake((0..11).map(hanging));
    let clients = clients_with(&fake, &PATIENT);
    // 4 to 6 have half of the invocation, 7 to 9 have less, and the last one never starts.
    let options = || FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_millis(400)),
        least_time: Duration::ZERO,
        ..at_a_time(3)
    };
    let result = fan_out(&clients, &targets(11), &options(), free).await;
    let expected = [
        "0", "0", "0", "0", "Timeout", "Timeout", "Timeout", "deadline", "deadline", "deadline",
        "deadline",
    ];
    assert_eq!(words(&result), expected);
    assert_eq!(result.resume, Some(7));

    let (all, calls) = chain(&clients, &targets(11), options, free).await;
    assert_eq!(words(&all)[4..], ["Timeout"; 7]);
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn a_deadline_in_the_past_still_reaches_the_first() {
    let fake = everyone(Account::new());
    let clients = clients_with(&fake, &PATIENT);
    let options = || FanOutOptions {
        deadline: Some(Instant::now()),
        ..at_a_time(3)
    };
    let (all, calls) = chain(&clients, &targets(3), options, free).await;
    assert_eq!((words(&all), calls), (vec!["Timeout".to_owned(); 3], 3));
}

/// Counts invocations by hand: each takes the longest prefix that fits.
fn calls_by_hand(sizes: &[usize], budget: usize) -> usize {
    let mut calls = 0;
    let mut left = 0;
    for (number, &size) in sizes.iter().enumerate() {
        if number == 0 || size > left {
            calls += 1;
            left = budget;
        }
        left = left.saturating_sub(size);
    }
    calls
}

/// A bucket is one, and anything else is one as well.
fn buckets(_: &Target, answer: &AccountOutcome) -> usize {
    match &answer.outcome {
        Outcome::Listed(listing) => listing.buckets.len().max(1),
        Outcome::Failed(failure) => failure.partial().len().max(1),
        Outcome::Skipped(_) => panic!("what is skipped has no part of the answer"),
    }
}

#[tokio::test]
async fn a_response_is_the_longest_prefix_that_fits() {
    let sizes = [3, 4, 3, 1, 9, 1, 10, 1, 1, 1, 1, 8, 2, 10, 10, 1];
    let fake = fake(sizes.map(|size| Account::new().buckets(size)));
    let clients = clients_with(&fake, &PATIENT);
    for number in [1, 4, 64] {
        let options = || FanOutOptions {
            response_budget: 10,
            ..at_a_time(number)
        };
        let first = fan_out(&clients, &targets(16), &options(), buckets).await;
        assert_eq!(first.resume, Some(3));
        assert_eq!(words(&first)[3..], ["response-full"; 13]);
        let (all, calls) = chain(&clients, &targets(16), options, buckets).await;
        assert_eq!(words(&all), sizes.map(|size| size.to_string()));
        assert_eq!(calls, calls_by_hand(&sizes, 10));
    }
}

#[tokio::test]
async fn no_account_starts_once_the_response_is_full() {
    let fake = everyone(Account::new().buckets(5));
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        response_budget: 10,
        ..at_a_time(1)
    };
    let result = fan_out(&clients, &targets(9), &options, buckets).await;
    assert_eq!(result.resume, Some(2));
    assert_eq!(fake.counts().assume, 2);
}

#[tokio::test]
async fn an_account_too_large_for_any_response_fails_alone() {
    let sizes = [11, 3, 12, 13, 2, 20];
    let fake = fake(sizes.map(|size| Account::new().buckets(size)));
    let clients = clients_with(&fake, &PATIENT);
    let options = |response_budget| FanOutOptions {
        response_budget,
        ..at_a_time(3)
    };
    let (all, _) = chain(&clients, &targets(6), || options(10), buckets).await;
    let large = "ResponseTooLarge";
    assert_eq!(words(&all), [large, "3", large, large, "2", large]);
    let Outcome::Failed(failure) = &all.outcomes[0].outcome else {
        panic!("{all:?}");
    };
    assert_eq!(
        failure.to_string(),
        "Failed to list the buckets of account 500000000000 as the role \
         `arn:aws:iam::500000000000:role/MyS3ReadRole`: needs 11 bytes; the response limit is 10"
    );
    assert!(!failure.is_retryable());

    // Not even the failures fit.
    let (all, calls) = chain(&clients, &targets(6), || options(0), buckets).await;
    assert_eq!(words(&all), [large; 6]);
    assert_eq!(calls, 6);
}

#[tokio::test]
async fn a_large_failure_drops_its_partial_buckets_first() {
    let fake = fake([Account::new()
        .buckets(30)
        .page_cap(20)
        .on_list([Fault::None])
        .always_on_list(Fault::Denied)]);
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        response_budget: 10,
        ..at_a_time(1)
    };
    let result = fan_out(&clients, &targets(1), &options, buckets).await;
    assert_eq!(words(&result), ["ListBucketsDenied"]);
}

#[tokio::test]
async fn an_unresponsive_and_a_throttled_account_do_not_delay_others() {
    let fake = fake((0..40).map(|number| match number {
        3 => Account::new().always_on_assume(Fault::Hang),
        5 => Account::new().always_on_list(Fault::Hang),
        9 => Account::new().always_on_list(Fault::Throttled),
        _ => Account::new(),
    }));
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_millis(1_500)),
        ..at_a_time(4)
    };
    let result = fan_out(&clients, &targets(40), &options, free).await;
    assert_eq!(result.resume, None);
    let counts = requests(&fake);
    for (number, word) in words(&result).iter().enumerate() {
        match number {
            3 | 5 => assert_eq!(word, "Timeout"),
            9 => assert_eq!(word, "Throttled"),
            _ => {
                assert_eq!(word, "0");
                assert_eq!(counts[&id(number)], (1, 1));
            }
        }
    }
}

#[tokio::test]
async fn accounts_share_the_quota_of_sts() {
    let fake = FakeAws::builder()
        .every_account(Account::new())
        .assume_quota(400, 20)
        .start()
        .unwrap();
    let limits = Limits {
        initial_backoff: Duration::from_millis(20),
        ..PATIENT
    };
    let clients = clients_with(&fake, &limits);
    let result = fan_out(&clients, &targets(250), &FanOutOptions::default(), free).await;
    assert_eq!(words(&result), vec!["0"; 250]);
    let refused = fake.counts().assume - 250;
    assert!((1..250).contains(&refused), "{refused} were refused");
}

#[tokio::test]
async fn a_prefix_filters_every_account() {
    let fake = everyone(Account::new().named_buckets(["logs-a", "data", "logs-b"]));
    let clients = clients_with(&fake, &PATIENT);
    let options = FanOutOptions {
        prefix: Some("logs-".to_owned()),
        ..FanOutOptions::default()
    };
    let result = fan_out(&clients, &targets(3), &options, free).await;
    assert_eq!(words(&result), ["2"; 3]);
}

#[tokio::test]
async fn a_target_is_listed_in_its_own_region() {
    let fake = everyone(Account::new());
    let clients = clients_with(&fake, &PATIENT);
    let mut targets = targets(4);
    targets[1].region = Some("eu-central-1".parse().unwrap());
    targets[2].region = Some("us-east-1".parse().unwrap());
    targets[3].region = Some("eu-central-1".parse().unwrap());
    fan_out(&clients, &targets, &at_a_time(1), free).await;
    let regions: Vec<_> = fake.requests().into_iter().map(|r| r.region).collect();
    let (home, other) = ("us-east-1", "eu-central-1");
    assert_eq!(
        regions,
        [home, home, other, other, home, home, other, other]
    );
    assert_eq!(
        fake.counts().connections,
        1,
        "regions share the HTTP client"
    );

    fake.set_account(id(1), Account::new().always_on_list(Fault::Denied));
    let result = fan_out(&clients, &targets[1..2], &at_a_time(1), free).await;
    let Outcome::Failed(failure) = &result.outcomes[0].outcome else {
        panic!("{result:?}");
    };
    assert!(failure.hint().unwrap().contains(other), "{failure:?}");
}

/// A fault, and what an account with 3 buckets on 2 pages then is.
fn fault() -> impl Strategy<Value = (bool, Fault, Result<usize, FailureKind>)> {
    use FailureKind::*;
    prop_oneof![
        4 => Just((true, Fault::None, Ok(3))),
        1 => Just((true, Fault::Denied, Err(AssumeRoleDenied))),
        1 => Just((false, Fault::Denied, Err(ListBucketsDenied))),
        1 => Just((true, Fault::Throttled, Err(Throttled))),
        1 => Just((false, Fault::Throttled, Err(Throttled))),
        1 => Just((true, Fault::Internal, Err(ServiceUnavailable))),
        1 => Just((true, Fault::Reset, Err(ConnectionFailed))),
        1 => Just((false, Fault::Reset, Err(ConnectionFailed))),
        1 => Just((true, Fault::Garbage, Err(InvalidResponse))),
        1 => Just((false, Fault::Proxy(429), Err(Throttled))),
        1 => Just((false, Fault::Truncated, Err(InvalidResponse))),
        1 => Just((false, Fault::Expired, Err(ExpiredCredentials))),
        1 => Just((true, Fault::WrongAccount("999999999999"), Err(WrongAccount))),
    ]
}

/// Account `number` with 3 buckets of its own on 2 pages, which behaves so.
fn faulty(number: usize, on_assume: bool, fault: &Fault) -> Account {
    let account = Account::new()
        .numbered_buckets(&format!("{}-", id(number)), 3)
        .page_cap(2);
    if on_assume {
        account.always_on_assume(fault.clone())
    } else {
        account.always_on_list(fault.clone())
    }
}

/// Each result belongs to the account at its index.
fn assert_each_has_its_own(all: &FanOutResult) {
    for (number, answer) in all.outcomes.iter().enumerate() {
        let buckets = match &answer.outcome {
            Outcome::Listed(listing) => &listing.buckets,
            Outcome::Failed(failure) => {
                assert_eq!(failure.account().as_str(), id(number));
                failure.partial()
            }
            Outcome::Skipped(reason) => panic!("account {number} is skipped: {reason:?}"),
        };
        for bucket in buckets.iter() {
            assert!(bucket.name.starts_with(&id(number)), "{}", bucket.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_account_has_one_result(
        faults in proptest::collection::vec(fault(), 1..14),
        number in 1..6_u64,
        budget in 1..20_usize,
    ) {
        let fake = fake(faults.iter().enumerate().map(|(n, (on_assume, fault, _))| faulty(n, *on_assume, fault)));
        let expected: Vec<_> = faults
            .iter()
            .map(|(_, _, outcome)| match outcome {
                Ok(buckets) if *buckets > budget => "ResponseTooLarge".to_owned(),
                Ok(buckets) => buckets.to_string(),
                Err(kind) => kind.to_string(),
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (all, _) = runtime.block_on(async {
            let clients = clients_with(&fake, &PATIENT);
            let options = || FanOutOptions { response_budget: budget, ..at_a_time(number) };
            chain(&clients, &targets(faults.len()), options, buckets).await
        });
        assert_eq!(words(&all), expected);
        assert_each_has_its_own(&all);
        assert!(fake.most_in_flight() <= number);
    }

    /// Whatever the time of a call allows: an account that is under way when it ends has failed, and one that the size of
    /// the answer leaves no room for begins the next call.
    #[test]
    fn every_account_has_one_result_within_any_deadline(
        faults in proptest::collection::vec((fault(), 0..12_u64, 0..10_u8), 1..14),
        number in 1..6_u64,
        budget in 3..20_usize,
        allowed in 0..40_u64,
    ) {
        // Where STS throttles, that is for the caller's sake: see the simulated tests.
        let faults: Vec<_> = faults
            .into_iter()
            .map(|(fault, latency, hangs)| match fault {
                (true, Fault::Throttled, _) => ((true, Fault::None, Ok(3)), latency, hangs),
                fault => (fault, latency, hangs),
            })
            .collect();
        let fake = fake(faults.iter().enumerate().map(|(n, ((on_assume, fault, _), latency, hangs))| {
            let account = faulty(n, *on_assume, fault).list_latency(Duration::from_millis(*latency));
            match hangs {
                0 => account.always_on_assume(Fault::Hang),
                1 => account.on_list([Fault::None]).always_on_list(Fault::Stalled),
                _ => account,
            }
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (all, starts) = runtime.block_on(async {
            let clients = clients_with(&fake, &PATIENT);
            let options = || FanOutOptions {
                response_budget: budget,
                deadline: Some(Instant::now() + Duration::from_millis(allowed)),
                ..at_a_time(number)
            };
            chain_with_starts(&clients, &targets(faults.len()), options, buckets).await
        });
        assert!(starts.len() <= faults.len());
        assert_each_has_its_own(&all);
        for (n, (word, ((_, _, outcome), _, hangs))) in words(&all).iter().zip(&faults).enumerate() {
            let expected = match outcome {
                _ if *hangs < 2 => "Timeout".to_owned(),
                Ok(buckets) => buckets.to_string(),
                Err(kind) => kind.to_string(),
            };
            // One that hangs in its listing may fail before it gets there.
            let earlier = *hangs == 1 && outcome.is_err();
            // The deadline fails the first of a call alone, so that the chain ends; another has its time in the next one.
            let is_late = word == "Timeout" && starts.contains(&n);
            assert!(is_late || (word != "Timeout" && (*word == expected || earlier)), "{n}: {word}, not {expected}");
        }
    }
}
