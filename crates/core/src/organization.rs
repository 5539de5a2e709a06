//! The accounts of an organization, from AWS Organizations.
//!
//! All of them come from `ListAccounts`; those of units from `ListAccountsForParent` for each unit, and from
//! `ListChildren` for the units nested in it. These are the permissions that the caller needs: the first for `all: true`,
//! the other two for `units`.
//!
//! Organizations answers a few requests a second, so the walk keeps [`AT_A_TIME`] of them under way and slows down for
//! all when it is throttled; and what it found is [kept](FRESH) for the calls that follow.
//!
//! The walk is no snapshot: an account that moves from one unit to another meanwhile may be seen twice, which counts
//! once, or not at all.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use aws_sdk_organizations::{
    Client,
    config::retry::RetryConfig,
    types::{Account, Child, ChildType},
};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::request_id::RequestId;
use contract::{AccountId, Organization, Target, TargetName, UnitId, Units};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Clients, FailureKind, Late,
    attempts::attempts,
    failure::{Failure, FailureBuilder},
    pacer::Pacer,
    within,
};

/// How long the accounts are kept. A warm function walks the organization that often, and a new or closed account is
/// noticed no later.
const FRESH: Duration = Duration::from_mins(5);

/// How many requests are under way at a time.
const AT_A_TIME: usize = 4;

/// The page size that is asked for: the most that Organizations allows (Organizations API reference, `ListAccounts`).
const PAGE_SIZE: i32 = 20;

/// How many empty pages in a row are followed. "These operations can occasionally return an empty set of results even
/// when more results are available" (Organizations API reference, `ListAccounts`), but not for ever.
const MOST_EMPTY_PAGES: u32 = 100;

/// The targets of an organization, by account id: its active accounts, those of the configured units with all that are
/// nested in them or those of all, without the excluded ones. The Admin account, where it is among them, is listed with
/// the caller's own credentials.
///
/// What Organizations said is kept for five minutes of the configuration's clock, for calls with the same
/// `organization`; an account that joins or leaves is noticed after that. Nothing older is used: where it cannot be read
/// again, that is a failure. As `clients` keep it, it costs a warm call no request.
///
/// The order is by account id, so that a chain of calls, each of which begins with the first account that the one before
/// did not reach, misses none but those that join or leave meanwhile.
///
/// `deadline` is when the call must have ended. An organization is walked from its beginning by each call that has no
/// accounts to use, 20 accounts a request and all of them one page after the other: thousands take some ten seconds.
///
/// # Errors
/// A [`Failure`] of [`Phase::Organization`](crate::Phase::Organization) and the Admin account: nothing was listed. Among
/// the kinds are [`OrganizationDenied`](FailureKind::OrganizationDenied), [`UnitNotFound`](FailureKind::UnitNotFound),
/// [`DuplicateAccount`](FailureKind::DuplicateAccount) for an active account that two of the units select, as one lies in
/// the other, and [`NoAccounts`](FailureKind::NoAccounts) for an empty selection.
pub async fn organization_targets(
    clients: &Clients,
    organization: &Organization,
    deadline: Option<Instant>,
) -> Result<Vec<Target>, Failure> {
    let walk = Walk {
        client: clients.directory.client(clients),
        clients,
        organization,
    };
    within(deadline, clients.directory.targets(&walk))
        .await
        .unwrap_or_else(|Late| Err(walk.failure().deadline()))
}

/// What is known of the organization, and the client to ask with, which is made when it is first needed.
pub(crate) struct Directory {
    client: OnceLock<Client>,
    pacer: Pacer,
    clock: SharedTimeSource,
    /// Held while the organization is walked, so that those who come meanwhile wait for it and do not walk as well.
    known: Mutex<Option<Known>>,
}

struct Known {
    organization: Organization,
    targets: Vec<Target>,
    since: SystemTime,
}

impl Directory {
    pub(crate) fn new(clock: SharedTimeSource) -> Self {
        Self {
            client: OnceLock::new(),
            pacer: Pacer::default(),
            clock,
            known: Mutex::default(),
        }
    }

    fn client(&self, clients: &Clients) -> &Client {
        self.client.get_or_init(|| {
            Client::from_conf(
                aws_sdk_organizations::config::Builder::from(clients.config())
                    .retry_config(RetryConfig::disabled())
                    .build(),
            )
        })
    }

    async fn targets(&self, walk: &Walk<'_>) -> Result<Vec<Target>, Failure> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && known.organization == *walk.organization
            && self.is_fresh(known.since)
        {
            return Ok(known.targets.clone());
        }
        let since = self.clock.now();
        let targets = walk.targets().await?;
        *known = Some(Known {
            organization: walk.organization.clone(),
            targets: targets.clone(),
            since,
        });
        Ok(targets)
    }

    /// Not so where the clock has gone back.
    fn is_fresh(&self, since: SystemTime) -> bool {
        let age = self.clock.now().duration_since(since);
        age.is_ok_and(|age| age < FRESH)
    }
}

/// An organization being walked.
#[derive(Clone, Copy)]
struct Walk<'a> {
    client: &'a Client,
    clients: &'a Clients,
    organization: &'a Organization,
}

/// An account of the organization.
struct Member {
    id: AccountId,
    is_active: bool,
    /// What the organization calls it, or nearly so.
    name: Option<TargetName>,
}

/// What was found below one of the configured units.
#[derive(Default)]
struct Branch {
    /// The units of it, itself included.
    units: HashSet<UnitId>,
    members: Vec<Member>,
}

/// A request still to make: for the branch of this number, in this unit.
struct Job {
    branch: usize,
    unit: UnitId,
    wanted: Wanted,
}

#[derive(Clone, Copy)]
enum Wanted {
    Units,
    Members,
}

enum Found {
    Units(Vec<UnitId>),
    Members(Vec<Member>),
}

impl Walk<'_> {
    fn failure(&self) -> FailureBuilder {
        FailureBuilder::of_organization(&self.organization.admin, self.clients.region().clone())
    }

    async fn targets(&self) -> Result<Vec<Target>, Failure> {
        let units: Vec<&UnitId> = match &self.organization.units {
            Units::All => {
                let members = self.all().await?;
                return self.select([&members]);
            }
            Units::Some(units) => units.iter().collect(),
        };
        let branches = self.branches(&units).await?;
        self.refuse_nested(&units, &branches)?;
        self.select(branches.iter().map(|branch| &branch.members))
    }

    /// The targets among `members`.
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

    /// Refuses an account that two of the units select, the one of which lies in the other.
    fn refuse_nested(&self, units: &[&UnitId], branches: &[Branch]) -> Result<(), Failure> {
        let inner = units.iter().zip(branches);
        let nested = inner.flat_map(|(inner, branch)| {
            units
                .iter()
                .zip(branches)
                .filter(move |(outer, around)| *outer != inner && around.units.contains(*inner))
                .map(move |(outer, _)| (*outer, *inner, branch))
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

    /// Walks down from each of the units.
    async fn branches(&self, units: &[&UnitId]) -> Result<Vec<Branch>, Failure> {
        let mut branches: Vec<_> = units.iter().map(|_| Branch::default()).collect();
        let mut jobs = VecDeque::new();
        for (number, unit) in units.iter().enumerate() {
            branches[number].enter(number, unit, &mut jobs);
        }
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_A_TIME
                && let Some(job) = jobs.pop_front()
            {
                let is_configured = units.contains(&&job.unit);
                under_way.push(Box::pin(self.find(job, is_configured)));
            }
            let Some(found) = under_way.next().await else {
                return Ok(branches);
            };
            let (number, found) = found?;
            let branch = &mut branches[number];
            match found {
                Found::Units(nested) => {
                    for unit in nested {
                        branch.enter(number, &unit, &mut jobs);
                    }
                }
                Found::Members(members) => branch.members.extend(members),
            }
        }
    }

    async fn find(&self, job: Job, is_configured: bool) -> Result<(usize, Found), Failure> {
        let Job {
            branch,
            unit,
            wanted,
        } = job;
        let found = match wanted {
            Wanted::Units => self.nested_units(&unit).await.map(Found::Units),
            Wanted::Members => self.members(&unit).await.map(Found::Members),
        };
        match found {
            // Deleted after its parent has named it: only an empty unit can be.
            Err(failure) if failure.kind() == FailureKind::UnitNotFound && !is_configured => {
                Ok((branch, Found::Members(Vec::new())))
            }
            found => Ok((branch, found?)),
        }
    }

    /// Every account of the organization.
    async fn all(&self) -> Result<Vec<Member>, Failure> {
        let failure = || self.failure().needing("organizations:ListAccounts");
        let request = self.client.list_accounts().max_results(PAGE_SIZE);
        self.pages(failure, |token| {
            let request = request.clone().set_next_token(token);
            async move {
                let page = request
                    .send()
                    .await
                    .map_err(|error| failure().sdk(&error))?;
                let request_id = page.request_id().map(ToOwned::to_owned);
                let items = items(page.accounts, page.next_token.as_deref(), member);
                Page::new(items, page.next_token, request_id, failure)
            }
        })
        .await
    }

    /// The accounts that lie in `unit` itself.
    async fn members(&self, unit: &UnitId) -> Result<Vec<Member>, Failure> {
        let failure = || {
            let failure = self.failure().in_unit(unit);
            failure.needing("organizations:ListAccountsForParent")
        };
        let request = self.client.list_accounts_for_parent();
        let request = request.parent_id(unit.as_str()).max_results(PAGE_SIZE);
        self.pages(failure, |token| {
            let request = request.clone().set_next_token(token);
            async move {
                let page = request
                    .send()
                    .await
                    .map_err(|error| failure().sdk(&error))?;
                let request_id = page.request_id().map(ToOwned::to_owned);
                let items = items(page.accounts, page.next_token.as_deref(), member);
                Page::new(items, page.next_token, request_id, failure)
            }
        })
        .await
    }

    /// The units that lie in `unit` itself.
    async fn nested_units(&self, unit: &UnitId) -> Result<Vec<UnitId>, Failure> {
        let failure = || {
            let failure = self.failure().in_unit(unit);
            failure.needing("organizations:ListChildren")
        };
        let request = self.client.list_children().parent_id(unit.as_str());
        let request = request
            .child_type(ChildType::OrganizationalUnit)
            .max_results(PAGE_SIZE);
        self.pages(failure, |token| {
            let request = request.clone().set_next_token(token);
            async move {
                let page = request
                    .send()
                    .await
                    .map_err(|error| failure().sdk(&error))?;
                let request_id = page.request_id().map(ToOwned::to_owned);
                let items = items(page.children, page.next_token.as_deref(), nested_unit);
                Page::new(items, page.next_token, request_id, failure)
            }
        })
        .await
    }

    /// What all pages hold.
    async fn pages<T, F>(
        &self,
        failure: impl Fn() -> FailureBuilder,
        mut ask: impl FnMut(Option<String>) -> F,
    ) -> Result<Vec<T>, Failure>
    where
        F: Future<Output = Result<Page<T>, Failure>>,
    {
        let pacer = &self.clients.directory.pacer;
        let mut all = Vec::new();
        let mut empty_pages = 0;
        let mut seen = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let page = attempts(pacer, self.clients.limits(), || ask(token.clone())).await?;
            let invalid = |what| failure().invalid_response(what, &page.request_id);
            empty_pages = if page.items.is_empty() {
                empty_pages + 1
            } else {
                0
            };
            all.extend(page.items);

            let Some(next) = page.next_token.filter(|next| !next.is_empty()) else {
                return Ok(all);
            };
            if empty_pages > MOST_EMPTY_PAGES {
                return Err(invalid("one empty page follows the other"));
            }
            if !seen.insert(next.clone()) {
                return Err(invalid(
                    "it repeats a token, so following it would never end",
                ));
            }
            token = Some(next);
        }
    }
}

impl Branch {
    /// What is to be asked of `unit`, unless that was done.
    fn enter(&mut self, branch: usize, unit: &UnitId, jobs: &mut VecDeque<Job>) {
        if self.units.insert(unit.clone()) {
            jobs.extend([Wanted::Units, Wanted::Members].map(|wanted| Job {
                branch,
                unit: unit.clone(),
                wanted,
            }));
        }
    }
}

/// One answer of a list operation.
struct Page<T> {
    items: Vec<T>,
    next_token: Option<String>,
    request_id: Answered,
}

impl<T> Page<T> {
    /// A failure where the answer is not what it should be: an attempt that failed.
    fn new(
        items: Result<Vec<T>, &'static str>,
        next_token: Option<String>,
        request_id: Option<String>,
        failure: impl Fn() -> FailureBuilder,
    ) -> Result<Self, Failure> {
        let request_id = Answered(request_id);
        match items {
            Ok(items) => Ok(Self {
                items,
                next_token,
                request_id,
            }),
            Err(what) => Err(failure().invalid_response(what, &request_id)),
        }
    }
}

/// The id of an answered request.
struct Answered(Option<String>);

impl RequestId for Answered {
    fn request_id(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The items of an answer. The SDK reads an empty body as an answer that has none, where Organizations sends an empty list;
/// but with a token the list may be left out: such a page is empty.
fn items<T, U>(
    items: Option<Vec<T>>,
    next_token: Option<&str>,
    item: impl Fn(T) -> Result<U, &'static str>,
) -> Result<Vec<U>, &'static str> {
    let goes_on = next_token.is_some_and(|token| !token.is_empty());
    items
        .or_else(|| goes_on.then(Vec::new))
        .ok_or("it holds no list")?
        .into_iter()
        .map(item)
        .collect()
}

fn member(account: Account) -> Result<Member, &'static str> {
    let id = account.id.unwrap_or_default();
    // `Status` was to go on 2026-09-09, and something that is not AWS's own may know nothing else (Organizations API
    // reference, `Account`).
    let state = match (&account.state, &account.status) {
        (Some(state), _) => state.as_str(),
        (None, Some(status)) => status.as_str(),
        (None, None) => return Err("it has an account without a state"),
    };
    Ok(Member {
        id: id
            .parse()
            .map_err(|_| "it has an account without a valid id")?,
        is_active: state == "ACTIVE",
        name: account.name.as_deref().and_then(TargetName::nearest),
    })
}

fn nested_unit(child: Child) -> Result<UnitId, &'static str> {
    let id = child.id.unwrap_or_default();
    id.parse().map_err(|_| "it has a unit without a valid id")
}
