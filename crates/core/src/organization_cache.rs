//! Caches the accounts of an organization and the state of a walk that has not finished.

use std::{
    collections::HashSet,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use aws_sdk_organizations::Client;
use aws_smithy_async::time::SharedTimeSource;
use aws_types::{SdkConfig, request_id::RequestId};
use contract::{AccountId, Organization, Target, TargetName, UnitId};
use tokio::sync::Mutex;

use crate::{
    clock::CompareClocks,
    failure::{Failure, FailureBuilder},
    rate_limiter::RateLimiter,
    whole_response::WholeResponses,
};

/// How long the accounts are cached. A warm function reads the organization this often, and notices a new or closed
/// account this late.
pub(crate) const CACHE_LIFETIME: Duration = Duration::from_mins(5);

/// The maximum number of empty pages in a row. "These operations can occasionally return an empty set of results even
/// when more results are available" (Organizations API reference, `ListAccounts`), but an endless series must not
/// block.
const MAX_EMPTY_PAGES: u32 = 100;

/// Holds the last walk of an organization, and the client of Organizations, which is built when it is first needed.
pub(crate) struct OrganizationCache {
    client: OnceLock<Client>,
    pub(crate) rate_limiter: RateLimiter,
    clock: SharedTimeSource,
    /// Locked during a walk, so that concurrent invocations wait for it instead of walking as well.
    pub(crate) walk: Mutex<Option<CachedWalk>>,
}

/// A walk and its result.
pub(crate) struct CachedWalk {
    pub(crate) organization: Organization,
    pub(crate) started: SystemTime,
    pub(crate) progress: Progress,
}

/// The progress of a walk.
pub(crate) enum Progress {
    /// The deadline or a transient failure ended the walk, which can be resumed.
    Partial(WalkState),
    Complete(Vec<Target>),
}

impl OrganizationCache {
    pub(crate) fn new(clock: SharedTimeSource) -> Self {
        Self {
            client: OnceLock::new(),
            rate_limiter: RateLimiter::default(),
            clock,
            walk: Mutex::default(),
        }
    }

    pub(crate) fn client(&self, config: &SdkConfig) -> &Client {
        self.client.get_or_init(|| {
            Client::from_conf(
                aws_sdk_organizations::config::Builder::from(config)
                    .interceptor(WholeResponses::Json)
                    .interceptor(CompareClocks)
                    .build(),
            )
        })
    }

    /// Returns the time of the configuration's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Returns whether `walk` is of `organization` and not too old. It counts as too old if the clock has gone back.
    pub(crate) fn is_fresh(&self, walk: &CachedWalk, organization: &Organization) -> bool {
        let age = self.clock.now().duration_since(walk.started);
        walk.organization == *organization && age.is_ok_and(|age| age < CACHE_LIFETIME)
    }
}

/// An account of the organization.
pub(crate) struct Member {
    pub(crate) id: AccountId,
    pub(crate) is_active: bool,
    /// Its name in the organization, adapted if needed.
    pub(crate) name: Option<TargetName>,
}

/// The accounts found in one of the configured units, or in the whole organization.
#[derive(Default)]
pub(crate) struct Branch {
    /// Its units, including itself.
    pub(crate) units: HashSet<UnitId>,
    pub(crate) members: Vec<Member>,
}

/// The state of a walk: the accounts found and the requests left.
#[derive(Default)]
pub(crate) struct WalkState {
    /// One for each configured unit, in order.
    pub(crate) branches: Vec<Branch>,
    /// In the order in which they were found. `None` is a list that was read to its end.
    pub(crate) lists: Vec<Option<List>>,
}

/// A list being read, page by page.
pub(crate) struct List {
    /// The number of the branch that the list belongs to.
    pub(crate) branch: usize,
    pub(crate) next: PageRequest,
    /// The tokens of its earlier pages.
    pub(crate) seen: HashSet<String>,
    pub(crate) empty_pages: u32,
}

/// A request for a page.
#[derive(Clone)]
pub(crate) struct PageRequest {
    pub(crate) kind: ListKind,
    pub(crate) token: Option<String>,
}

/// The list that a page is of.
#[derive(Clone)]
pub(crate) enum ListKind {
    /// Every account of the organization.
    All,
    /// The accounts that lie in the unit itself.
    Members(UnitId),
    /// The units that lie in the unit itself.
    Units(UnitId),
}

pub(crate) enum Items {
    Units(Vec<UnitId>),
    Members(Vec<Member>),
}

impl WalkState {
    /// Adds the requests for `unit`, unless they were sent before.
    pub(crate) fn enter(&mut self, branch: usize, unit: &UnitId) {
        if self.branches[branch].units.insert(unit.clone()) {
            self.read(branch, ListKind::Units(unit.clone()));
            self.read(branch, ListKind::Members(unit.clone()));
        }
    }

    /// Adds a list to read.
    pub(crate) fn read(&mut self, branch: usize, kind: ListKind) {
        self.lists.push(Some(List {
            branch,
            next: PageRequest { kind, token: None },
            seen: HashSet::new(),
            empty_pages: 0,
        }));
    }

    /// Adds a page of the list with this number, and returns the request for the next page.
    pub(crate) fn add(
        &mut self,
        number: usize,
        page: Page,
        failure: impl Fn(&ListKind) -> FailureBuilder,
    ) -> Result<Option<&PageRequest>, Failure> {
        let Some(list) = &mut self.lists[number] else {
            return Ok(None);
        };
        let branch = list.branch;
        let has_next = list
            .advance(&page)
            .map_err(|what| failure(&list.next.kind).invalid_response(what, &page.request_id))?;
        if !has_next {
            self.lists[number] = None;
        }
        match page.found {
            Items::Units(nested) => {
                for unit in nested {
                    self.enter(branch, &unit);
                }
            }
            Items::Members(members) => self.branches[branch].members.extend(members),
        }
        Ok(self.lists[number].as_ref().map(|list| &list.next))
    }
}

impl List {
    /// Returns whether another page follows `page`.
    fn advance(&mut self, page: &Page) -> Result<bool, &'static str> {
        let Some(token) = &page.next_token else {
            return Ok(false);
        };
        self.empty_pages = match &page.found {
            Items::Units(units) if units.is_empty() => self.empty_pages + 1,
            Items::Members(members) if members.is_empty() => self.empty_pages + 1,
            _ => 0,
        };
        if self.empty_pages > MAX_EMPTY_PAGES {
            return Err("too many empty pages in a row");
        }
        if !self.seen.insert(token.clone()) {
            return Err("it repeats an earlier pagination token");
        }
        self.next.token = Some(token.clone());
        Ok(true)
    }
}

/// One response of a list operation.
pub(crate) struct Page {
    pub(crate) found: Items,
    pub(crate) next_token: Option<String>,
    pub(crate) request_id: ResponseId,
}

impl Page {
    /// The last page of a list, without items.
    pub(crate) fn empty() -> Self {
        Self {
            found: Items::Members(Vec::new()),
            next_token: None,
            request_id: ResponseId(None),
        }
    }
}

/// Wraps the request ID of a response.
pub(crate) struct ResponseId(Option<String>);

impl ResponseId {
    pub(crate) fn of(answer: &impl RequestId) -> Self {
        Self(answer.request_id().map(ToOwned::to_owned))
    }
}

impl RequestId for ResponseId {
    fn request_id(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
