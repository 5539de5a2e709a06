//! The server: connections, routing, counting.

use std::{
    collections::HashMap,
    error::Error as _,
    future::{pending, poll_fn},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use http_body_util::BodyExt as _;
use hyper::{Method, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::Instant,
};

use crate::{
    account::Account,
    body::Body,
    fault::Fault,
    latency::Clock,
    organization::Organization,
    organizations,
    query::Query,
    record::{Action, Counts, Request},
    s3,
    session::Session,
    sts, timestamp,
};

/// A running STS, S3 and Organizations. Dropping it stops it.
#[derive(Debug)]
pub struct FakeAws {
    address: SocketAddr,
    pub(crate) world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`FakeAws`] is made of.
#[derive(Debug)]
pub struct Builder {
    accounts: HashMap<String, Arc<Account>>,
    every_account: Option<Arc<Account>>,
    organization: Option<Organization>,
    caller: Caller,
    assume_quota: Option<Quota>,
    organization_quota: Option<Quota>,
    records: bool,
    seconds_ahead: Option<i64>,
    address: SocketAddr,
}

/// How many requests are answered: a bucket of tokens, as AWS throttles.
#[derive(Debug, Clone)]
struct Quota {
    per_second: f64,
    most: f64,
    left: f64,
    counted: Option<Instant>,
}

impl Quota {
    fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            most: burst.max(1).into(),
            left: burst.into(),
            counted: None,
        }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let since = self.counted.map_or(Duration::ZERO, |counted| now - counted);
        let gained = self.per_second * since.as_secs_f64();
        self.left = (self.left + gained).min(self.most);
        self.counted = Some(now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

/// Who asks, where the credentials are none that were issued here.
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

/// All that the requests share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) caller: Caller,
    every_account: Option<Arc<Account>>,
    accounts: RwLock<HashMap<String, Arc<State>>>,
    records: bool,
    seconds_ahead: Option<i64>,
    requests: Mutex<Vec<Request>>,
    assume: AtomicU64,
    list: AtomicU64,
    /// The organization, and how many requests for it there were since it was set, and since the counts were reset.
    organization: RwLock<Option<Arc<Organization>>>,
    pub(crate) organization_requests: AtomicU64,
    organization_counted: AtomicU64,
    connections: AtomicU64,
    /// Since the start; the one above can be reset.
    accepted: AtomicU64,
    /// The connections up to this number are dead, and how. How many requests came over one.
    dead: Mutex<(u64, Fault)>,
    broken: AtomicU64,
    in_flight: AtomicU64,
    most_in_flight: AtomicU64,
    assume_quota: Option<Mutex<Quota>>,
    organization_quota: Option<Mutex<Quota>>,
}

/// An account in use.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) account: Arc<Account>,
    pub(crate) assumed: AtomicU64,
    pub(crate) listed: AtomicU64,
    pub(crate) issued: AtomicU64,
    /// Sessions with a lower number have been revoked.
    pub(crate) valid_from: AtomicU64,
}

impl State {
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

impl Builder {
    /// An account with the given id (12 digits).
    #[must_use]
    pub fn account(mut self, id: impl Into<String>, account: Account) -> Self {
        self.accounts.insert(id.into(), Arc::new(account));
        self
    }

    /// How every account behaves that is not named by [`account`](Self::account). They share its pages, so that
    /// thousands with 10,000 buckets each cost little. Without it, an unknown account's roles cannot be assumed.
    #[must_use]
    pub fn every_account(mut self, account: Account) -> Self {
        self.every_account = Some(Arc::new(account));
        self
    }

    /// The organization that the caller's account manages. Without it, that account is in none.
    #[must_use]
    pub fn organization(mut self, organization: Organization) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Who the caller is: any credentials that were not issued here. Default: the session `list` of
    /// `MyLambdaExecutionRole` in account 111111111111.
    #[must_use]
    pub fn caller(mut self, account: &str, role: &str, session: &str) -> Self {
        self.caller = Caller {
            account: account.to_owned(),
            role: role.to_owned(),
            session: session.to_owned(),
        };
        self
    }

    /// At most so many `AssumeRole` a second are answered, all accounts together, after a first `burst`; the others are
    /// throttled. STS counts the requests of the calling account, so one quota holds for all targets.
    #[must_use]
    pub fn assume_quota(mut self, per_second: u32, burst: u32) -> Self {
        self.assume_quota = Some(Quota::new(per_second, burst));
        self
    }

    /// The same for the requests to Organizations.
    #[must_use]
    pub fn organization_quota(mut self, per_second: u32, burst: u32) -> Self {
        self.organization_quota = Some(Quota::new(per_second, burst));
        self
    }

    /// The services' clock is so many seconds ahead of the machine's, or behind it, and they refuse a signature of another
    /// time as AWS does: STS and Organizations after 5 minutes, S3 after 15. Without it, no signature's time is looked at.
    #[must_use]
    pub fn seconds_ahead(mut self, seconds: i64) -> Self {
        self.seconds_ahead = Some(seconds);
        self
    }

    /// Keeps no record of the requests, only counts: for benchmarks.
    #[must_use]
    pub fn without_record(mut self) -> Self {
        self.records = false;
        self
    }

    /// The port to listen on, of 127.0.0.1. Default: any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Starts it, on a thread of its own.
    ///
    /// # Errors
    /// The port is taken, or the machine refuses a socket or a thread.
    pub fn start(self) -> io::Result<FakeAws> {
        let listener = std::net::TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let world = Arc::new(self.world(Clock::Machine));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&world);
        let thread = thread::Builder::new()
            .name("fake-aws".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(FakeAws {
            address,
            world,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Makes one without a socket, for `FakeAws::http_client` (feature `in-memory`): it answers on the runtime that asks, in
    /// its time, which may be paused.
    #[must_use]
    pub fn in_memory(self) -> FakeAws {
        FakeAws {
            // Nobody connects to it.
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            world: Arc::new(self.world(Clock::of_runtime())),
            stop: None,
            thread: None,
        }
    }

    fn world(self, clock: Clock) -> World {
        World {
            clock,
            caller: self.caller,
            every_account: self.every_account,
            accounts: RwLock::new(
                self.accounts
                    .into_iter()
                    .map(|(id, account)| (id, Arc::new(State::new(account))))
                    .collect(),
            ),
            records: self.records,
            seconds_ahead: self.seconds_ahead,
            requests: Mutex::default(),
            assume: AtomicU64::new(0),
            list: AtomicU64::new(0),
            organization: RwLock::new(self.organization.map(Arc::new)),
            organization_requests: AtomicU64::new(0),
            organization_counted: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            dead: Mutex::new((0, Fault::None)),
            broken: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            most_in_flight: AtomicU64::new(0),
            assume_quota: self.assume_quota.map(Mutex::new),
            organization_quota: self.organization_quota.map(Mutex::new),
        }
    }
}

impl FakeAws {
    /// Begins to describe one.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
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
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// The URL of both services, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for, all accounts together.
    pub fn counts(&self) -> Counts {
        let World {
            assume,
            list,
            organization_counted,
            connections,
            ..
        } = &*self.world;
        Counts {
            assume: assume.load(Ordering::SeqCst),
            list: list.load(Ordering::SeqCst),
            organization: organization_counted.load(Ordering::SeqCst),
            connections: connections.load(Ordering::SeqCst),
        }
    }

    /// How many requests were at most under way at the same time, since the start.
    pub fn most_in_flight(&self) -> u64 {
        self.world.most_in_flight.load(Ordering::SeqCst)
    }

    /// Sets the counts to zero and forgets the requests. Sessions stay.
    pub fn reset_counts(&self) {
        let World {
            assume,
            list,
            organization_counted,
            connections,
            ..
        } = &*self.world;
        for count in [assume, list, organization_counted, connections] {
            count.store(0, Ordering::SeqCst);
        }
        self.world.lock_requests().clear();
    }

    /// The requests in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        self.world.lock_requests().clone()
    }

    /// Puts another behaviour in the place of an account's. Its sessions stay valid; its faults begin anew.
    pub fn set_account(&self, id: impl Into<String>, account: Account) {
        let id = id.into();
        let state = State::new(Arc::new(account));
        let mut accounts = self
            .world
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = accounts.get(&id) {
            state
                .issued
                .store(old.issued.load(Ordering::SeqCst), Ordering::SeqCst);
            state
                .valid_from
                .store(old.valid_from.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        accounts.insert(id, Arc::new(state));
    }

    /// Puts another organization in the place of the present one, or none. Its faults begin anew.
    pub fn set_organization(&self, organization: Option<Organization>) {
        let mut place = self
            .world
            .organization
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = organization.map(Arc::new);
        self.world.organization_requests.store(0, Ordering::SeqCst);
    }

    /// Lets all connections that are open die, without the client's noticing: each request that comes over one of them
    /// meets `fault`, [`Fault::Reset`] or [`Fault::Hang`]. Connections that are opened later work.
    pub fn break_connections(&self, fault: Fault) {
        let accepted = self.world.accepted.load(Ordering::SeqCst);
        *self.world.lock_dead() = (accepted, fault);
    }

    /// How many requests came over connections that were [broken](Self::break_connections), since the start. They count
    /// nowhere else.
    pub fn broken(&self) -> u64 {
        self.world.broken.load(Ordering::SeqCst)
    }

    /// Revokes all sessions of an account, as IAM does it: a policy denies S3 to the sessions that were issued before, and
    /// new ones work (IAM user guide, "Revoke IAM role temporary security credentials").
    pub fn revoke_sessions(&self, account: &str) {
        if let Some(state) = self.world.state(account) {
            let issued = state.issued.load(Ordering::SeqCst);
            state.valid_from.store(issued, Ordering::SeqCst);
        }
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to report: a panic there has been printed.
            let _ = thread.join();
        }
    }
}

impl World {
    /// What time it is for the services.
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

    /// When a request was signed and what time it is, where these are further apart than the service allows.
    fn wrong_time(
        &self,
        headers: &hyper::HeaderMap,
        allowed: Duration,
    ) -> Option<(SystemTime, SystemTime)> {
        self.seconds_ahead?;
        let signed = headers.get("x-amz-date")?.to_str().ok()?;
        let (signed, now) = (timestamp::of_signature(signed)?, self.now());
        let apart = now
            .duration_since(signed)
            .unwrap_or_else(|error| error.duration());
        (apart > allowed).then_some((signed, now))
    }

    /// The account with this id, where there is one.
    pub(crate) fn state(&self, id: &str) -> Option<Arc<State>> {
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
                .or_insert_with(|| Arc::new(State::new(account))),
        ))
    }

    pub(crate) fn organization(&self) -> Option<Arc<Organization>> {
        self.organization
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the quota of `AssumeRole` leaves room for one more.
    pub(crate) fn may_assume(&self) -> bool {
        has_room(self.assume_quota.as_ref())
    }

    /// Whether the quota of Organizations leaves room for one more.
    pub(crate) fn may_ask_organization(&self) -> bool {
        has_room(self.organization_quota.as_ref())
    }

    fn record(&self, request: &Request) {
        match request.action {
            Action::AssumeRole => self.assume.fetch_add(1, Ordering::SeqCst),
            Action::ListBuckets => self.list.fetch_add(1, Ordering::SeqCst),
            Action::ListAccounts | Action::ListAccountsForParent | Action::ListChildren => {
                self.organization_counted.fetch_add(1, Ordering::SeqCst)
            }
            Action::GetCallerIdentity => 0,
        };
        if self.records {
            self.lock_requests().push(request.clone());
        }
    }

    /// How a connection died, where it did.
    fn death_of(&self, connection: u64) -> Option<Fault> {
        let dead = self.lock_dead();
        (connection <= dead.0).then(|| {
            self.broken.fetch_add(1, Ordering::SeqCst);
            dead.1.clone()
        })
    }

    fn lock_dead(&self) -> std::sync::MutexGuard<'_, (u64, Fault)> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_requests(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_room(quota: Option<&Mutex<Quota>>) -> bool {
    quota.is_none_or(|quota| quota.lock().unwrap_or_else(PoisonError::into_inner).take())
}

/// How far the time of a signature may be off: for STS and Organizations, and for S3.
const OF_STS: Duration = Duration::from_mins(5);
const OF_S3: Duration = Duration::from_mins(15);

/// How the connection is to end instead of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    Reset,
    NoHttp,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on order")
    }
}

impl std::error::Error for Cut {}

async fn accept(listener: std::net::TcpListener, world: Arc<World>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        // An error concerns the one connection (or a lack of descriptors, which passes).
        if let Ok((stream, _)) = listener.accept().await {
            world.connections.fetch_add(1, Ordering::SeqCst);
            let number = world.accepted.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(serve(stream, number, Arc::clone(&world)));
        }
    }
}

async fn serve(stream: TcpStream, number: u64, world: Arc<World>) {
    // Without effect where it fails; an answer is then slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        Box::pin(async {
            match world.death_of(number) {
                None => {}
                Some(Fault::Hang) => return pending().await,
                Some(_) => return Err(Cut::Reset),
            }
            let mut answer = answer(&world, number, request).await?;
            if world.seconds_ahead.is_some()
                && let Ok(date) = timestamp::http_date(world.now()).parse()
            {
                answer.headers_mut().insert("date", date);
            }
            Ok::<_, Cut>(answer)
        })
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    let cut = ended
        .err()
        .and_then(|error| error.source()?.downcast_ref().copied());
    match cut {
        // The kernel sends RST instead of FIN when it is closed.
        Some(Cut::Reset) => {
            let _ = stream.set_zero_linger();
        }
        // The buffer of a connection without an answer has room for it.
        Some(Cut::NoHttp) => {
            let _ = stream.try_write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n");
        }
        None => {}
    }
}

/// Answers a request, which came on this connection.
pub(crate) async fn answer<B: hyper::body::Body>(
    world: &World,
    connection: u64,
    request: hyper::Request<B>,
) -> Result<Response<Body>, Cut> {
    let _under_way = UnderWay::new(world);
    let (head, body) = request.into_parts();
    let mut scope = credential_scope(&head.headers)
        .unwrap_or_default()
        .split('/');
    let access_key = scope.next().unwrap_or_default().to_owned();
    let region = scope.nth(1).unwrap_or_default().to_owned();
    let token = head
        .headers
        .get("x-amz-security-token")
        .and_then(|token| token.to_str().ok())
        .map(ToOwned::to_owned);
    if head.method == Method::POST {
        let Ok(body) = body.collect().await else {
            return Err(Cut::Reset);
        };
        let body = body.to_bytes();
        let target = head.headers.get("x-amz-target");
        if let Some(action) = target
            .and_then(|target| target.to_str().ok())
            .and_then(organizations::action)
            && let Some(parameters) = organizations::parameters(&body)
        {
            let request = Request {
                action,
                account: account_of(world, &access_key).to_owned(),
                access_key,
                region,
                connection,
                query: Query::of(parameters),
            };
            world.record(&request);
            if world.wrong_time(&head.headers, OF_STS).is_some() {
                return Ok(organizations::wrong_time());
            }
            return organizations::answer(world, &request).await;
        }
        let query = Query::parse(&body);
        let role = query.get("RoleArn").and_then(sts::Role::parse);
        let action = match query.get("Action") {
            Some("AssumeRole") => Action::AssumeRole,
            Some("GetCallerIdentity") => Action::GetCallerIdentity,
            _ => return Ok(sts::invalid_action()),
        };
        let account = match (action, &role) {
            (Action::AssumeRole, Some(role)) => role.account.clone(),
            _ => account_of(world, &access_key).to_owned(),
        };
        let request = Request {
            action,
            account,
            access_key,
            region,
            connection,
            query,
        };
        world.record(&request);
        if let Some((signed, now)) = world.wrong_time(&head.headers, OF_STS) {
            return Ok(sts::wrong_time(signed, now));
        }
        match action {
            Action::GetCallerIdentity => Ok(sts::get_caller_identity(world, &request)),
            _ => sts::assume_role(world, &request, role).await,
        }
    } else {
        let request = Request {
            action: Action::ListBuckets,
            account: account_of(world, &access_key).to_owned(),
            access_key,
            region,
            connection,
            query: Query::parse(head.uri.query().unwrap_or_default().as_bytes()),
        };
        world.record(&request);
        if world.wrong_time(&head.headers, OF_S3).is_some() {
            return Ok(s3::wrong_time());
        }
        s3::list_buckets(world, &request, token.as_deref()).await
    }
}

/// The account that credentials belong to.
fn account_of<'a>(world: &'a World, access_key: &'a str) -> &'a str {
    Session::of(access_key).map_or(&world.caller.account, |session| session.account)
}

/// What a signature is good for: `KEY/20261122/us-east-1/s3/aws4_request`, of
/// `AWS4-HMAC-SHA256 Credential=KEY/20261122/us-east-1/s3/aws4_request, …`.
fn credential_scope(headers: &hyper::HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(',').next()
}

/// Counts a request as under way, for as long as it lives.
struct UnderWay<'a>(&'a World);

impl<'a> UnderWay<'a> {
    fn new(world: &'a World) -> Self {
        let number = world.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        world.most_in_flight.fetch_max(number, Ordering::SeqCst);
        Self(world)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
