//! Many targets in one call.
//!
//! Targets are started in order, a bounded number at a time, and answered in order, whatever finishes first. There are
//! two reasons to stop before the last: the deadline, and the size of the answer. Either way those that are answered
//! are the first ones, without a gap, and those that are skipped are the rest, so that one number,
//! [`Answers::resume`], says where the next call begins; and as each call answers for at least one target, a chain of
//! calls comes to its end with each target answered for once.
//!
//! One task polls them all: the work is waiting for the network, and a thread more would only cost memory.
//!
//! What is *not* here: what an answer looks like, and so how large it is, which the caller measures; and retries, which
//! each request has for itself.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use contract::{Concurrency, Target};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use crate::{
    Clients, Listing,
    failure::{Failure, Phase},
    list_buckets_with_prefix,
};

/// How a call for many targets goes about it.
#[derive(Debug, Clone)]
pub struct FanOutOptions {
    /// How many accounts are listed at a time. Default 64.
    pub concurrency: Concurrency,
    /// When the call must have ended; what is under way then fails with
    /// [`FailureKind::Timeout`](crate::FailureKind::Timeout). Default: none.
    pub deadline: Option<Instant>,
    /// How long before the deadline no account is started any more, so that those under way can end. At most a quarter
    /// of the time that there is when the call begins. Default 2 s: several times what an account takes with a retry.
    pub stop_starting_before: Duration,
    /// How large the answers together may be, in the unit of the caller's measure; what is skipped does not count.
    /// Default: no limit.
    pub response_budget: usize,
    /// Only buckets whose names begin so. Default: all.
    pub prefix: Option<String>,
}

impl Default for FanOutOptions {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            deadline: None,
            stop_starting_before: Duration::from_secs(2),
            response_budget: usize::MAX,
            prefix: None,
        }
    }
}

impl FanOutOptions {
    /// Until when accounts are started, in a call that begins `now`.
    fn last_start(&self, now: Instant) -> Option<Instant> {
        let left = self.deadline?.saturating_duration_since(now);
        Some(now + left.saturating_sub(self.stop_starting_before.min(left / 4)))
    }
}

/// What became of every target of a call.
#[derive(Debug, Clone)]
pub struct Answers {
    /// One for each target, in the order of the targets.
    pub answers: Vec<Answer>,
    /// Which target was the first to be skipped, where one was: all from there on were. The next call begins with it.
    pub resume: Option<usize>,
}

/// What became of a target.
#[derive(Debug, Clone)]
pub struct Answer {
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
}

impl SkipReason {
    /// `deadline` or `response-full`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::ResponseFull => "response-full",
        }
    }
}

/// Lists the buckets of `targets`.
///
/// Each target gets one answer. The first is always reached, even where the deadline has passed already.
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
    mut measure: impl FnMut(&Target, &Answer) -> usize,
) -> Answers {
    let budget = options.response_budget;
    let last_start = options.last_start(Instant::now());
    let mut answers = Vec::with_capacity(targets.len());
    // Finished, but after one that is not.
    let mut waiting: Vec<Option<(Answer, usize)>> = Vec::new();
    waiting.resize_with(targets.len(), || None);
    let mut in_flight = FuturesUnordered::new();
    let mut next = 0;
    let mut used = 0_usize;
    let mut finished = 0_usize;
    let mut reason = None;
    'call: loop {
        while next < targets.len()
            && in_flight.len() < options.concurrency.get()
            && reason.is_none()
        {
            // Whatever has finished comes before what would be started now.
            if finished >= budget && next > 0 {
                reason = Some(SkipReason::ResponseFull);
            } else if last_start.is_some_and(|last| Instant::now() >= last) && next > 0 {
                reason = Some(SkipReason::Deadline);
            } else {
                in_flight.push(MakingWay::new(answer(
                    clients,
                    next,
                    &targets[next],
                    options,
                )));
                next += 1;
            }
        }
        let Some((index, answer)) = in_flight.next().await else {
            break;
        };
        let (answer, size) = fit(clients, &targets[index], answer, budget, &mut measure);
        finished = finished.saturating_add(size);
        waiting[index] = Some((answer, size));
        while let Some((answer, size)) = waiting.get_mut(answers.len()).and_then(Option::take) {
            if used.saturating_add(size) > budget && !answers.is_empty() {
                reason = Some(SkipReason::ResponseFull);
                break 'call;
            }
            used = used.saturating_add(size);
            answers.push(answer);
        }
    }
    let reached = answers.len();
    let skipped = Answer {
        outcome: Outcome::Skipped(reason.unwrap_or(SkipReason::Deadline)),
        duration: Duration::ZERO,
    };
    answers.resize(targets.len(), skipped);
    Answers {
        answers,
        resume: (reached < targets.len()).then_some(reached),
    }
}

/// An account under way, which makes way for the connections whenever it has got on.
///
/// A request is written when its connection has its turn, and that comes when the call gives up its own. Answers come in
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
) -> (usize, Answer) {
    let started = Instant::now();
    let listed =
        list_buckets_with_prefix(clients, target, options.prefix.as_deref(), options.deadline)
            .await;
    let answer = Answer {
        outcome: listed.map_or_else(Outcome::Failed, Outcome::Listed),
        duration: started.elapsed(),
    };
    (index, answer)
}

/// The answer, or what is told of it where it is larger than `budget` alone, and its size.
fn fit(
    clients: &Clients,
    target: &Target,
    mut answer: Answer,
    budget: usize,
    measure: &mut impl FnMut(&Target, &Answer) -> usize,
) -> (Answer, usize) {
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
            let last = options.last_start(now).unwrap();
            assert_eq!(last, now + Duration::from_millis(start), "{left} {margin}");
        }
        assert_eq!(FanOutOptions::default().last_start(now), None);
    }
}
