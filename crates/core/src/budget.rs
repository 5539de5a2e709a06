//! Divides the response and the memory between the accounts of an invocation.
//!
//! A response has room for some 6 MB of names, and a page takes 2 to 3 MB while it is read. If 64 accounts with many
//! buckets were read at once, they would read far more than the response can hold and take more memory than a function
//! has. So each account has a [`Reservation`], and waits for it before it requests a page.
//!
//! The size of an account is known only after its last page. An account with no page yet counts as the [median](Recent)
//! of the last that finished; one with pages left counts as twice what it has.
//!
//! # Invariants
//! - The first account in the queue, which is the first unfinished one, never waits, whatever space is left. So the
//!   invocation makes progress, and no account waits for one that waits itself.
//! - The others hold no more memory than there is. One that receives more gives the page up, drops what it has read of
//!   it, and waits again. The whole pages that it keeps in the meantime count.
//! - The results are the same as without a budget: an account is skipped only if it is the first in the queue and its
//!   names alone do not fit into what is left of the response.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// The number of accounts that share the space while no size is known. Their first pages take no more memory than there
/// is, and few are requested in vain.
const FIRST_ACCOUNTS: usize = 16;

/// The maximum length of a page, in bytes. 10,000 buckets with the longest names and ARNs have 3 MB.
pub(crate) const MAX_PAGE: usize = 8 * 1024 * 1024;

/// The budget of an invocation.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The maximum bytes of the response.
    answer: usize,
    /// The maximum bytes of pages in memory.
    memory: usize,
    line: Mutex<Queue>,
}

/// The sizes that accounts usually have: the first estimate of the next invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypicalSizes {
    /// The bytes of an account in the response.
    size: usize,
    /// The bytes of a page.
    page: usize,
}

/// The accounts that were started and are not yet in the response, in order.
#[derive(Debug)]
struct Queue {
    accounts: BTreeMap<usize, Account>,
    typical: TypicalSizes,
    sizes: Recent,
    pages: Recent,
    longest_page: usize,
    /// The bytes of the response that are used.
    answered: usize,
    /// The bytes that accounts of known or partly known size are expected to add.
    expected: usize,
    /// The number of accounts of unknown size.
    unknown: usize,
    /// The bytes of pages that are held or reserved.
    held: usize,
    waiting: usize,
    /// Whether the first account does not fit.
    is_full: bool,
}

#[derive(Debug, Default)]
struct Account {
    /// The bytes of the response that the account is expected to need, if anything is known.
    expected: Option<usize>,
    /// The bytes of its whole pages.
    kept: usize,
    /// The bytes reserved for the page that it requests.
    page: usize,
    /// The bytes of that page that were read.
    read: usize,
    gave_way: bool,
    /// Wakes the account, if it is waiting.
    waker: Option<Waker>,
}

/// The last few values.
#[derive(Debug, Default)]
struct Recent(VecDeque<usize>);

impl Recent {
    const MAX: usize = 31;

    /// Adds `value` and returns the median, so that a few large accounts do not change the estimate.
    fn with(&mut self, value: usize) -> usize {
        if self.0.len() == Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(value);
        let mut values: Vec<_> = self.0.iter().copied().collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable(middle).1
    }
}

impl Budget {
    /// Creates a budget of `answer` bytes of the response and `memory` bytes of pages. `typical` comes from an earlier
    /// invocation.
    pub(crate) fn new(answer: usize, memory: usize, typical: Option<TypicalSizes>) -> Arc<Self> {
        // Sums with it do not overflow.
        let memory = memory.min(usize::MAX / 2);
        Arc::new(Self {
            answer,
            memory,
            line: Mutex::new(Queue {
                accounts: BTreeMap::new(),
                typical: typical.unwrap_or(TypicalSizes {
                    size: answer / FIRST_ACCOUNTS,
                    page: (memory / FIRST_ACCOUNTS).min(MAX_PAGE),
                }),
                sizes: Recent::default(),
                pages: Recent::default(),
                longest_page: 0,
                answered: 0,
                expected: 0,
                unknown: 0,
                held: 0,
                waiting: 0,
                is_full: false,
            }),
        })
    }

    /// Creates a budget without limits.
    pub(crate) fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX, usize::MAX, None)
    }

    /// Reserves a position for the account `index`, after all accounts with a lower index.
    pub(crate) fn reservation(self: &Arc<Self>, index: usize) -> Reservation {
        let mut line = self.lock();
        line.accounts.insert(index, Account::default());
        line.unknown += 1;
        Reservation {
            room: Arc::clone(self),
            index,
        }
    }

    /// The account finished and needs `size` bytes of the response.
    pub(crate) fn ended(&self, index: usize, size: usize) {
        let mut line = self.lock();
        line.release(index);
        line.expect(index, size);
        line.typical.size = line.sizes.with(size);
        self.wake(&mut line);
    }

    /// The first account in the queue was added to the response.
    pub(crate) fn answered(&self, index: usize, size: usize) {
        let mut line = self.lock();
        line.answered = line.answered.saturating_add(size);
        self.leave(&mut line, index);
    }

    /// The account finished without a result in the response.
    pub(crate) fn skipped(&self, index: usize) {
        let mut line = self.lock();
        line.release(index);
        self.leave(&mut line, index);
    }

    fn leave(&self, line: &mut Queue, index: usize) {
        line.expect(index, 0);
        line.accounts.remove(&index);
        self.wake(line);
    }

    /// Returns the typical sizes, for the next invocation.
    pub(crate) fn typical(&self) -> TypicalSizes {
        self.lock().typical
    }

    /// Returns whether the account may request a page, if earlier accounts need `before` bytes of the response.
    fn may_request(&self, line: &Queue, account: &Account, before: usize) -> bool {
        let expected = account.expected.unwrap_or(line.typical.size);
        let page = line.page(account);
        before.saturating_add(expected) <= self.answer
            && line.held.saturating_add(page) <= self.memory
    }

    /// Returns whether the account `index` may request a page.
    fn has_turn(&self, line: &Queue, index: usize) -> bool {
        let Some(account) = line.accounts.get(&index) else {
            return true;
        };
        if line.is_first(index) {
            return true;
        }
        let unknown = line.unknown.saturating_mul(line.typical.size);
        let all = line
            .answered
            .saturating_add(line.expected)
            .saturating_add(unknown);
        // Usually there is space for all, so there is no need to look at each.
        let before = if all <= self.answer {
            0
        } else {
            line.answered.saturating_add(line.before(index))
        };
        self.may_request(line, account, before)
    }

    /// Wakes the accounts that may continue.
    fn wake(&self, line: &mut Queue) {
        if line.waiting == 0 {
            return;
        }
        let mut before = line.answered;
        let mut awake = Vec::new();
        for (number, (&index, account)) in line.accounts.iter().enumerate() {
            if account.waker.is_some() && (number == 0 || self.may_request(line, account, before)) {
                awake.push(index);
            }
            let expected = account.expected.unwrap_or(line.typical.size);
            before = before.saturating_add(expected);
        }
        for index in awake {
            if let Some(waker) = line.take_waker(index) {
                waker.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_first(&self, index: usize) -> bool {
        self.accounts
            .first_key_value()
            .is_none_or(|(&first, _)| first == index)
    }

    /// Returns the bytes of the response that the accounts before `index` are expected to need.
    fn before(&self, index: usize) -> usize {
        self.accounts
            .range(..index)
            .map(|(_, account)| account.expected.unwrap_or(self.typical.size))
            .fold(0, usize::saturating_add)
    }

    /// Returns the expected bytes of the next page of `account`.
    fn page(&self, account: &Account) -> usize {
        if account.gave_way {
            self.typical.page.max(self.longest_page)
        } else {
            self.typical.page
        }
    }

    fn expect(&mut self, index: usize, size: usize) {
        let Some(account) = self.accounts.get_mut(&index) else {
            return;
        };
        match account.expected.replace(size) {
            Some(before) => self.expected = self.expected.saturating_sub(before),
            None => self.unknown -= 1,
        }
        self.expected = self.expected.saturating_add(size);
    }

    /// Sets the bytes that are reserved for a page, and the bytes that are kept.
    fn hold(&mut self, index: usize, page: usize, kept: usize) {
        let Some(account) = self.accounts.get_mut(&index) else {
            return;
        };
        self.held -= account.page + account.kept;
        account.page = page;
        account.kept = kept;
        self.held += page + kept;
    }

    fn release(&mut self, index: usize) {
        self.hold(index, 0, 0);
        self.take_waker(index);
    }

    fn take_waker(&mut self, index: usize) -> Option<Waker> {
        let waker = self.accounts.get_mut(&index)?.waker.take()?;
        self.waiting -= 1;
        Some(waker)
    }
}

/// An account's position in the queue. Clones are the same position.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    room: Arc<Budget>,
    index: usize,
}

impl Reservation {
    /// Waits until the account may request a page.
    pub(crate) async fn turn(&self) {
        poll_fn(|context| {
            let mut line = self.room.lock();
            line.take_waker(self.index);
            if self.room.has_turn(&line, self.index) {
                // The first in the queue may continue even with less space left.
                let free = self.room.memory.saturating_sub(line.held);
                if let Some(account) = line.accounts.get(&self.index) {
                    let (page, kept) = (line.page(account).min(free), account.kept);
                    line.hold(self.index, page, kept);
                }
                if let Some(account) = line.accounts.get_mut(&self.index) {
                    account.gave_way = false;
                }
                return Poll::Ready(());
            }
            if let Some(account) = line.accounts.get_mut(&self.index) {
                account.waker = Some(context.waker().clone());
                line.waiting += 1;
            }
            Poll::Pending
        })
        .await;
    }

    /// Returns whether the account is waiting, or was when its future was dropped.
    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        let line = self.room.lock();
        let account = line.accounts.get(&self.index);
        account.is_some_and(|account| account.waker.is_some())
    }

    /// Returns the output of `page`, or `None` if the account gave way.
    pub(crate) async fn unless_it_gives_way<T>(&self, page: impl Future<Output = T>) -> Option<T> {
        let mut page = pin!(page);
        poll_fn(|context| match page.as_mut().poll(context) {
            Poll::Ready(page) => Poll::Ready(Some(page)),
            Poll::Pending if self.has_given_way() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn has_given_way(&self) -> bool {
        let line = self.room.lock();
        let account = line.accounts.get(&self.index);
        account.is_some_and(|account| account.gave_way)
    }

    /// A page starts to arrive.
    pub(crate) fn begin(&self) {
        if let Some(account) = self.room.lock().accounts.get_mut(&self.index) {
            account.read = 0;
        }
    }

    /// Adds `bytes` to the page. Returns `false` if there is no memory for them: the account has given way.
    pub(crate) fn read(&self, bytes: usize) -> bool {
        let mut line = self.room.lock();
        let is_first = line.is_first(self.index);
        let held = line.held;
        let Some(account) = line.accounts.get_mut(&self.index) else {
            return true;
        };
        account.read += bytes;
        let (page, kept, read) = (account.page, account.kept, account.read);
        if read <= page {
            return true;
        }
        if is_first || held.saturating_add(read - page) <= self.room.memory {
            line.hold(self.index, read, kept);
            return true;
        }
        account.gave_way = true;
        line.longest_page = line.longest_page.max(read);
        line.hold(self.index, 0, kept);
        self.room.wake(&mut line);
        false
    }

    /// The page was read: the account now keeps `kept` bytes, and needs `size` bytes of the response, if known. If
    /// there are `more` pages, they are expected to need as much again.
    pub(crate) fn has(&self, kept: usize, size: Option<usize>, more: bool) {
        let mut line = self.room.lock();
        let Some(account) = line.accounts.get_mut(&self.index) else {
            return;
        };
        let read = std::mem::take(&mut account.read);
        line.hold(self.index, 0, kept);
        line.longest_page = line.longest_page.max(read);
        line.typical.page = line.pages.with(read);
        if let Some(size) = size {
            let size = if more { size.saturating_mul(2) } else { size };
            line.expect(self.index, size.min(self.room.answer));
        }
        self.room.wake(&mut line);
    }

    /// Returns whether the account cannot fit after the earlier ones, if it needs at least `size` bytes.
    pub(crate) fn is_full(&self, size: usize) -> bool {
        let mut line = self.room.lock();
        let is_full = line.answered > 0
            && line.is_first(self.index)
            && line.answered.saturating_add(size) > self.room.answer;
        line.is_full |= is_full;
        is_full
    }

    /// Returns whether the account was stopped for that reason.
    pub(crate) fn found_full(&self) -> bool {
        let line = self.room.lock();
        line.is_full && line.is_first(self.index)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
    use proptest::prelude::*;

    use super::*;

    const ANSWER: usize = 1_600;

    fn room(accounts: usize, memory: usize) -> (Arc<Budget>, Vec<Reservation>) {
        let room = Budget::new(ANSWER, memory, None);
        let seats = (0..accounts).map(|index| room.reservation(index)).collect();
        (room, seats)
    }

    /// Returns the accounts that may request a page now.
    fn turns(seats: &[Reservation]) -> Vec<usize> {
        let have = seats
            .iter()
            .filter(|reservation| reservation.turn().now_or_never().is_some());
        have.map(|reservation| reservation.index).collect()
    }

    #[test]
    fn few_accounts_start_until_sizes_are_known() {
        let (room, seats) = room(64, usize::MAX);
        assert_eq!(turns(&seats), (0..FIRST_ACCOUNTS).collect::<Vec<_>>());
        room.ended(7, 10);
        assert_eq!(turns(&seats).len(), 63 + 1);
        // The next invocation starts with these sizes.
        let next = Budget::new(ANSWER, usize::MAX, Some(room.typical()));
        let seats: Vec<_> = (0..64).map(|index| next.reservation(index)).collect();
        assert_eq!(turns(&seats).len(), 64);
    }

    #[test]
    fn no_more_pages_are_requested_than_the_response_holds() {
        let (room, seats) = room(64, usize::MAX);
        for reservation in &seats[..16] {
            reservation.has(0, Some(100), true);
        }
        // Eight take 200 each; the others wait.
        assert_eq!(turns(&seats), (0..8).collect::<Vec<_>>());
        assert!(!seats[0].is_full(2_000), "nothing is answered yet");
        for index in 0..8 {
            room.ended(index, 190);
            room.answered(index, 190);
        }
        // 80 are left: the first in the queue continues until it is known not to fit.
        assert_eq!(turns(&seats[8..]), [8]);
        assert!(!seats[8].is_full(80));
        assert!(seats[8].is_full(81));
        assert!(
            !seats[9].is_full(81),
            "those before it may yet fail, and take less"
        );
    }

    #[test]
    fn an_account_without_memory_gives_way_unless_it_is_the_first() {
        let (room, seats) = room(3, 160);
        assert_eq!(turns(&seats), [0, 1, 2]);
        assert!(seats[1].read(100));
        assert!(
            !seats[2].read(100),
            "10 are reserved for the first, and 100 taken"
        );
        assert!(seats[2].has_given_way());
        assert!(seats[0].read(1_000), "whatever there is");
        assert!(turns(&seats[2..]).is_empty());
        assert!(seats[2].is_waiting());
        room.ended(0, 1);
        room.answered(0, 1);
        assert!(
            turns(&seats[2..]).is_empty(),
            "100 may come again, and 60 are left"
        );
        seats[1].has(20, Some(1), true);
        assert_eq!(turns(&seats[2..]), [2]);
        assert!(!seats[2].has_given_way() && !seats[2].is_waiting());
        seats[2].begin();
        assert!(seats[2].read(100));
        room.skipped(1);
        room.skipped(2);
        assert_eq!(room.lock().held, 0);
    }

    proptest! {
        /// All accounts finish, and the ones after the first never hold more than the limit.
        #[test]
        fn all_accounts_finish(
            accounts in prop::collection::vec(prop::collection::vec(1..400_usize, 1..5), 1..40),
            memory in 0..1_000_usize,
        ) {
            let (room, seats) = room(accounts.len(), memory);
            let run = async |reservation: Reservation, pages: Vec<usize>| {
                let mut kept = 0;
                for (number, page) in pages.iter().enumerate() {
                    loop {
                        reservation.turn().await;
                        let came = reservation.unless_it_gives_way(async {
                            reservation.begin();
                            for _ in 0..=*page / 50 {
                                tokio::task::yield_now().await;
                                if !reservation.read(50) {
                                    return std::future::pending().await;
                                }
                            }
                        });
                        if came.await.is_some() {
                            break;
                        }
                    }
                    kept += page / 4;
                    reservation.has(kept, Some(kept), number + 1 < pages.len());
                }
                (reservation.index, kept)
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let ended = runtime.block_on(async {
                let mut running: FuturesUnordered<_> =
                    seats.into_iter().zip(accounts.clone()).map(|(reservation, pages)| run(reservation, pages)).collect();
                let mut sizes = vec![None; accounts.len()];
                let mut next = 0;
                while let Some((index, size)) = running.next().await {
                    room.ended(index, size);
                    sizes[index] = Some(size);
                    while let Some(Some(size)) = sizes.get(next) {
                        room.answered(next, *size);
                        next += 1;
                    }
                    let line = room.lock();
                    let first = line.accounts.values().next().map_or(0, |first| first.page + first.kept);
                    assert!(line.held - first <= memory.max(first), "{line:?}");
                }
                next
            });
            prop_assert_eq!(ended, accounts.len());
            let line = room.lock();
            prop_assert_eq!((line.held, line.waiting, line.unknown, line.expected), (0, 0, 0, 0));
        }
    }
}
