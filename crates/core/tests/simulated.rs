//! What depends on time, in simulated time: deadlines, quotas, retries and fairness over chains of calls.
//!
//! Nothing waits for a wall clock, and a seed gives the same run each time: one that fails is a test.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::{ops::RangeInclusive, time::Duration};

use common::{config, target};
use contract::{Concurrency, Target};
use cross_account::{Clients, FailureKind, FanOutOptions, Limits, Outcome, SkipReason, fan_out};
use fake_aws::{Account, Builder, FakeAws, Fault, Latency};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

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

/// A series of invocations.
struct Chain {
    accounts: usize,
    at_a_time: u64,
    /// The time limit of an invocation.
    call: Duration,
    latency: RangeInclusive<Duration>,
    /// Whether each invocation has its own process, as in Lambda.
    is_cold: bool,
    seed: u64,
}

/// What became of it.
#[derive(Debug)]
struct Ran {
    /// A word for each account: how many buckets, or which failure.
    words: Vec<String>,
    time: Duration,
    calls: usize,
    assumed: u64,
    listed: u64,
}

impl Ran {
    fn ok(&self) -> usize {
        let is_count = |word: &&String| word.parse::<usize>().is_ok();
        self.words.iter().filter(is_count).count()
    }
}

impl Chain {
    fn clients(&self, fake: &FakeAws, call: u64) -> Clients {
        let latency = Latency::new(self.latency.clone(), self.seed * 1_000 + call);
        let config = config(&fake.endpoint())
            .http_client(fake.http_client(latency))
            .time_source(fake.time_source())
            .build();
        Clients::with_limits(&config, &Limits::default()).unwrap()
    }

    /// Invokes until nothing is skipped, and checks each invocation.
    async fn run(&self, builder: Builder) -> Ran {
        fastrand::seed(self.seed);
        let fake = builder.in_memory();
        let all = targets(self.accounts);
        let started = Instant::now();
        let mut clients = self.clients(&fake, 0);
        let mut words = Vec::new();
        let (mut calls, mut stalled) = (0, 0);
        while words.len() < all.len() {
            if self.is_cold {
                clients = self.clients(&fake, calls);
            }
            let rest = &all[words.len()..];
            let deadline = Instant::now() + self.call;
            let options = FanOutOptions {
                concurrency: Concurrency::new(self.at_a_time).unwrap(),
                deadline: Some(deadline),
                ..FanOutOptions::default()
            };
            let result = fan_out(&clients, rest, &options, |_, _| 0).await;
            assert!(Instant::now() <= deadline + MS, "no call is past its time");
            assert_eq!(result.outcomes.len(), rest.len());
            let reached = result.resume.unwrap_or(rest.len());
            for (number, answer) in result.outcomes.iter().enumerate() {
                match &answer.outcome {
                    Outcome::Listed(listing) => words.push(listing.buckets.len().to_string()),
                    Outcome::Failed(failure) => {
                        assert_eq!(failure.account().as_str(), rest[number].account.as_str());
                        words.push(failure.kind().to_string());
                    }
                    Outcome::Skipped(_) => assert!(number >= reached, "the last are skipped"),
                }
            }
            stalled = if reached == 0 { stalled + 1 } else { 0 };
            assert!(stalled < 3, "seed {}: a chain gets on", self.seed);
            calls += 1;
        }
        let counts = fake.counts();
        Ran {
            words,
            time: started.elapsed(),
            calls: usize::try_from(calls).unwrap(),
            assumed: counts.assume,
            listed: counts.list,
        }
    }
}

/// A quota of STS is the caller's: no account fails of it, and the chain takes the time that the quota allows.
async fn a_quota(accounts: usize, at_a_time: u64, per_second: u32, call: u64) {
    for (is_cold, burst, seed) in [
        (false, 2, 1),
        (true, per_second, 2),
        (false, 5 * per_second, 3),
    ] {
        let chain = Chain {
            accounts,
            at_a_time,
            call: Duration::from_secs(call),
            latency: 10 * MS..=60 * MS,
            is_cold,
            seed,
        };
        let sts = FakeAws::builder()
            .every_account(Account::new().buckets(1))
            .assume_quota(per_second, burst)
            .without_record();
        let ran = chain.run(sts).await;
        let due = u32::try_from(accounts).unwrap() * Duration::from_secs(1) / per_second;
        let of_due = ran.time.as_secs_f64() / due.as_secs_f64();
        // `--no-capture` shows it.
        println!(
            "{accounts} accounts, {at_a_time} at a time, {per_second}/s, burst {burst}, calls of {call} s, cold: \
             {is_cold}: {} ok, {:.1} s ({of_due:.2} of what is due), {} calls, {} of STS, {} of S3",
            ran.ok(),
            ran.time.as_secs_f64(),
            ran.calls,
            ran.assumed,
            ran.listed
        );
        assert_eq!(ran.ok(), accounts, "{:?}", ran.words);
        assert!(of_due <= 1.15, "{of_due}");
        let needed = u64::try_from(accounts).unwrap();
        // Another process repeats the accounts that an invocation interrupts.
        assert!(
            ran.listed <= needed + 2 * u64::try_from(ran.calls).unwrap(),
            "{ran:?}"
        );
        // Each process sends as many as it has places before it knows of the quota.
        let processes = if is_cold { ran.calls } else { 1 };
        let first = at_a_time * u64::try_from(processes).unwrap();
        assert!(ran.assumed <= needed * 17 / 10 + first + 20, "{ran:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_hundred_accounts_at_ten_a_second_in_invocations_of_six_seconds() {
    a_quota(300, 64, 10, 6).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_accounts_at_twenty_a_second_in_invocations_of_thirty_seconds() {
    a_quota(1_000, 256, 20, 30).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_and_fifty_accounts_at_four_a_second_with_the_defaults() {
    a_quota(150, 64, 4, 60).await;
}

/// An account's share only matters if others are waiting.
#[tokio::test(start_paused = true)]
async fn a_slow_account_has_the_whole_invocation_if_no_other_waits() {
    let chain = Chain {
        accounts: 65,
        at_a_time: 64,
        call: Duration::from_mins(1),
        latency: 20 * MS..=20 * MS,
        is_cold: false,
        seed: 1,
    };
    let slow = Account::new()
        .buckets(5)
        .page_cap(1)
        .list_latency(Duration::from_secs(8));
    let ran = chain
        .run(
            FakeAws::builder()
                .every_account(Account::new().buckets(2))
                .account(id(0), slow),
        )
        .await;
    assert_eq!((ran.ok(), ran.calls), (65, 1), "{:?}", ran.words);
}

/// Places are few and the call is short, so that it ends wherever an account may be. Whatever happens, each account is
/// answered for once, and a healthy one is listed.
#[tokio::test(start_paused = true)]
async fn no_healthy_account_fails_whatever_the_seed() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let accounts = random.usize(1..60);
        let chain = Chain {
            accounts,
            at_a_time: random.u64(1..40),
            call: Duration::from_millis(random.u64(3_000..20_000)),
            latency: Duration::ZERO..=Duration::from_millis(random.u64(1..300)),
            is_cold: random.bool(),
            seed,
        };
        let per_second = random.u32(4..50);
        let mut builder = FakeAws::builder()
            .assume_quota(per_second, random.u32(2..60))
            .without_record();
        let mut expected = Vec::new();
        for number in 0..accounts {
            let account = Account::new().buckets(3).page_cap(2);
            let (account, word) = match random.u8(..20) {
                0 => (account.always_on_assume(Fault::Denied), "AssumeRoleDenied"),
                1 => (account.always_on_list(Fault::Denied), "ListBucketsDenied"),
                2 => (account.always_on_list(Fault::Hang), "Timeout"),
                3 => (account.on_list([Fault::Throttled]), "3"),
                4 => (account.on_assume([Fault::Internal]), "3"),
                _ => (account, "3"),
            };
            builder = builder.account(id(number), account);
            expected.push(word);
        }
        let ran = chain.run(builder).await;
        assert_eq!(ran.words, expected, "seed {seed}");
    }
}

/// If STS throttles everything, no account fails: they are skipped as throttled.
#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_fails_no_account() {
    let fake = FakeAws::builder()
        .every_account(Account::new().always_on_assume(Fault::Throttled))
        .in_memory();
    let config = config(&fake.endpoint())
        .http_client(fake.http_client(Latency::new(MS..=MS, 1)))
        .time_source(fake.time_source())
        .build();
    let clients = Clients::new(&config).unwrap();
    let options = FanOutOptions {
        deadline: Some(Instant::now() + Duration::from_secs(6)),
        ..FanOutOptions::default()
    };
    let targets = targets(70);
    let result = fan_out(&clients, &targets, &options, |_, _| 0).await;
    assert_eq!(result.resume, Some(0));
    for answer in &result.outcomes {
        let is_throttled = matches!(answer.outcome, Outcome::Skipped(SkipReason::Throttled));
        assert!(is_throttled, "{answer:?}");
    }
    let failure = result.none_reached(&clients, &targets[0]).unwrap();
    assert_eq!(failure.kind(), FailureKind::Throttled);
    assert!(failure.is_retryable());
    assert!(
        failure
            .to_string()
            .contains("while STS throttled the caller"),
        "{failure}"
    );
    // Some 2 a second when all is lost, and not one a millisecond.
    assert!(fake.counts().assume < 200, "{:?}", fake.counts());
}

/// The message says what ended, and who would have the place.
#[tokio::test(start_paused = true)]
async fn an_account_that_used_its_share_fails() {
    let chain = Chain {
        accounts: 3,
        at_a_time: 1,
        call: Duration::from_secs(6),
        latency: MS..=MS,
        is_cold: false,
        seed: 1,
    };
    let fake = FakeAws::builder()
        .every_account(Account::new())
        .account(id(0), Account::new().always_on_list(Fault::Hang))
        .in_memory();
    let clients = chain.clients(&fake, 0);
    let options = FanOutOptions {
        concurrency: Concurrency::new(chain.at_a_time).unwrap(),
        deadline: Some(Instant::now() + chain.call),
        ..FanOutOptions::default()
    };
    let result = fan_out(&clients, &targets(chain.accounts), &options, |_, _| 0).await;
    let Outcome::Failed(failure) = &result.outcomes[0].outcome else {
        panic!("{result:?}");
    };
    let message = failure.to_string();
    assert!(
        message.ends_with(
            "it used up its share of the invocation, 3.0s, while other accounts were waiting"
        ),
        "{message}"
    );
    assert!(
        failure
            .hint()
            .unwrap()
            .contains("increase the function's timeout"),
        "{failure:?}"
    );
}

/// A quota that was found is kept to while requests fail on their way: they say nothing of it.
#[tokio::test(start_paused = true)]
async fn connection_failures_do_not_raise_the_rate() {
    let time = async |fault: Fault| {
        fastrand::seed(1);
        let fake = FakeAws::builder()
            .every_account(Account::new().always_on_assume(fault))
            .account(id(0), Account::new().on_assume([Fault::Throttled]))
            .in_memory();
        let config = config(&fake.endpoint())
            .http_client(fake.http_client(Latency::new(MS..=MS, 1)))
            .time_source(fake.time_source())
            .build();
        let limits = Limits {
            max_attempts: 1,
            ..Limits::default()
        };
        let clients = Clients::with_limits(&config, &limits).unwrap();
        let options = FanOutOptions {
            concurrency: Concurrency::new(1).unwrap(),
            deadline: Some(Instant::now() + Duration::from_mins(1)),
            ..FanOutOptions::default()
        };
        let started = Instant::now();
        fan_out(&clients, &targets(60), &options, |_, _| 0).await;
        started.elapsed()
    };
    let answered = time(Fault::Denied).await;
    let failed = time(Fault::Reset).await;
    // One each 10 ms, and faster where there are responses.
    assert!(failed >= Duration::from_millis(550), "{failed:?}");
    assert!(answered < failed * 3 / 4, "{answered:?}, {failed:?}");
}
