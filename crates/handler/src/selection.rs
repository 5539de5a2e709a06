//! Selects the accounts of an invocation from those of the stage.
//!
//! A request can only filter: every account that it names must be one of the stage's.

use std::collections::{BTreeSet, HashSet};

use contract::{AccountId, Organization, Target};

use crate::{
    event::InvalidEvent,
    prefix_checksum::PassedAccounts,
    request::{Position, Request},
};

/// The maximum number of accounts that an error names.
const MAX_NAMED: usize = 10;

/// The source of a stage's accounts, which determines their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountSource<'a> {
    /// A list, in configured order.
    List,
    /// An organization, ordered by account ID. Its accounts come and go.
    Organization(&'a Organization),
}

/// The accounts of an invocation, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    /// The accounts to list.
    pub(crate) targets: Vec<Target>,
    /// The accounts among them that the event names but that have left the organization since the first invocation.
    pub(crate) unlisted: BTreeSet<AccountId>,
    /// The accounts of a list that earlier invocations have passed; `None` for an organization.
    pub(crate) passed: Option<PassedAccounts>,
}

/// Selects the accounts for `request` from `all` accounts of the stage.
///
/// # Errors
/// The request names an account that the stage does not contain, or the position of its token no longer exists.
pub(crate) fn select(
    all: Vec<Target>,
    source: AccountSource<'_>,
    request: &Request,
) -> Result<Selected, InvalidEvent> {
    let mut targets = all;
    let mut unlisted = BTreeSet::new();
    if let Some(accounts) = &request.filter.accounts {
        let known: HashSet<&AccountId> = targets.iter().map(|target| &target.account).collect();
        let unknown: Vec<&AccountId> = accounts
            .iter()
            .filter(|account| !known.contains(account))
            .collect();
        match source {
            _ if unknown.is_empty() => {}
            // They were members in the first invocation.
            AccountSource::Organization(organization) if request.resume.is_some() => {
                unlisted = unknown.into_iter().cloned().collect();
                targets.extend(unlisted.iter().map(|account| organization.role_in(account)));
                targets.sort_by(|one, other| one.account.cmp(&other.account));
            }
            _ => return Err(unknown_accounts(&unknown, source)),
        }
        targets.retain(|target| accounts.contains(&target.account));
    }
    let none_passed = match source {
        AccountSource::List => Some(PassedAccounts::default()),
        AccountSource::Organization(_) => None,
    };
    let Some(Position { from, passed }) = &request.resume else {
        return Ok(Selected {
            targets,
            unlisted,
            passed: none_passed,
        });
    };
    let reached = match (source, passed) {
        (AccountSource::List, Some(passed)) => targets
            .iter()
            .position(|target| target.account == *from)
            .filter(|&reached| all_of(&targets[..reached]) == *passed),
        (AccountSource::Organization(_), None) => {
            Some(targets.partition_point(|target| target.account < *from))
        }
        // The stage has changed from a list to an organization, or the reverse.
        (AccountSource::List, None) | (AccountSource::Organization(_), Some(_)) => None,
    };
    let reached = reached.ok_or_else(|| changed(from))?;
    Ok(Selected {
        targets: targets.split_off(reached),
        unlisted,
        passed: *passed,
    })
}

fn all_of(targets: &[Target]) -> PassedAccounts {
    PassedAccounts::default().and(targets.iter().map(|target| &target.account))
}

/// The stage's list has changed since the token was issued, so continuing could skip an account.
fn changed(from: &AccountId) -> InvalidEvent {
    InvalidEvent::new(
        format!(
            "`resume` continues with account {from}, but the accounts of the stage before it have changed"
        ),
        Some("the stage was deployed again; omit `resume` to start again"),
    )
}

fn unknown_accounts(unknown: &[&AccountId], source: AccountSource<'_>) -> InvalidEvent {
    let named: Vec<&str> = unknown
        .iter()
        .take(MAX_NAMED)
        .map(|account| account.as_str())
        .collect();
    let (noun, verb) = match unknown.len() {
        1 => ("account", "is"),
        _ => ("accounts", "are"),
    };
    let more = match unknown.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hint = match source {
        AccountSource::List => "an event can only select accounts that the stage contains",
        AccountSource::Organization(Organization { exclude, .. })
            if unknown.iter().any(|&one| exclude.contains(one)) =>
        {
            "the stage excludes some of them with `exclude`"
        }
        AccountSource::Organization(_) => {
            "check that the account is active and in one of the stage's organizational units, not closed or suspended"
        }
    };
    InvalidEvent::new(
        format!(
            "`accounts`: {noun} {}{more} {verb} not in this stage",
            named.join(", ")
        ),
        Some(hint),
    )
}

#[cfg(test)]
mod tests {
    use contract::Units;

    use super::*;
    use crate::request::Filter;

    fn id(text: &str) -> AccountId {
        format!("{text:0>12}").parse().unwrap()
    }

    fn targets(ids: &[&str]) -> Vec<Target> {
        let role = || "Reader".parse().unwrap();
        ids.iter()
            .map(|text| Target::by_role(id(text), role()))
            .collect()
    }

    fn request(accounts: Option<&[&str]>, resume: Option<&str>) -> Request {
        Request {
            filter: Filter {
                accounts: accounts.map(|list| list.iter().map(|text| id(text)).collect()),
                ..Filter::default()
            },
            resume: resume.map(|from| Position {
                from: id(from),
                passed: None,
            }),
        }
    }

    /// A request with a token after `before`.
    fn after(before: &[&str], accounts: Option<&[&str]>, from: &str) -> Request {
        let mut request = request(accounts, Some(from));
        if let Some(position) = &mut request.resume {
            position.passed = Some(all_of(&targets(before)));
        }
        request
    }

    fn organization(all: &[&str], request: &Request) -> Result<Selected, InvalidEvent> {
        let organization = Organization {
            admin: id("100"),
            units: Units::All,
            exclude: BTreeSet::from([id("9")]),
            role: "Reader".parse().unwrap(),
            external_id: None,
        };
        select(
            targets(all),
            AccountSource::Organization(&organization),
            request,
        )
    }

    fn list(all: &[&str], request: &Request) -> Result<Selected, InvalidEvent> {
        select(targets(all), AccountSource::List, request)
    }

    fn expect(selected: Result<Selected, InvalidEvent>, ids: &[&str]) {
        assert_eq!(selected.unwrap().targets, targets(ids));
    }

    #[test]
    fn all_in_configured_order_or_those_that_are_named() {
        let all = ["3", "1", "2"];
        expect(list(&all, &request(None, None)), &all);
        let some = request(Some(&["1", "2", "3"]), None);
        expect(list(&all, &some), &all);
        expect(list(&all, &request(Some(&["2", "3"]), None)), &["3", "2"]);
    }

    #[test]
    fn an_account_outside_the_stage_is_an_error() {
        let message = |result: Result<Selected, InvalidEvent>| result.unwrap_err().to_string();
        let one = message(list(&["1"], &request(Some(&["1", "9"]), None)));
        assert!(
            one.contains("account 000000000009 is not in this stage"),
            "{one}"
        );
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
    fn a_list_continues_only_where_it_stopped() {
        let token = after(&["3"], None, "1");
        expect(list(&["3", "1", "2"], &token), &["1", "2"]);
        expect(list(&["3", "1", "4"], &token), &["1", "4"]);
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
        let filtered = after(&["3"], Some(&["2", "3"]), "2");
        expect(list(&["3", "1", "2"], &filtered), &["2"]);
    }

    #[test]
    fn an_organization_continues_although_accounts_come_and_go() {
        let token = request(None, Some("5"));
        expect(organization(&["1", "5", "7"], &token), &["5", "7"]);
        expect(organization(&["1", "4", "7"], &token), &["7"]);
        expect(organization(&["1"], &token), &[]);
        let first = request(Some(&["1", "5", "7"]), None);
        assert!(organization(&["1", "5"], &first).is_err());
    }

    #[test]
    fn a_named_account_that_left_the_organization_is_reported_once() {
        let token = request(Some(&["1", "5", "7"]), Some("5"));
        expect(organization(&["1", "5", "6", "7"], &token), &["5", "7"]);
        for (all, unlisted) in [
            (&["1", "5", "7"][..], &[][..]),
            (&["1", "5"], &["7"]),
            (&["1", "7"], &["5"]),
            (&["1"], &["5", "7"]),
            // Account 1 had its result in an earlier invocation.
            (&["7"], &["1", "5"]),
        ] {
            let selected = organization(all, &token).unwrap();
            assert_eq!(selected.targets, targets(&["5", "7"]), "{all:?}");
            let expected = unlisted.iter().map(|text| id(text)).collect();
            assert_eq!(selected.unlisted, expected, "{all:?}");
        }
    }

    #[test]
    fn a_token_of_a_list_does_not_continue_an_organization_or_the_reverse() {
        let of_organization = request(None, Some("1"));
        let error = list(&["3", "1"], &of_organization).unwrap_err();
        assert!(error.to_string().contains("deployed again"), "{error}");
        let error = organization(&["1", "3"], &after(&["3"], None, "1")).unwrap_err();
        assert!(error.to_string().contains("deployed again"), "{error}");
    }

    #[test]
    fn a_forged_position_is_rejected() {
        let mut token = after(&["3"], None, "1");
        for count in [0, 2, usize::MAX] {
            if let Some(passed) = token
                .resume
                .as_mut()
                .and_then(|resume| resume.passed.as_mut())
            {
                passed.count = count;
            }
            assert!(list(&["3", "1", "2"], &token).is_err(), "{count}");
        }
    }
}
