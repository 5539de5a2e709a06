//! Lists many targets in one invocation.
//!
//! Targets start in order, with bounded concurrency, and results keep that order. The fan-out stops early if the
//! deadline is near or the response is full. Skipped targets are always the last ones, so one index
//! ([`FanOutResult::resume`]) tells the next invocation where to continue. The first target is never skipped, unless
//! STS throttles it to the end, so a series of invocations ends.
//!
//! A target that the deadline interrupts is skipped, not failed, and comes first in the next invocation. The same
//! applies to a target that the STS rate limiter holds back, because the quota belongs to the caller and not to the
//! target. While targets are waiting, none may use more than half of the invocation or [`FanOutOptions::least_time`],
//! whichever is longer, before it fails with [`FailureKind::Timeout`](crate::FailureKind::Timeout). Otherwise, a few
//! unresponsive accounts could use up every invocation.
//!
//! One task polls every target: the work is waiting for the network, and threads would only cost memory. The caller
//! measures the size of the response, and each request does its own retries.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use contract::{AccountId, Concurrency, Target};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use crate::{
    account_time::{AccountTime, Share, TimeLimit, WaitFor},
    budget::{Budget, Reservation},
    clients::Clients,
    failure::Failure,
    kind::Phase,
    s3::{
        list_buckets::{Listing, list_target},
        pages::ListRequest,
    },
};

/// Options of [`fan_out`].
#[derive(Debug, Clone)]
pub struct FanOutOptions {
    /// The maximum number of accounts in flight. Default: 64.
    pub concurrency: Concurrency,
    /// When the invocation must end. An account still in flight is then skipped, or fails with
    /// [`FailureKind::Timeout`](crate::FailureKind::Timeout) if it has used up its share. Default: none.
    pub deadline: Option<Instant>,
    /// When the invocation began, if that was before the fan-out, for example because it read an organization. The
    /// first account fails at the deadline if it had half of the invocation, and is skipped if it had less. Default:
    /// when the fan-out starts.
    pub started: Option<Instant>,
    /// The minimum of an account's share, which is otherwise half of the invocation. An account that has used up its
    /// share fails if others are waiting, and the deadline fails no account that had less, except the first, so that a
    /// series of invocations ends. Default: 1 s, several times what an account takes.
    pub least_time: Duration,
    /// How long before the deadline new accounts stop starting, so that those in flight can finish. At most a quarter
    /// of the time left when the fan-out starts. Default: 2 s, several times what an account takes with a retry.
    pub stop_starting_before: Duration,
    /// The maximum size of the response, in the unit of the caller's measure, without skipped accounts. Default: no
    /// limit.
    pub response_budget: usize,
    /// The maximum total length of an account's bucket names, in bytes. An account that exceeds it fails with
    /// [`FailureKind::ResponseTooLarge`](crate::FailureKind::ResponseTooLarge) at once: its other pages are not
    /// requested and take no memory. Default: no limit.
    pub max_name_bytes: usize,
    /// The approximate bytes that a bucket adds to the response in addition to its name, if the caller measures in
    /// bytes. With it, the fan-out knows early when the response will be full and requests few pages in vain. Default:
    /// unknown.
    pub bucket_bytes: Option<usize>,
    /// The maximum memory for pages in flight, in bytes. The first unfinished account may exceed it, up to 8 MiB for a
    /// page plus `max_name_bytes`; the others wait for space. Finished results do not count. Default: no limit.
    pub memory: usize,
    /// Lists only buckets whose names begin with this prefix. Default: all.
    pub prefix: Option<String>,
    /// The account that the process's own credentials belong to, if known. They list no other account. Default:
    /// unknown.
    pub own_account: Option<AccountId>,
    /// The accounts that have left the organization: each fails with
    /// [`FailureKind::NotListed`](crate::FailureKind::NotListed) without a request. Default: none.
    pub unlisted: BTreeSet<AccountId>,
}

impl Default for FanOutOptions {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            deadline: None,
            started: None,
            least_time: Duration::from_secs(1),
            stop_starting_before: Duration::from_secs(2),
            response_budget: usize::MAX,
            max_name_bytes: usize::MAX,
            bucket_bytes: None,
            memory: usize::MAX,
            prefix: None,
            own_account: None,
            unlisted: BTreeSet::new(),
        }
    }
}

/// The times of an invocation with a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Schedule {
    /// When the fan-out started.
    start: Instant,
    deadline: Instant,
    /// When accounts stop starting.
    last_start: Instant,
    /// An account's share. One that had less is skipped at the deadline instead of failing.
    fair: Duration,
    /// The same for the first account, so that a series of invocations ends.
    least: Duration,
}

impl Schedule {
    /// Computes the schedule of a fan-out that starts `now`, if it has a deadline.
    fn new(options: &FanOutOptions, now: Instant) -> Option<Self> {
        let deadline = options.deadline?;
        let left = deadline.saturating_duration_since(now);
        let whole = deadline.saturating_duration_since(options.started.unwrap_or(now));
        Some(Self {
            start: now,
            deadline,
            last_start: now + left.saturating_sub(options.stop_starting_before.min(left / 4)),
            fair: options.least_time.max(left / 2),
            least: whole / 2,
        })
    }

    /// Returns the time of the account at `index`, which starts now. The first one's time starts with the fan-out, even
    /// if the process is late: otherwise it would be skipped in an invocation of a few milliseconds.
    fn account_time<'a>(&self, index: usize, is_wanted: &'a AtomicBool) -> AccountTime<'a> {
        let share = Share {
            length: self.fair,
            is_wanted,
            last_start: self.last_start,
        };
        let started = if index == 0 {
            self.start
        } else {
            Instant::now()
        };
        AccountTime::of_many(started, self.deadline, share)
    }

    /// Returns why the account at `index` is skipped, if its time was cut short.
    fn cut_short(&self, index: usize, time: &AccountTime<'_>) -> Option<SkipReason> {
        let enough = if index == 0 { self.least } else { self.fair };
        match time.ended()? {
            TimeLimit::Waiting(WaitFor::RateLimit) => Some(SkipReason::Throttled),
            TimeLimit::Waiting(WaitFor::Budget) => Some(SkipReason::Deadline),
            TimeLimit::Deadline if time.before(self.deadline) < enough => {
                Some(if time.waits().was_throttled() {
                    SkipReason::Throttled
                } else {
                    SkipReason::Deadline
                })
            }
            TimeLimit::Deadline | TimeLimit::Share(_) => None,
        }
    }
}

/// The outcome of every target.
#[derive(Debug, Clone)]
pub struct FanOutResult {
    /// One outcome per target, in the order of the targets.
    pub outcomes: Vec<AccountOutcome>,
    /// The index of the first skipped target, if any. All later ones are skipped, too; the next invocation starts here.
    pub resume: Option<usize>,
}

impl FanOutResult {
    /// Returns the failure of `first`, the first target, if no target was reached. It is retryable.
    pub fn none_reached(&self, clients: &Clients, first: &Target) -> Option<Failure> {
        let failure = |phase| clients.failure(phase, first);
        match self.outcomes.first()?.outcome {
            Outcome::Skipped(SkipReason::Throttled) => {
                Some(failure(Phase::Assume).ended(TimeLimit::Waiting(WaitFor::RateLimit)))
            }
            Outcome::Skipped(_) => Some(failure(Phase::List).ended(TimeLimit::Deadline)),
            Outcome::Listed(_) | Outcome::Failed(_) => None,
        }
    }
}

/// The outcome of one target.
#[derive(Debug, Clone)]
pub struct AccountOutcome {
    /// The result.
    pub outcome: Outcome,
    /// The duration, including the time held back by the STS rate limiter. Zero for a skipped target.
    pub duration: Duration,
}

/// The result of one target.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The target was listed.
    Listed(Listing),
    /// Listing the target failed.
    Failed(Failure),
    /// The invocation did not reach the target.
    Skipped(SkipReason),
}

/// The reason a target was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The deadline was near.
    Deadline,
    /// The response was full.
    ResponseFull,
    /// STS throttled the caller until the deadline was reached or near.
    Throttled,
}

impl SkipReason {
    /// `deadline`, `response-full` or `throttled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::ResponseFull => "response-full",
            Self::Throttled => "throttled",
        }
    }
}

/// Lists the buckets of `targets`.
///
/// Every target gets an outcome. The first is always tried, even if the deadline has passed. It is skipped only if STS
/// throttles the caller to the end, or if the invocation [began](FanOutOptions::started) long before: see
/// [`FanOutResult::none_reached`].
///
/// `measure` returns the size of the result of a listed or failed target in the response. It is called once per target,
/// in the order they finish. A result that is larger than the whole budget becomes a
/// [`FailureKind::ResponseTooLarge`](crate::FailureKind::ResponseTooLarge), which is measured again, as is a failure
/// without its [partial](Failure::partial) buckets if it did not fit with them. The result is the longest prefix of the
/// targets that fits the budget, and always has the first.
///
/// Dropping the future cancels everything in flight.
pub async fn fan_out(
    clients: &Clients,
    targets: &[Target],
    options: &FanOutOptions,
    mut measure: impl FnMut(&Target, &AccountOutcome) -> usize,
) -> FanOutResult {
    let budget = options.response_budget;
    let room = Budget::new(budget, options.memory, clients.typical());
    let schedule = Schedule::new(options, Instant::now());
    // Whether an account is waiting to start.
    let is_wanted = AtomicBool::new(false);
    let mut outcomes = Vec::with_capacity(targets.len());
    // Outcomes that wait for an earlier one.
    let mut waiting: Vec<Option<(AccountOutcome, usize)>> = Vec::new();
    waiting.resize_with(targets.len(), || None);
    let mut in_flight = FuturesUnordered::new();
    let mut next = 0;
    let mut used = 0_usize;
    let mut finished = 0_usize;
    let mut reason = None;
    // The first account that was cut short, and why.
    let mut cut_short: Option<(usize, SkipReason)> = None;
    'call: loop {
        while next < targets.len()
            && in_flight.len() < options.concurrency.get()
            && reason.is_none()
        {
            // Finished accounts come before the ones that would start now.
            if finished >= budget && next > 0 {
                reason = Some(SkipReason::ResponseFull);
            } else if schedule.is_some_and(|time| Instant::now() >= time.last_start) && next > 0 {
                reason = Some(SkipReason::Deadline);
            } else {
                let target = &targets[next];
                let reservation = room.reservation(next);
                let time = schedule.map_or(AccountTime::until(None), |time| {
                    time.account_time(next, &is_wanted)
                });
                in_flight.push(Yielding::new(list_account(
                    clients,
                    next,
                    target,
                    options,
                    schedule,
                    time,
                    reservation,
                )));
                next += 1;
            }
        }
        let waits = next < targets.len() && reason.is_none() && finished < budget;
        is_wanted.store(waits, Ordering::Relaxed);
        let Some((index, answer)) = in_flight.next().await else {
            break;
        };
        if let Outcome::Skipped(why) = answer.outcome {
            room.skipped(index);
            if why == SkipReason::ResponseFull {
                // It was the first unfinished account, so all accounts before it have results.
                cut_short = Some((index, why));
                break;
            }
            // Later accounts may still finish, but are listed again: the next invocation starts here.
            reason = Some(why);
            if cut_short.is_none_or(|(first, _)| index < first) {
                cut_short = Some((index, why));
            }
            continue;
        }
        let (answer, size) = fit(clients, &targets[index], answer, budget, &mut measure);
        finished = finished.saturating_add(size);
        room.ended(index, size);
        waiting[index] = Some((answer, size));
        while let Some((answer, size)) = waiting.get_mut(outcomes.len()).and_then(Option::take) {
            if used.saturating_add(size) > budget && !outcomes.is_empty() {
                cut_short = Some((outcomes.len(), SkipReason::ResponseFull));
                break 'call;
            }
            used = used.saturating_add(size);
            room.answered(outcomes.len(), size);
            outcomes.push(answer);
        }
    }
    clients.set_typical(room.typical());
    let reached = outcomes.len();
    let reason = cut_short.map(|(_, why)| why).or(reason);
    let skipped = AccountOutcome {
        outcome: Outcome::Skipped(reason.unwrap_or(SkipReason::Deadline)),
        duration: Duration::ZERO,
    };
    outcomes.resize(targets.len(), skipped);
    FanOutResult {
        outcomes,
        resume: (reached < targets.len()).then_some(reached),
    }
}

/// An account in flight that yields to the connections after it makes progress.
///
/// A connection writes a request when the runtime polls it, which happens when the fan-out yields. Responses arrive in
/// batches. A fan-out that processed a whole batch first would send the next requests late and all at once, so they
/// would stay batched: with 1,000 accounts at 20 ms and 64 in flight, that cost 75 ms of 825. `FuturesUnordered` yields
/// after two futures that wake themselves (futures-util 0.3), so this one does so every other time.
struct Yielding<F> {
    account: Pin<Box<F>>,
    has_yielded: bool,
}

impl<F: Future> Yielding<F> {
    fn new(account: F) -> Self {
        Self {
            // Boxed because the SDK's futures have some 25 KB, which would be moved around.
            account: Box::pin(account),
            has_yielded: true,
        }
    }
}

impl<F: Future> Future for Yielding<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let outcome = self.account.as_mut().poll(context);
        if outcome.is_pending() {
            self.has_yielded = !self.has_yielded;
            if !self.has_yielded {
                context.waker().wake_by_ref();
            }
        }
        outcome
    }
}

/// Lists one target.
async fn list_account(
    clients: &Clients,
    index: usize,
    target: &Target,
    options: &FanOutOptions,
    schedule: Option<Schedule>,
    time: AccountTime<'_>,
    reservation: Reservation,
) -> (usize, AccountOutcome) {
    let started = Instant::now();
    let others = options
        .own_account
        .as_ref()
        .filter(|own| target.role().is_none() && **own != target.account);
    let listed = if options.unlisted.contains(&target.account) {
        Err(clients.failure(Phase::Organization, target).not_listed())
    } else if let Some(own) = others {
        let failure = clients.failure(Phase::List, target);
        Err(failure.not_of_this_account(own.as_str()))
    } else {
        let wanted = ListRequest {
            prefix: options.prefix.as_deref(),
            max_name_bytes: options.max_name_bytes,
            bucket_bytes: options.bucket_bytes,
            reservation: &reservation,
        };
        list_target(clients, target, wanted, &time).await
    };
    let duration = started.elapsed();
    let outcome = match listed {
        Ok(listing) => Outcome::Listed(listing),
        Err(_) if reservation.found_full() => Outcome::Skipped(SkipReason::ResponseFull),
        Err(failure) => match schedule.and_then(|schedule| schedule.cut_short(index, &time)) {
            Some(why) => Outcome::Skipped(why),
            None => Outcome::Failed(failure),
        },
    };
    (index, AccountOutcome { outcome, duration })
}

/// Returns the outcome, or a smaller failure if it alone exceeds `budget`, and its size.
fn fit(
    clients: &Clients,
    target: &Target,
    mut answer: AccountOutcome,
    budget: usize,
    measure: &mut impl FnMut(&Target, &AccountOutcome) -> usize,
) -> (AccountOutcome, usize) {
    let size = measure(target, &answer);
    if size <= budget {
        return (answer, size);
    }
    if let Outcome::Failed(failure) = &answer.outcome
        && !failure.partial().is_empty()
    {
        answer.outcome = Outcome::Failed(failure.clone().without_partial());
        let size = measure(target, &answer);
        if size <= budget {
            return (answer, size);
        }
    }
    let failure = clients
        .failure(Phase::List, target)
        .response_too_large(size, budget);
    answer.outcome = Outcome::Failed(failure);
    let size = measure(target, &answer);
    (answer, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_pending_poll_yields() {
        use std::{
            sync::{
                Arc,
                atomic::{AtomicUsize, Ordering},
            },
            task::{Wake, Waker},
        };

        #[derive(Default)]
        struct Woken(AtomicUsize);

        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut account = Box::pin(Yielding::new(std::future::pending::<()>()));
        let counts: Vec<usize> = (0..4)
            .map(|_| {
                let mut context = Context::from_waker(&waker);
                assert!(account.as_mut().poll(&mut context).is_pending());
                woken.0.load(Ordering::Relaxed)
            })
            .collect();
        assert_eq!(counts, [1, 1, 2, 2]);
    }

    #[test]
    fn a_short_invocation_starts_accounts_for_three_quarters_of_its_time() {
        let now = Instant::now();
        for (left, margin, start) in [
            (60_000, 2_000, 58_000),
            (8_000, 2_000, 6_000),
            (1_000, 2_000, 750),
            (1_000, 0, 1_000),
            (0, 2_000, 0),
        ] {
            let options = FanOutOptions {
                deadline: Some(now + Duration::from_millis(left)),
                stop_starting_before: Duration::from_millis(margin),
                ..FanOutOptions::default()
            };
            let last = Schedule::new(&options, now).unwrap().last_start;
            assert_eq!(last, now + Duration::from_millis(start), "{left} {margin}");
        }
        assert_eq!(Schedule::new(&FanOutOptions::default(), now), None);
    }

    #[test]
    fn an_account_s_share_is_half_of_the_time_left() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        for (left, fair) in [(60, 30), (28, 14), (1, 1)] {
            let options = FanOutOptions {
                deadline: Some(now + seconds(left)),
                started: now.checked_sub(seconds(40)),
                ..FanOutOptions::default()
            };
            let time = Schedule::new(&options, now).unwrap();
            assert_eq!(time.fair, seconds(fair));
            assert_eq!(time.least, seconds(40 + left) / 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_account_has_the_whole_invocation() {
        let options = FanOutOptions {
            deadline: Some(Instant::now() + Duration::from_millis(6)),
            ..FanOutOptions::default()
        };
        let schedule = Schedule::new(&options, Instant::now()).unwrap();
        tokio::time::advance(Duration::from_millis(4)).await;
        let is_wanted = AtomicBool::new(false);
        for (index, left) in [(0, 6), (1, 2)] {
            let time = schedule.account_time(index, &is_wanted);
            let left = Duration::from_millis(left);
            assert_eq!(time.before(schedule.deadline), left, "{index}");
        }
    }
}
