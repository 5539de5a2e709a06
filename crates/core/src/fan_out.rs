//! Many targets in one call.
//!
//! Targets are started in order, a bounded number at a time, and answered in order, whatever finishes first. There are
//! two reasons to stop before the last: the deadline, and the size of the answer. Either way those that are answered
//! are the first ones, without a gap, and those that are skipped are the rest, so that one number,
//! [`FanOutResult::resume`], says where the next call begins; and as each call answers for at least one target, unless STS lets
//! none through, a chain of calls comes to its end with each target answered for once.
//!
//! A target fails for its own sake alone. One that the deadline cuts short is skipped, and with it what comes after it, and
//! has its time in the next call. So is one that waits for its turn at STS, which throttles the caller as a whole: that is
//! no part of its own time, and it is asked for again until the call ends. And where others wait for its place, none has
//! more than half of the call: a bunch of dead ones would otherwise be all that a call gets to
//! ([`FanOutOptions::least_time`]).
//!
//! One task polls them all: the work is waiting for the network, and a thread more would only cost memory.
//!
//! What is *not* here: what an answer looks like, and so how large it is, which the caller measures; and retries, which
//! each request has for itself.

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

/// How a call for many targets goes about it.
#[derive(Debug, Clone)]
pub struct FanOutOptions {
    /// How many accounts are listed at a time. Default 64.
    pub concurrency: Concurrency,
    /// When the call must have ended; what is under way then is skipped, or, where it had its time, fails with
    /// [`FailureKind::Timeout`](crate::FailureKind::Timeout). Default: none.
    pub deadline: Option<Instant>,
    /// When the call began, where that was before its accounts are listed: its first account fails at the deadline if it
    /// had half of the call, and is skipped where it had less. Default: when they begin to be listed.
    pub started: Option<Instant>,
    /// An account's time is half of the call, but no less than this. Where others wait for its place it fails after that,
    /// and the deadline fails none that had less; but for the first of a call, so that a chain of calls ends. Default 1 s:
    /// several times what an account takes.
    pub least_time: Duration,
    /// How long before the deadline no account is started any more, so that those under way can end. At most a quarter
    /// of the time that there is when the call begins. Default 2 s: several times what an account takes with a retry.
    pub stop_starting_before: Duration,
    /// How large the answers together may be, in the unit of the caller's measure; what is skipped does not count.
    /// Default: no limit.
    pub response_budget: usize,
    /// How many bytes the names of an account's buckets may have together. One with more fails with
    /// [`FailureKind::ResponseTooLarge`](crate::FailureKind::ResponseTooLarge) as soon as that is known: its other pages
    /// are not asked for, and take no memory. Default: no limit.
    pub max_name_bytes: usize,
    /// About how many bytes of the answer a bucket takes beside its name, where the caller measures in bytes. By it the call
    /// knows early when the answer will be full, and requests few pages in vain. Default: not known.
    pub bucket_bytes: Option<usize>,
    /// How many bytes of memory the pages under way may take. The first account that has not ended may take more, up to 8 MiB
    /// for a page and what `max_name_bytes` allows; the others wait for room. What the answer holds does not count. Default: no
    /// limit.
    pub memory: usize,
    /// Only buckets whose names begin so. Default: all.
    pub prefix: Option<String>,
    /// The account that the process's own credentials belong to, where that is known: with them no other is listed.
    /// Default: not known.
    pub own_account: Option<AccountId>,
    /// The accounts that the organization no longer has: each fails with
    /// [`FailureKind::NotListed`](crate::FailureKind::NotListed), and no request is sent for it. Default: none.
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

/// The time of a call that has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Schedule {
    /// When the accounts begin to be listed.
    start: Instant,
    deadline: Instant,
    /// Until when accounts are started.
    last_start: Instant,
    /// What an account may have, where others wait, and must have had for the deadline to be no excuse.
    fair: Duration,
    /// The same of the first account, so that a chain of calls ends.
    least: Duration,
}

impl Schedule {
    /// That of a call for so many targets that begins `now`.
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

    /// The time of the account at `index`, which is started now. The first one's begins with the call, however late the
    /// process gets to it: it would be skipped otherwise in a call of a few milliseconds.
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

    /// Why the account at `index` is skipped, where its time was cut short.
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

/// What became of every target of a call.
#[derive(Debug, Clone)]
pub struct FanOutResult {
    /// One for each target, in the order of the targets.
    pub outcomes: Vec<AccountOutcome>,
    /// Which target was the first to be skipped, where one was: all from there on were. The next call begins with it.
    pub resume: Option<usize>,
}

impl FanOutResult {
    /// Why no target was reached, where none was: what would have been the failure of `first`, the first of them. It is
    /// retryable.
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

/// What became of a target.
#[derive(Debug, Clone)]
pub struct AccountOutcome {
    /// Whether it was listed.
    pub outcome: Outcome,
    /// How long it took, waiting for its turn at STS included; zero where it was skipped.
    pub duration: Duration,
}

/// Whether a target was listed.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was.
    Listed(Listing),
    /// It could not be.
    Failed(Failure),
    /// It was not reached in this call.
    Skipped(SkipReason),
}

/// Why a target was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The deadline was near.
    Deadline,
    /// The answer was full.
    ResponseFull,
    /// STS throttled the caller, and its turn did not come, or came too late.
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
/// Each target gets one answer. The first is always tried, even where the deadline has passed already. It is reached, unless
/// STS throttled the caller to the end, or the call had begun long [before](FanOutOptions::started):
/// [`FanOutResult::none_reached`].
///
/// `measure` tells how large a target's part of the answer is, of one that was listed or failed; it is called once for
/// each, in the order they finish. A part that alone is larger than the budget becomes a failure,
/// [`FailureKind::ResponseTooLarge`](crate::FailureKind::ResponseTooLarge), which is measured in its turn, and so is a
/// failure that had to give up its [partial](Failure::partial) buckets to fit. The longest beginning that fits the
/// budget is answered; the first target is, whatever its size.
///
/// Dropping the future ends everything that is under way.
pub async fn fan_out(
    clients: &Clients,
    targets: &[Target],
    options: &FanOutOptions,
    mut measure: impl FnMut(&Target, &AccountOutcome) -> usize,
) -> FanOutResult {
    let budget = options.response_budget;
    let room = Budget::new(budget, options.memory, clients.typical());
    let schedule = Schedule::new(options, Instant::now());
    // Whether one waits for a place.
    let is_wanted = AtomicBool::new(false);
    let mut outcomes = Vec::with_capacity(targets.len());
    // Finished, but after one that is not.
    let mut waiting: Vec<Option<(AccountOutcome, usize)>> = Vec::new();
    waiting.resize_with(targets.len(), || None);
    let mut in_flight = FuturesUnordered::new();
    let mut next = 0;
    let mut used = 0_usize;
    let mut finished = 0_usize;
    let mut reason = None;
    // The first of those that were cut short, and why.
    let mut cut_short: Option<(usize, SkipReason)> = None;
    'call: loop {
        while next < targets.len()
            && in_flight.len() < options.concurrency.get()
            && reason.is_none()
        {
            // Whatever has finished comes before what would be started now.
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
                in_flight.push(MakingWay::new(answer(
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
                // It was the first in line, so all before it are answered.
                cut_short = Some((index, why));
                break;
            }
            // What comes after it may still end, and is asked for again all the same: the next call begins here.
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

/// An account under way, which makes way for the connections whenever it has got on.
///
/// A request is written when its connection has its turn, and that comes when the call gives up its own. Responses come in
/// bunches; a call that worked through a whole bunch first would send all their next requests late and at once, and so
/// stay bunched: of 1,000 accounts at 20 ms and 64 at a time, that took 75 ms of 825. `FuturesUnordered` gives up its turn
/// after two futures that woke themselves (futures-util 0.3), so that is what this one does, every other time.
struct MakingWay<F> {
    account: Pin<Box<F>>,
    has_made_way: bool,
}

impl<F: Future> MakingWay<F> {
    fn new(account: F) -> Self {
        Self {
            // Boxed: the SDK's futures are some 25 KB, and would be moved about.
            account: Box::pin(account),
            has_made_way: true,
        }
    }
}

impl<F: Future> Future for MakingWay<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let outcome = self.account.as_mut().poll(context);
        if outcome.is_pending() {
            self.has_made_way = !self.has_made_way;
            if !self.has_made_way {
                context.waker().wake_by_ref();
            }
        }
        outcome
    }
}

/// Lists one target.
async fn answer(
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

/// The answer, or what is told of it where it is larger than `budget` alone, and its size.
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
    fn each_poll_that_got_on_is_followed_by_one_that_makes_way() {
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
        let mut account = Box::pin(MakingWay::new(std::future::pending::<()>()));
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
    fn a_short_call_keeps_three_quarters_for_starting() {
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
    fn an_account_has_a_fair_time() {
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
    async fn the_first_account_has_the_whole_call_however_late_it_is_started() {
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
