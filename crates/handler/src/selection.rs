//! Which of the stage's accounts a call is for.
//!
//! A request can narrow what the stage configured, and never widen it: every account that it names must be there.

use std::collections::{BTreeSet, HashSet};

use contract::{AccountId, Target};

use crate::event::{InvalidEvent, Position, Request};

/// How many accounts an error names.
const MOST_NAMED: usize = 10;

/// What a stage's accounts are, at the time of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage<'a> {
    /// A list, in the order in which it was configured.
    List,
    /// Those of an organization but these, by their ids. They come and go by themselves.
    Organization { exclude: &'a BTreeSet<AccountId> },
}

/// The accounts of a call, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    /// What is left to do.
    pub(crate) targets: Vec<Target>,
    /// How many of the chain of calls came before them.
    pub(crate) before: usize,
}

/// What `request` asks for, of `all` that the stage has.
///
/// # Errors
/// An account that is named and not there, and a token whose place is no longer there.
pub(crate) fn select(
    all: Vec<Target>,
    stage: Stage<'_>,
    request: &Request,
) -> Result<Selected, InvalidEvent> {
    let is_left = |account: &AccountId| match (&stage, &request.resume) {
        (Stage::Organization { .. }, Some(Position { from, .. })) => account >= from,
        _ => true,
    };
    let mut targets = all;
    if let Some(accounts) = &request.narrowing.accounts {
        let known: HashSet<&AccountId> = targets.iter().map(|target| &target.account).collect();
        let unknown: Vec<&AccountId> = accounts
            .iter()
            .filter(|account| !known.contains(account) && is_left(account))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown_accounts(&unknown, stage));
        }
        targets.retain(|target| accounts.contains(&target.account));
    }
    let Some(Position { from, at }) = &request.resume else {
        return Ok(Selected { targets, before: 0 });
    };
    let reached = match stage {
        Stage::List => targets
            .iter()
            .position(|target| target.account == *from)
            .filter(|reached| reached == at)
            .ok_or_else(|| changed(from))?,
        Stage::Organization { .. } => targets.partition_point(|target| target.account < *from),
    };
    Ok(Selected {
        targets: targets.split_off(reached),
        before: *at,
    })
}

/// The stage's list is not what it was when the token was given: to go on could pass over an account.
fn changed(from: &AccountId) -> InvalidEvent {
    InvalidEvent::new(
        format!(
            "`resume` goes on with account {from}, and the stage's accounts up to that one are not what they were when the token was given"
        ),
        Some("the stage was deployed again in between: leave `resume` out to begin anew"),
    )
}

fn unknown_accounts(unknown: &[&AccountId], stage: Stage<'_>) -> InvalidEvent {
    let named: Vec<&str> = unknown
        .iter()
        .take(MOST_NAMED)
        .map(|account| account.as_str())
        .collect();
    let (noun, verb) = match unknown.len() {
        1 => ("account", "is"),
        _ => ("accounts", "are"),
    };
    let more = match unknown.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hint = match stage {
        Stage::List => "an event can leave accounts of the stage out, and add none to them",
        Stage::Organization { exclude } if unknown.iter().any(|&one| exclude.contains(one)) => {
            "the stage excludes accounts by `exclude`, which wins"
        }
        Stage::Organization { .. } => {
            "an account may be closed or suspended, or lie in none of the stage's organizational units"
        }
    };
    InvalidEvent::new(
        format!(
            "`accounts`: {noun} {}{more} {verb} not among those that this stage lists",
            named.join(", ")
        ),
        Some(hint),
    )
}
