//! Which of the stage's accounts a call is for.
//!
//! A request can narrow what the stage configured, and never widen it: every account that it names must be there.

use std::collections::{BTreeSet, HashSet};

use contract::{AccountId, Target};

use crate::{
    event::{InvalidEvent, Position, Request},
    seen::Seen,
};

/// How many accounts an error names.
const MOST_NAMED: usize = 10;

/// Where a stage's accounts come from, and so in which order they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roster<'a> {
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
    /// Which those were.
    pub(crate) seen: Seen,
}

/// What `request` asks for, of `all` that the stage has.
///
/// # Errors
/// An account that is named and not there, and a token whose place is no longer there.
pub(crate) fn select(
    all: Vec<Target>,
    roster: Roster<'_>,
    request: &Request,
) -> Result<Selected, InvalidEvent> {
    // Of an organization one that was named and there when the chain began may have been closed since.
    let may_be_gone = matches!(roster, Roster::Organization { .. }) && request.resume.is_some();
    let mut targets = all;
    if let Some(accounts) = &request.narrowing.accounts {
        let known: HashSet<&AccountId> = targets.iter().map(|target| &target.account).collect();
        let unknown: Vec<&AccountId> = accounts
            .iter()
            .filter(|account| !known.contains(account) && !may_be_gone)
            .collect();
        if !unknown.is_empty() {
            return Err(unknown_accounts(&unknown, roster));
        }
        targets.retain(|target| accounts.contains(&target.account));
    }
    let Some(Position { from, at, seen }) = &request.resume else {
        return Ok(Selected {
            targets,
            before: 0,
            seen: Seen::default(),
        });
    };
    let reached = match roster {
        Roster::List => targets
            .iter()
            .position(|target| target.account == *from)
            .filter(|reached| reached == at && all_of(&targets[..*reached]) == *seen)
            .ok_or_else(|| changed(from))?,
        Roster::Organization { .. } => targets.partition_point(|target| target.account < *from),
    };
    Ok(Selected {
        targets: targets.split_off(reached),
        before: *at,
        seen: *seen,
    })
}

fn all_of(targets: &[Target]) -> Seen {
    Seen::default().and(targets.iter().map(|target| &target.account))
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

fn unknown_accounts(unknown: &[&AccountId], roster: Roster<'_>) -> InvalidEvent {
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
    let hint = match roster {
        Roster::List => "an event can leave accounts of the stage out, and add none to them",
        Roster::Organization { exclude } if unknown.iter().any(|&one| exclude.contains(one)) => {
            "the stage excludes accounts by `exclude`, which wins"
        }
        Roster::Organization { .. } => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Narrowing;

    fn id(text: &str) -> AccountId {
        format!("{text:0>12}").parse().unwrap()
    }

    fn targets(ids: &[&str]) -> Vec<Target> {
        let role = || "Reader".parse().unwrap();
        ids.iter()
            .map(|text| Target::by_role(id(text), role()))
            .collect()
    }

    fn request(accounts: Option<&[&str]>, resume: Option<(&str, usize)>) -> Request {
        Request {
            narrowing: Narrowing {
                accounts: accounts.map(|list| list.iter().map(|text| id(text)).collect()),
                ..Narrowing::default()
            },
            resume: resume.map(|(from, at)| Position {
                from: id(from),
                at,
                seen: Seen::default(),
            }),
        }
    }

    /// The token of a chain that has been through `before`.
    fn after(before: &[&str], accounts: Option<&[&str]>, from: &str) -> Request {
        let mut request = request(accounts, Some((from, before.len())));
        if let Some(position) = &mut request.resume {
            position.seen = all_of(&targets(before));
        }
        request
    }

    fn organization(all: &[&str], request: &Request) -> Result<Selected, InvalidEvent> {
        let exclude = BTreeSet::from([id("9")]);
        let roster = Roster::Organization { exclude: &exclude };
        select(targets(all), roster, request)
    }

    fn list(all: &[&str], request: &Request) -> Result<Selected, InvalidEvent> {
        select(targets(all), Roster::List, request)
    }

    fn expect(selected: Result<Selected, InvalidEvent>, ids: &[&str], before: usize) {
        let selected = selected.unwrap();
        assert_eq!((selected.targets, selected.before), (targets(ids), before));
    }

    #[test]
    fn all_in_configured_order_or_those_that_are_named() {
        let all = ["3", "1", "2"];
        expect(list(&all, &request(None, None)), &all, 0);
        let some = request(Some(&["1", "2", "3"]), None);
        expect(list(&all, &some), &all, 0);
        expect(
            list(&all, &request(Some(&["2", "3"]), None)),
            &["3", "2"],
            0,
        );
    }

    #[test]
    fn what_the_stage_does_not_have_is_an_error() {
        let message = |result: Result<Selected, InvalidEvent>| result.unwrap_err().to_string();
        let one = message(list(&["1"], &request(Some(&["1", "9"]), None)));
        assert!(one.contains("account 000000000009 is not among"), "{one}");
        let many: Vec<String> = (10..30).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let many = message(list(&["1"], &request(Some(&many), None)));
        assert!(many.contains("000000000019 and 10 more are not"), "{many}");
        let excluded = message(organization(&["1"], &request(Some(&["9"]), None)));
        assert!(excluded.contains("`exclude`"), "{excluded}");
        let closed = message(organization(&["1"], &request(Some(&["8"]), None)));
        assert!(closed.contains("suspended"), "{closed}");
    }

    #[test]
    fn a_list_goes_on_where_it_was_left_and_nowhere_else() {
        let token = after(&["3"], None, "1");
        expect(list(&["3", "1", "2"], &token), &["1", "2"], 1);
        expect(list(&["3", "1", "4"], &token), &["1", "4"], 1);
        // Gone, moved back, moved forward, and after another one.
        for all in [
            &["3", "2"][..],
            &["3", "4", "1", "2"],
            &["1", "2"],
            &["4", "1", "2"],
        ] {
            let error = list(all, &token).unwrap_err().to_string();
            assert!(error.contains("account 000000000001"), "{error}");
        }
        let exchanged = after(&["3", "1"], None, "2");
        assert!(list(&["1", "3", "2"], &exchanged).is_err());
        let narrowed = after(&["3"], Some(&["2", "3"]), "2");
        expect(list(&["3", "1", "2"], &narrowed), &["2"], 1);
    }

    #[test]
    fn an_organization_goes_on_though_accounts_come_and_go() {
        let token = request(None, Some(("5", 3)));
        expect(organization(&["1", "5", "7"], &token), &["5", "7"], 3);
        expect(organization(&["1", "4", "7"], &token), &["7"], 3);
        expect(organization(&["1"], &token), &[], 3);
        // Those named may be gone, before and after.
        let narrowed = request(Some(&["1", "5", "7"]), Some(("5", 1)));
        expect(organization(&["5", "6", "7"], &narrowed), &["5", "7"], 1);
        expect(organization(&["1", "5"], &narrowed), &["5"], 1);
        let first = request(Some(&["1", "5", "7"]), None);
        assert!(organization(&["1", "5"], &first).is_err());
    }
}
