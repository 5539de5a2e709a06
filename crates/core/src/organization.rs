//! Reads the accounts of an organization from AWS Organizations.
//!
//! All accounts come from `ListAccounts`. Those of organizational units come from `ListAccountsForParent` for each
//! unit, and from `ListChildren` for the units nested in it. The function needs the first permission for `all: true`
//! and the other two for `units`.
//!
//! Organizations allows a few requests per second, so a walk keeps [`MAX_IN_FLIGHT`] in flight and slows all of them
//! down when it is throttled. The accounts are [cached](crate::organization_cache::CACHE_LIFETIME) for later
//! invocations, and so is the state of a walk that did not finish: the next invocation continues it. Otherwise, short
//! invocations would never get the accounts.
//!
//! A walk is not a snapshot: an account that moves to another unit in the meantime may be found twice, which counts
//! once, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_organizations::{
    Client,
    types::{Account, Child, ChildType},
};
use contract::{Organization, Target, TargetName, UnitId, Units};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use crate::{
    account_time::{AccountTime, TimeLimit, Waits},
    clients::Clients,
    failure::{Failure, FailureBuilder},
    kind::FailureKind,
    organization_cache::{
        Branch, CachedWalk, Items, ListKind, Member, Page, PageRequest, Progress, ResponseId,
        WalkState,
    },
    retry::send_with_retries,
};

/// The maximum number of requests in flight.
const MAX_IN_FLIGHT: usize = 4;

/// The page size in each request: the most that Organizations allows (Organizations API reference, `ListAccounts`).
const PAGE_SIZE: i32 = 20;

/// Returns the targets of an organization, ordered by account ID: the active accounts of all units or of the configured
/// ones, including nested units, without the excluded accounts. The Admin account, if it is one of them, is listed with
/// the process's own credentials.
///
/// `clients` caches the accounts for five minutes of the configuration's clock, for invocations with the same
/// `organization`, so a warm invocation needs no request. An account that joins or leaves is noticed after that. Older
/// accounts are never used: if they cannot be read again, that is a failure.
///
/// The order lets a series of invocations, each starting with the first account that the previous one did not reach,
/// miss only accounts that join or leave in the meantime.
///
/// The invocation must end at `deadline`. A walk reads 20 accounts per request, and all accounts of the organization
/// page by page, so thousands take some ten seconds. If that is too long for one invocation, it fails, and the next one
/// continues the walk, unless more than five minutes have passed since it began.
///
/// # Errors
/// A [`Failure`] of [`Phase::Organization`](crate::Phase::Organization) for the Admin account; nothing was listed. Its
/// kinds include [`OrganizationDenied`](FailureKind::OrganizationDenied), [`UnitNotFound`](FailureKind::UnitNotFound),
/// [`DuplicateAccount`](FailureKind::DuplicateAccount) for an active account in two configured units of which one
/// contains the other, and [`NoAccounts`](FailureKind::NoAccounts) for an empty selection.
pub async fn organization_targets(
    clients: &Clients,
    organization: &Organization,
    deadline: Option<Instant>,
) -> Result<Vec<Target>, Failure> {
    let walk = Walk {
        client: clients.organization.client(clients.config()),
        clients,
        organization,
    };
    AccountTime::until(deadline)
        .within(walk.cached_targets())
        .await
        .unwrap_or_else(|_| Err(walk.failure().ended(TimeLimit::Deadline)))
}

/// Returns the failure of an invocation whose walk left no time to list the first account.
pub fn no_time_left(clients: &Clients, organization: &Organization) -> Failure {
    let admin = &organization.admin;
    FailureBuilder::of_organization(admin, clients.region().clone()).no_time_left()
}

/// A walk of an organization.
#[derive(Clone, Copy)]
struct Walk<'a> {
    client: &'a Client,
    clients: &'a Clients,
    organization: &'a Organization,
}

impl Walk<'_> {
    /// Returns the targets of the cached walk, after finishing it or starting a new one if needed.
    async fn cached_targets(&self) -> Result<Vec<Target>, Failure> {
        let cache = &self.clients.organization;
        let mut cached = cache.walk.lock().await;
        cached.take_if(|walk| !cache.is_fresh(walk, self.organization));
        let is_resumed = cached.is_some();
        match self.resume(&mut cached).await {
            // The token may have expired: Organizations does not document its lifetime.
            Err(failure) if is_resumed && failure.kind() == FailureKind::RequestRejected => {
                self.resume(&mut cached).await
            }
            targets => targets,
        }
    }

    /// Continues the cached walk or begins one. Its state stays in `cached` even if the future is dropped.
    async fn resume(&self, cached: &mut Option<CachedWalk>) -> Result<Vec<Target>, Failure> {
        let begin = || CachedWalk {
            organization: self.organization.clone(),
            started: self.clients.organization.now(),
            progress: Progress::Partial(self.begin()),
        };
        let progress = &mut cached.get_or_insert_with(begin).progress;
        let targets = match progress {
            Progress::Complete(targets) => return Ok(targets.clone()),
            Progress::Partial(state) => self.targets(state).await,
        };
        match &targets {
            Ok(targets) => *progress = Progress::Complete(targets.clone()),
            Err(failure) if can_resume(failure.kind()) => {}
            Err(_) => *cached = None,
        }
        targets
    }

    fn failure(&self) -> FailureBuilder {
        FailureBuilder::of_organization(&self.organization.admin, self.clients.region().clone())
    }

    /// Returns the configured units.
    fn units(&self) -> Option<&BTreeSet<UnitId>> {
        match &self.organization.units {
            Units::All => None,
            Units::Some(units) => Some(units),
        }
    }

    /// Starts a walk of each configured unit, or of all accounts.
    fn begin(&self) -> WalkState {
        let mut state = WalkState::default();
        match self.units() {
            None => {
                state.branches.push(Branch::default());
                state.read(0, ListKind::All);
            }
            Some(units) => {
                for (number, unit) in units.iter().enumerate() {
                    state.branches.push(Branch::default());
                    state.enter(number, unit);
                }
            }
        }
        state
    }

    async fn targets(&self, state: &mut WalkState) -> Result<Vec<Target>, Failure> {
        self.read(state).await?;
        if let Some(units) = self.units() {
            self.reject_nested(units, &state.branches)?;
        }
        self.select(state.branches.iter().map(|branch| &branch.members))
    }

    /// Returns the targets among `members`.
    fn select<'a>(
        &self,
        members: impl IntoIterator<Item = &'a Vec<Member>>,
    ) -> Result<Vec<Target>, Failure> {
        let members: BTreeMap<_, _> = members
            .into_iter()
            .flatten()
            .map(|member| (&member.id, member))
            .collect();
        let targets: Vec<_> = members
            .values()
            .filter_map(|member| self.target(member))
            .collect();
        if targets.is_empty() {
            return Err(self.failure().no_accounts(members.len()));
        }
        Ok(targets)
    }

    fn target(&self, member: &Member) -> Option<Target> {
        let target = member
            .is_active
            .then(|| self.organization.target(member.id.clone()))??;
        Some(Target {
            name: member.name.clone(),
            ..target
        })
    }

    /// Rejects an account that two configured units select because one contains the other.
    fn reject_nested(&self, units: &BTreeSet<UnitId>, branches: &[Branch]) -> Result<(), Failure> {
        let inner = units.iter().zip(branches);
        let nested = inner.flat_map(|(inner, branch)| {
            units
                .iter()
                .zip(branches)
                .filter(move |(outer, around)| *outer != inner && around.units.contains(inner))
                .map(move |(outer, _)| (outer, inner, branch))
        });
        let first = nested
            .flat_map(|(outer, inner, branch)| {
                let members = branch.members.iter();
                members.map(move |member| (&member.id, outer, inner, member))
            })
            .filter(|(.., member)| self.target(member).is_some())
            .min_by_key(|(account, ..)| *account);
        match first {
            Some((account, outer, inner, _)) => {
                Err(self.failure().duplicate_account(account, outer, inner))
            }
            None => Ok(()),
        }
    }

    /// Reads every list to its end, and stores each page in `state` as soon as it arrives.
    async fn read(&self, state: &mut WalkState) -> Result<(), Failure> {
        let mut in_flight = FuturesUnordered::new();
        let ask = |number, request: &PageRequest| Box::pin(self.ask(number, request.clone()));
        let mut next = 0;
        loop {
            while in_flight.len() < MAX_IN_FLIGHT
                && let Some(list) = state.lists.get(next)
            {
                in_flight.extend(list.iter().map(|list| ask(next, &list.next)));
                next += 1;
            }
            let Some((number, page)) = in_flight.next().await else {
                return Ok(());
            };
            let next = state.add(number, page?, |kind| self.failure_of(kind))?;
            in_flight.extend(next.map(|request| ask(number, request)));
        }
    }

    /// Requests a page of the list with this number.
    async fn ask(&self, number: usize, request: PageRequest) -> (usize, Result<Page, Failure>) {
        let rate_limiter = &self.clients.organization.rate_limiter;
        let waits = Waits::default();
        let limits = self.clients.limits();
        let page =
            send_with_retries(Some((rate_limiter, &waits)), limits, || self.page(&request)).await;
        let page = match page {
            // Deleted after its parent was read. Only an empty unit can be deleted.
            Err(failure)
                if failure.kind() == FailureKind::UnitNotFound && !self.names(&request) =>
            {
                Ok(Page::empty())
            }
            page => page,
        };
        (number, page)
    }

    /// Returns whether `request` concerns a configured unit.
    fn names(&self, request: &PageRequest) -> bool {
        let (ListKind::Members(unit) | ListKind::Units(unit)) = &request.kind else {
            return false;
        };
        self.units().is_some_and(|units| units.contains(unit))
    }

    /// Returns the failure for a page of `kind`.
    fn failure_of(&self, kind: &ListKind) -> FailureBuilder {
        let failure = self.failure();
        match kind {
            ListKind::All => failure.needing("organizations:ListAccounts"),
            ListKind::Members(unit) => failure
                .in_unit(unit)
                .needing("organizations:ListAccountsForParent"),
            ListKind::Units(unit) => failure.in_unit(unit).needing("organizations:ListChildren"),
        }
    }

    /// Sends the request once. A malformed response counts as a failed attempt.
    async fn page(&self, PageRequest { kind, token }: &PageRequest) -> Result<Page, Failure> {
        let failure = || self.failure_of(kind);
        let token = token.clone();
        let (found, next_token, request_id) = match kind {
            ListKind::All => {
                let request = self.client.list_accounts().max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = ResponseId::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let members = items(answer.accounts, next_token.as_deref(), member);
                (members.map(Items::Members), next_token, request_id)
            }
            ListKind::Members(unit) => {
                let request = self.client.list_accounts_for_parent();
                let request = request.parent_id(unit.as_str()).max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = ResponseId::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let members = items(answer.accounts, next_token.as_deref(), member);
                (members.map(Items::Members), next_token, request_id)
            }
            ListKind::Units(unit) => {
                let request = self.client.list_children().parent_id(unit.as_str());
                let request = request
                    .child_type(ChildType::OrganizationalUnit)
                    .max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = ResponseId::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let units = items(answer.children, next_token.as_deref(), nested_unit);
                (units.map(Items::Units), next_token, request_id)
            }
        };
        match found {
            Ok(found) => Ok(Page {
                found,
                next_token,
                request_id,
            }),
            Err(what) => Err(failure().invalid_response(what, &request_id)),
        }
    }
}

/// Returns whether a walk with this failure can be continued: the failure is transient and does not concern earlier
/// responses.
fn can_resume(kind: FailureKind) -> bool {
    kind.is_retryable() && kind != FailureKind::InvalidResponse
}

/// Returns the items of a response. The SDK reads an empty body as a response without a list; Organizations sends an
/// empty list instead. With a token, however, the list may be missing: the page is empty.
fn items<T, U>(
    items: Option<Vec<T>>,
    next_token: Option<&str>,
    item: impl Fn(T) -> Result<U, &'static str>,
) -> Result<Vec<U>, &'static str> {
    items
        .or_else(|| next_token.map(|_| Vec::new()))
        .ok_or("it has no list")?
        .into_iter()
        .map(item)
        .collect()
}

fn member(account: Account) -> Result<Member, &'static str> {
    let id = account.id.unwrap_or_default();
    // `Status` was announced to be removed on 2026-09-09, but an emulator may know nothing else (Organizations API
    // reference, `Account`).
    let state = match (&account.state, &account.status) {
        (Some(state), _) => state.as_str(),
        (None, Some(status)) => status.as_str(),
        (None, None) => return Err("it has an account without a state"),
    };
    Ok(Member {
        id: id
            .parse()
            .map_err(|_| "it has an account without a valid ID")?,
        is_active: state == "ACTIVE",
        name: account.name.as_deref().and_then(TargetName::nearest),
    })
}

fn nested_unit(child: Child) -> Result<UnitId, &'static str> {
    let id = child.id.unwrap_or_default();
    id.parse().map_err(|_| "it has a unit without a valid ID")
}
