//! The accounts of an organization, from AWS Organizations.
//!
//! All of them come from `ListAccounts`; those of units from `ListAccountsForParent` for each unit, and from
//! `ListChildren` for the units nested in it. These are the permissions that the caller needs: the first for `all: true`,
//! the other two for `units`.
//!
//! Organizations answers a few requests a second, so the walk keeps [`AT_A_TIME`] of them under way and slows down for
//! all when it is throttled; and what it found is [kept](FRESH) for the calls that follow. So is what a walk has found that
//! its call left no time to end: the next call goes on there, or else one with little time would never have the accounts.
//!
//! The walk is no snapshot: an account that moves from one unit to another meanwhile may be seen twice, which counts
//! once, or not at all.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use aws_sdk_organizations::{
    Client,
    types::{Account, Child, ChildType},
};
use aws_smithy_async::time::SharedTimeSource;
use aws_types::request_id::RequestId;
use contract::{AccountId, Organization, Target, TargetName, UnitId, Units};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    account_time::{Ended, OwnTime, Waits},
    clients::Clients,
    clock::CompareClocks,
    failure::{Failure, FailureBuilder, FailureKind},
    rate_limiter::Pacer,
    retry::attempts,
    whole_response::WholeResponses,
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
/// `deadline` is when the call must have ended. An organization is walked by each call that has no accounts to use, 20
/// accounts a request and all of them one page after the other: thousands take some ten seconds. Where that is too long
/// for one call, it fails, and the next one goes on where it was, unless five minutes have passed since the beginning.
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
    OwnTime::until(deadline)
        .within(clients.directory.targets(&walk))
        .await
        .unwrap_or_else(|_| Err(walk.failure().ended(Ended::Deadline)))
}

/// That the call had no time left for its first account when the organization had been walked.
pub fn no_time_left(clients: &Clients, organization: &Organization) -> Failure {
    let admin = &organization.admin;
    FailureBuilder::of_organization(admin, clients.region().clone()).no_time_left()
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
    /// When the walk began.
    since: SystemTime,
    walked: Walked,
}

enum Walked {
    /// The walk was given up, and can go on.
    Partly(SoFar),
    Whole(Vec<Target>),
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
                    .interceptor(WholeResponses::Json)
                    .interceptor(CompareClocks)
                    .build(),
            )
        })
    }

    async fn targets(&self, walk: &Walk<'_>) -> Result<Vec<Target>, Failure> {
        let mut known = self.known.lock().await;
        known.take_if(|known| {
            known.organization != *walk.organization || !self.is_fresh(known.since)
        });
        let goes_on = known.is_some();
        match self.go_on(walk, &mut known).await {
            // The token is no longer good: Organizations does not say how long one is.
            Err(failure) if goes_on && failure.kind() == FailureKind::RequestRejected => {
                self.go_on(walk, &mut known).await
            }
            targets => targets,
        }
    }

    /// Goes on with the walk that is known, or begins one. What it has found is in `known` even if this is dropped.
    async fn go_on(
        &self,
        walk: &Walk<'_>,
        known: &mut Option<Known>,
    ) -> Result<Vec<Target>, Failure> {
        let begin = || Known {
            organization: walk.organization.clone(),
            since: self.clock.now(),
            walked: Walked::Partly(walk.begin()),
        };
        let walked = &mut known.get_or_insert_with(begin).walked;
        let targets = match walked {
            Walked::Whole(targets) => return Ok(targets.clone()),
            Walked::Partly(so_far) => walk.targets(so_far).await,
        };
        match &targets {
            Ok(targets) => *walked = Walked::Whole(targets.clone()),
            Err(failure) if may_go_on(failure.kind()) => {}
            Err(_) => *known = None,
        }
        targets
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

/// What was found below one of the configured units, or in all of the organization.
#[derive(Default)]
struct Branch {
    /// The units of it, itself included.
    units: HashSet<UnitId>,
    members: Vec<Member>,
}

/// How far a walk has come: what it has found, and what it has still to ask.
#[derive(Default)]
struct SoFar {
    /// One for each of the configured units, in their order.
    branches: Vec<Branch>,
    /// In the order in which they were found. `None` is one that has been read to its end.
    lists: Vec<Option<List>>,
}

/// A list being read, page by page.
struct List {
    /// The number of the branch that it belongs to.
    branch: usize,
    next: Question,
    /// The tokens that have led to a page of it.
    seen: HashSet<String>,
    empty_pages: u32,
}

/// A request for a page.
#[derive(Clone)]
struct Question {
    wanted: Wanted,
    token: Option<String>,
}

/// The list that a page is of.
#[derive(Clone)]
enum Wanted {
    /// Every account of the organization.
    All,
    /// The accounts that lie in the unit itself.
    Members(UnitId),
    /// The units that lie in the unit itself.
    Units(UnitId),
}

enum Found {
    Units(Vec<UnitId>),
    Members(Vec<Member>),
}

impl Walk<'_> {
    fn failure(&self) -> FailureBuilder {
        FailureBuilder::of_organization(&self.organization.admin, self.clients.region().clone())
    }

    /// The configured units.
    fn units(&self) -> Option<&BTreeSet<UnitId>> {
        match &self.organization.units {
            Units::All => None,
            Units::Some(units) => Some(units),
        }
    }

    /// A walk down from each of the units, or through all accounts.
    fn begin(&self) -> SoFar {
        let mut so_far = SoFar::default();
        match self.units() {
            None => {
                so_far.branches.push(Branch::default());
                so_far.read(0, Wanted::All);
            }
            Some(units) => {
                for (number, unit) in units.iter().enumerate() {
                    so_far.branches.push(Branch::default());
                    so_far.enter(number, unit);
                }
            }
        }
        so_far
    }

    async fn targets(&self, so_far: &mut SoFar) -> Result<Vec<Target>, Failure> {
        self.read(so_far).await?;
        if let Some(units) = self.units() {
            self.refuse_nested(units, &so_far.branches)?;
        }
        self.select(so_far.branches.iter().map(|branch| &branch.members))
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
    fn refuse_nested(&self, units: &BTreeSet<UnitId>, branches: &[Branch]) -> Result<(), Failure> {
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

    /// Reads every list to its end, each page of which is in `so_far` as soon as it is there.
    async fn read(&self, so_far: &mut SoFar) -> Result<(), Failure> {
        let mut under_way = FuturesUnordered::new();
        let ask = |number, question: &Question| Box::pin(self.ask(number, question.clone()));
        let mut next = 0;
        loop {
            while under_way.len() < AT_A_TIME
                && let Some(list) = so_far.lists.get(next)
            {
                under_way.extend(list.iter().map(|list| ask(next, &list.next)));
                next += 1;
            }
            let Some((number, page)) = under_way.next().await else {
                return Ok(());
            };
            let goes_on = so_far.answered(number, page?, |wanted| self.failure_of(wanted))?;
            under_way.extend(goes_on.map(|question| ask(number, question)));
        }
    }

    /// A page of the list of this number.
    async fn ask(&self, number: usize, question: Question) -> (usize, Result<Page, Failure>) {
        let pacer = &self.clients.directory.pacer;
        let waits = Waits::default();
        let limits = self.clients.limits();
        let page = attempts(Some((pacer, &waits)), limits, || self.page(&question)).await;
        let page = match page {
            // Deleted after its parent has named it: only an empty unit can be.
            Err(failure)
                if failure.kind() == FailureKind::UnitNotFound && !self.names(&question) =>
            {
                Ok(Page::empty())
            }
            page => page,
        };
        (number, page)
    }

    /// Whether `question` is about a unit that is configured.
    fn names(&self, question: &Question) -> bool {
        let (Wanted::Members(unit) | Wanted::Units(unit)) = &question.wanted else {
            return false;
        };
        self.units().is_some_and(|units| units.contains(unit))
    }

    /// What failed to give a page of `wanted`.
    fn failure_of(&self, wanted: &Wanted) -> FailureBuilder {
        let failure = self.failure();
        match wanted {
            Wanted::All => failure.needing("organizations:ListAccounts"),
            Wanted::Members(unit) => failure
                .in_unit(unit)
                .needing("organizations:ListAccountsForParent"),
            Wanted::Units(unit) => failure.in_unit(unit).needing("organizations:ListChildren"),
        }
    }

    /// One attempt. An answer that is not what it should be is one that failed.
    async fn page(&self, Question { wanted, token }: &Question) -> Result<Page, Failure> {
        let failure = || self.failure_of(wanted);
        let token = token.clone();
        let (found, next_token, request_id) = match wanted {
            Wanted::All => {
                let request = self.client.list_accounts().max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = Answered::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let members = items(answer.accounts, next_token.as_deref(), member);
                (members.map(Found::Members), next_token, request_id)
            }
            Wanted::Members(unit) => {
                let request = self.client.list_accounts_for_parent();
                let request = request.parent_id(unit.as_str()).max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = Answered::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let members = items(answer.accounts, next_token.as_deref(), member);
                (members.map(Found::Members), next_token, request_id)
            }
            Wanted::Units(unit) => {
                let request = self.client.list_children().parent_id(unit.as_str());
                let request = request
                    .child_type(ChildType::OrganizationalUnit)
                    .max_results(PAGE_SIZE);
                let answer = request.set_next_token(token).send().await;
                let answer = answer.map_err(|error| failure().sdk(&error))?;
                let request_id = Answered::of(&answer);
                let next_token = answer.next_token.filter(|token| !token.is_empty());
                let units = items(answer.children, next_token.as_deref(), nested_unit);
                (units.map(Found::Units), next_token, request_id)
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

impl SoFar {
    /// What is to be asked of `unit`, unless that was done.
    fn enter(&mut self, branch: usize, unit: &UnitId) {
        if self.branches[branch].units.insert(unit.clone()) {
            self.read(branch, Wanted::Units(unit.clone()));
            self.read(branch, Wanted::Members(unit.clone()));
        }
    }

    /// A list to read.
    fn read(&mut self, branch: usize, wanted: Wanted) {
        self.lists.push(Some(List {
            branch,
            next: Question {
                wanted,
                token: None,
            },
            seen: HashSet::new(),
            empty_pages: 0,
        }));
    }

    /// Takes in a page of the list of this number, and gives what is to be asked for the next one.
    fn answered(
        &mut self,
        number: usize,
        page: Page,
        failure: impl Fn(&Wanted) -> FailureBuilder,
    ) -> Result<Option<&Question>, Failure> {
        let Some(list) = &mut self.lists[number] else {
            return Ok(None);
        };
        let branch = list.branch;
        let goes_on = list
            .go_on(&page)
            .map_err(|what| failure(&list.next.wanted).invalid_response(what, &page.request_id))?;
        if !goes_on {
            self.lists[number] = None;
        }
        match page.found {
            Found::Units(nested) => {
                for unit in nested {
                    self.enter(branch, &unit);
                }
            }
            Found::Members(members) => self.branches[branch].members.extend(members),
        }
        Ok(self.lists[number].as_ref().map(|list| &list.next))
    }
}

impl List {
    /// Whether another page follows `page`.
    fn go_on(&mut self, page: &Page) -> Result<bool, &'static str> {
        let Some(token) = &page.next_token else {
            return Ok(false);
        };
        self.empty_pages = match &page.found {
            Found::Units(units) if units.is_empty() => self.empty_pages + 1,
            Found::Members(members) if members.is_empty() => self.empty_pages + 1,
            _ => 0,
        };
        if self.empty_pages > MOST_EMPTY_PAGES {
            return Err("one empty page follows the other");
        }
        if !self.seen.insert(token.clone()) {
            return Err("it repeats a token, so following it would never end");
        }
        self.next.token = Some(token.clone());
        Ok(true)
    }
}

/// One answer of a list operation.
struct Page {
    found: Found,
    next_token: Option<String>,
    request_id: Answered,
}

impl Page {
    /// The last one of a list, without items.
    fn empty() -> Self {
        Self {
            found: Found::Members(Vec::new()),
            next_token: None,
            request_id: Answered(None),
        }
    }
}

/// The id of an answered request.
struct Answered(Option<String>);

impl Answered {
    fn of(answer: &impl RequestId) -> Self {
        Self(answer.request_id().map(ToOwned::to_owned))
    }
}

impl RequestId for Answered {
    fn request_id(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Whether a walk that failed so can go on from where it was: what will pass by itself, and tells nothing of the answers
/// that there were.
fn may_go_on(kind: FailureKind) -> bool {
    kind.is_retryable() && kind != FailureKind::InvalidResponse
}

/// The items of an answer. The SDK reads an empty body as an answer that has none, where Organizations sends an empty list;
/// but with a token the list may be left out: such a page is empty.
fn items<T, U>(
    items: Option<Vec<T>>,
    next_token: Option<&str>,
    item: impl Fn(T) -> Result<U, &'static str>,
) -> Result<Vec<U>, &'static str> {
    items
        .or_else(|| next_token.map(|_| Vec::new()))
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
