//! The server: settings, connections, and the handle that tests hold.

use std::{
    error::Error as _,
    future::{pending, poll_fn},
    io,
    net::SocketAddr,
    sync::Arc,
    sync::atomic::Ordering,
    thread::{self, JoinHandle},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{
    account::Account,
    fault::Fault,
    latency::Clock,
    organization::Organization,
    record::{Counts, Request},
    router,
    service::ConnectionFault,
    timestamp,
    world::{Caller, Quota, Settings, World},
};

/// A running STS, S3 and Organizations. Dropping it stops it.
#[derive(Debug)]
pub struct FakeAws {
    address: SocketAddr,
    pub(crate) world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Builds a [`FakeAws`].
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    address: SocketAddr,
}

impl Builder {
    /// An account with the given ID (12 digits).
    #[must_use]
    pub fn account(mut self, id: impl Into<String>, account: Account) -> Self {
        self.settings.accounts.insert(id.into(), Arc::new(account));
        self
    }

    /// The behaviour of every account that [`account`](Self::account) does not name. They share their pages, so that
    /// thousands with 10,000 buckets each cost little. Without it, an unknown account's roles cannot be assumed.
    #[must_use]
    pub fn every_account(mut self, account: Account) -> Self {
        self.settings.every_account = Some(Arc::new(account));
        self
    }

    /// The organization that the caller's account manages. Default: none.
    #[must_use]
    pub fn organization(mut self, organization: Organization) -> Self {
        self.settings.organization = Some(organization);
        self
    }

    /// The principal behind all credentials that were not issued here. Default: the session `list` of
    /// `MyLambdaExecutionRole` in account 111111111111.
    #[must_use]
    pub fn caller(mut self, account: &str, role: &str, session: &str) -> Self {
        self.settings.caller = Caller {
            account: account.to_owned(),
            role: role.to_owned(),
            session: session.to_owned(),
        };
        self
    }

    /// Throttles `AssumeRole` beyond this rate, for all accounts together, after a first `burst`. STS counts the requests
    /// of the calling account, so one quota applies to all targets.
    #[must_use]
    pub fn assume_quota(mut self, per_second: u32, burst: u32) -> Self {
        self.settings.assume_quota = Some(Quota::new(per_second, burst));
        self
    }

    /// Throttles Organizations beyond this rate, after a first `burst`.
    #[must_use]
    pub fn organization_quota(mut self, per_second: u32, burst: u32) -> Self {
        self.settings.organization_quota = Some(Quota::new(per_second, burst));
        self
    }

    /// Sets the services' clock this far ahead of the machine's, or behind it. They then reject a signature of another
    /// time as AWS does: STS and Organizations after 5 minutes, S3 after 15. Without it, signature times are not checked.
    #[must_use]
    pub fn seconds_ahead(mut self, seconds: i64) -> Self {
        self.settings.seconds_ahead = Some(seconds);
        self
    }

    /// Counts requests without recording them, for benchmarks.
    #[must_use]
    pub fn without_record(mut self) -> Self {
        self.settings.records = false;
        self
    }

    /// The port to listen on, on 127.0.0.1. Default: any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Starts it on its own thread.
    ///
    /// # Errors
    /// The port is in use, or the socket or thread cannot be created.
    pub fn start(self) -> io::Result<FakeAws> {
        let listener = std::net::TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(Clock::Machine, self.settings));
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

    /// Builds one without a socket, for `FakeAws::http_client` (feature `in-memory`). It responds on the runtime of the
    /// client, in its time, which may be paused.
    #[must_use]
    pub fn in_memory(self) -> FakeAws {
        FakeAws {
            // Not connected to.
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            world: Arc::new(World::new(Clock::of_runtime(), self.settings)),
            stop: None,
            thread: None,
        }
    }
}

impl FakeAws {
    /// Starts to build one.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            settings: Settings::default(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// The URL of all services, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of requests, for all accounts together.
    pub fn counts(&self) -> Counts {
        self.world.counts()
    }

    /// The maximum number of requests in flight at the same time, since the start.
    pub fn most_in_flight(&self) -> u64 {
        self.world.max_in_flight()
    }

    /// Sets the counts to zero and clears the record of requests. Sessions stay valid.
    pub fn reset_counts(&self) {
        self.world.reset_counts();
    }

    /// The requests in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.world.requests()
    }

    /// Replaces an account's behaviour. Its sessions stay valid; its faults start again.
    pub fn set_account(&self, id: impl Into<String>, account: Account) {
        self.world.set_account(id.into(), account);
    }

    /// Replaces or removes the organization. Its faults start again.
    pub fn set_organization(&self, organization: Option<Organization>) {
        self.world.set_organization(organization);
    }

    /// Breaks all open connections without the client's notice: each request over one of them meets `fault`,
    /// [`Fault::Reset`] or [`Fault::Hang`]. Later connections work.
    pub fn break_connections(&self, fault: Fault) {
        self.world.break_connections(fault);
    }

    /// The number of requests over [broken](Self::break_connections) connections, since the start. No other count
    /// includes them.
    pub fn broken(&self) -> u64 {
        self.world.broken()
    }

    /// Revokes all sessions of an account as IAM does: a policy denies S3 to the sessions issued so far, and new ones work
    /// (IAM user guide, "Revoke IAM role temporary security credentials").
    pub fn revoke_sessions(&self, account: &str) {
        if let Some(state) = self.world.account(account) {
            let issued = state.issued.load(Ordering::SeqCst);
            state.valid_from.store(issued, Ordering::SeqCst);
        }
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, world: Arc<World>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        // An error concerns the one connection (or a lack of descriptors, which passes).
        if let Ok((stream, _)) = listener.accept().await {
            let number = world.accept_connection();
            tokio::spawn(serve(stream, number, Arc::clone(&world)));
        }
    }
}

async fn serve(stream: TcpStream, number: u64, world: Arc<World>) {
    // If it fails, responses are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        Box::pin(async {
            match world.connection_fault(number) {
                None => {}
                Some(Fault::Hang) => return pending().await,
                Some(_) => return Err(ConnectionFault::Reset),
            }
            let mut response = router::respond(&world, number, request).await?;
            if world.seconds_ahead.is_some()
                && let Ok(date) = timestamp::http_date(world.now()).parse()
            {
                response.headers_mut().insert("date", date);
            }
            Ok::<_, ConnectionFault>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    let fault = ended
        .err()
        .and_then(|error| error.source()?.downcast_ref().copied());
    match fault {
        // The kernel then sends RST instead of FIN.
        Some(ConnectionFault::Reset) => {
            let _ = stream.set_zero_linger();
        }
        // It fits the buffer of a connection that has sent nothing.
        Some(ConnectionFault::NoHttp) => {
            let _ = stream.try_write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n");
        }
        None => {}
    }
}
