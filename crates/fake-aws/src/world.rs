//! The state that all requests share: accounts, the organization, quotas, counts, and the record of requests.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{
    account::Account,
    fault::Fault,
    latency::Clock,
    organization::Organization,
    record::{Action, Counts, Request},
};

/// The settings of a [`World`].
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) accounts: HashMap<String, Arc<Account>>,
    pub(crate) every_account: Option<Arc<Account>>,
    pub(crate) organization: Option<Organization>,
    pub(crate) caller: Caller,
    pub(crate) assume_quota: Option<Quota>,
    pub(crate) organization_quota: Option<Quota>,
    pub(crate) records: bool,
    pub(crate) seconds_ahead: Option<i64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: HashMap::new(),
            every_account: None,
            organization: None,
            caller: Caller {
                account: "111111111111".to_owned(),
                role: "MyLambdaExecutionRole".to_owned(),
                session: "list".to_owned(),
            },
            assume_quota: None,
            organization_quota: None,
            records: true,
            seconds_ahead: None,
        }
    }
}

/// The principal behind all credentials that were not issued here.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) session: String,
}

impl Caller {
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:sts::{}:assumed-role/{}/{}",
            self.account, self.role, self.session
        )
    }
}

/// A token bucket, as AWS throttles.
#[derive(Debug)]
pub(crate) struct Quota {
    per_second: f64,
    capacity: f64,
    tokens: f64,
    refilled: Option<Instant>,
}

impl Quota {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            capacity: burst.max(1).into(),
            tokens: burst.into(),
            refilled: None,
        }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let since = self
            .refilled
            .map_or(Duration::ZERO, |refilled| now - refilled);
        let refill = self.per_second * since.as_secs_f64();
        self.tokens = (self.tokens + refill).min(self.capacity);
        self.refilled = Some(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

/// The shared state.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) caller: Caller,
    /// How far the services' clock is ahead of the machine's. `None`: signature times are not checked.
    pub(crate) seconds_ahead: Option<i64>,
    every_account: Option<Arc<Account>>,
    accounts: RwLock<HashMap<String, Arc<AccountState>>>,
    organization: RwLock<Option<Arc<Organization>>>,
    /// Requests since the organization was set.
    pub(crate) organization_requests: AtomicU64,
    assume_quota: Option<Mutex<Quota>>,
    organization_quota: Option<Mutex<Quota>>,
    record: Option<Mutex<Vec<Request>>>,
    counts: AtomicCounts,
    /// Connections since the start.
    accepted: AtomicU64,
    /// The connections up to this number are dead, and the fault that their requests meet.
    dead: Mutex<(u64, Fault)>,
    broken: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

#[derive(Debug, Default)]
struct AtomicCounts {
    assume: AtomicU64,
    list: AtomicU64,
    organization: AtomicU64,
    connections: AtomicU64,
}

/// An account with its counters.
#[derive(Debug)]
pub(crate) struct AccountState {
    pub(crate) account: Arc<Account>,
    pub(crate) assumed: AtomicU64,
    pub(crate) listed: AtomicU64,
    pub(crate) issued: AtomicU64,
    /// Sessions with a lower number have been revoked.
    pub(crate) valid_from: AtomicU64,
}

impl AccountState {
    fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            assumed: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            valid_from: AtomicU64::new(0),
        }
    }
}

impl World {
    pub(crate) fn new(clock: Clock, settings: Settings) -> Self {
        let accounts = settings
            .accounts
            .into_iter()
            .map(|(id, account)| (id, Arc::new(AccountState::new(account))));
        Self {
            clock,
            caller: settings.caller,
            seconds_ahead: settings.seconds_ahead,
            every_account: settings.every_account,
            accounts: RwLock::new(accounts.collect()),
            organization: RwLock::new(settings.organization.map(Arc::new)),
            organization_requests: AtomicU64::new(0),
            assume_quota: settings.assume_quota.map(Mutex::new),
            organization_quota: settings.organization_quota.map(Mutex::new),
            record: settings.records.then(Mutex::default),
            counts: AtomicCounts::default(),
            accepted: AtomicU64::new(0),
            dead: Mutex::new((0, Fault::None)),
            broken: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            max_in_flight: AtomicU64::new(0),
        }
    }

    /// The services' current time.
    pub(crate) fn now(&self) -> SystemTime {
        let now = self.clock.now();
        let ahead = self.seconds_ahead.unwrap_or_default();
        let seconds = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            now - seconds
        } else {
            now + seconds
        }
    }

    /// The account with this ID, if it exists.
    pub(crate) fn account(&self, id: &str) -> Option<Arc<AccountState>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = accounts.get(id) {
            return Some(Arc::clone(state));
        }
        drop(accounts);
        let account = Arc::clone(self.every_account.as_ref()?);
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(
            accounts
                .entry(id.to_owned())
                .or_insert_with(|| Arc::new(AccountState::new(account))),
        ))
    }

    /// Replaces an account's behaviour. Its sessions stay valid; its faults start again.
    pub(crate) fn set_account(&self, id: String, account: Account) {
        let state = AccountState::new(Arc::new(account));
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = accounts.get(&id) {
            for (new, old) in [
                (&state.issued, &old.issued),
                (&state.valid_from, &old.valid_from),
            ] {
                new.store(old.load(Ordering::SeqCst), Ordering::SeqCst);
            }
        }
        accounts.insert(id, Arc::new(state));
    }

    pub(crate) fn organization(&self) -> Option<Arc<Organization>> {
        self.organization
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the organization. Its faults start again.
    pub(crate) fn set_organization(&self, organization: Option<Organization>) {
        let mut current = self
            .organization
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = organization.map(Arc::new);
        self.organization_requests.store(0, Ordering::SeqCst);
    }

    /// Takes one request from the quota of `AssumeRole`; `false` if it is used up.
    pub(crate) fn take_assume_quota(&self) -> bool {
        take(self.assume_quota.as_ref())
    }

    /// Takes one request from the quota of Organizations; `false` if it is used up.
    pub(crate) fn take_organization_quota(&self) -> bool {
        take(self.organization_quota.as_ref())
    }

    /// Counts a request, and records it unless that is off.
    pub(crate) fn record(&self, request: &Request) {
        let AtomicCounts {
            assume,
            list,
            organization,
            ..
        } = &self.counts;
        match request.action {
            Action::AssumeRole => assume.fetch_add(1, Ordering::SeqCst),
            Action::ListBuckets => list.fetch_add(1, Ordering::SeqCst),
            Action::ListAccounts | Action::ListAccountsForParent | Action::ListChildren => {
                organization.fetch_add(1, Ordering::SeqCst)
            }
            Action::GetCallerIdentity => 0,
        };
        if let Some(mut requests) = self.lock_requests() {
            requests.push(request.clone());
        }
    }

    /// The recorded requests, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock_requests()
            .map_or_else(Vec::new, |requests| requests.clone())
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            assume: get(&self.counts.assume),
            list: get(&self.counts.list),
            organization: get(&self.counts.organization),
            connections: get(&self.counts.connections),
        }
    }

    /// Sets the counts to zero and clears the record.
    pub(crate) fn reset_counts(&self) {
        let AtomicCounts {
            assume,
            list,
            organization,
            connections,
        } = &self.counts;
        for count in [assume, list, organization, connections] {
            count.store(0, Ordering::SeqCst);
        }
        if let Some(mut requests) = self.lock_requests() {
            requests.clear();
        }
    }

    /// Counts a new connection; returns its number, from 1.
    pub(crate) fn accept_connection(&self) -> u64 {
        self.counts.connections.fetch_add(1, Ordering::SeqCst);
        self.accepted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Breaks all open connections: each of their requests meets `fault`.
    pub(crate) fn break_connections(&self, fault: Fault) {
        *self.lock_dead() = (self.accepted.load(Ordering::SeqCst), fault);
    }

    /// The fault of a broken connection, for one more request.
    pub(crate) fn connection_fault(&self, connection: u64) -> Option<Fault> {
        let dead = self.lock_dead();
        (connection <= dead.0).then(|| {
            self.broken.fetch_add(1, Ordering::SeqCst);
            dead.1.clone()
        })
    }

    /// Requests that arrived over broken connections.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::SeqCst)
    }

    /// Counts a request as in flight until the result is dropped.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        let number = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_in_flight.fetch_max(number, Ordering::SeqCst);
        InFlight(self)
    }

    pub(crate) fn max_in_flight(&self) -> u64 {
        self.max_in_flight.load(Ordering::SeqCst)
    }

    fn lock_dead(&self) -> MutexGuard<'_, (u64, Fault)> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_requests(&self) -> Option<MutexGuard<'_, Vec<Request>>> {
        let requests = self.record.as_ref()?;
        Some(requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(quota: Option<&Mutex<Quota>>) -> bool {
    quota.is_none_or(|quota| quota.lock().unwrap_or_else(PoisonError::into_inner).take())
}

/// A request in flight.
pub(crate) struct InFlight<'a>(&'a World);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
