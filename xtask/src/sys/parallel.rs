//! The same for many things, on every processor: a workspace may have a thousand stages.

use std::{num::NonZero, panic, thread};

/// What `work` makes of each of `items`, in their order.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(1);
    let mut items = items.into_iter();
    let mut shares = Vec::new();
    loop {
        let share: Vec<T> = items.by_ref().take(share).collect();
        if share.is_empty() {
            break;
        }
        shares.push(share);
    }
    thread::scope(|scope| {
        let work = &work;
        let begun: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(work).collect::<Vec<R>>()))
            .collect();
        begun
            .into_iter()
            .flat_map(|share| {
                share
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_whatever_the_number() {
        for number in [0, 1, 2, 3, 1_000] {
            let squares = map((0..number).collect(), |item: u64| item * item);
            let expected: Vec<u64> = (0..number).map(|item| item * item).collect();
            assert_eq!(squares, expected);
        }
    }
}
