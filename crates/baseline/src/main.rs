//! The benchmark's baseline: a minimal function that sends the same requests. Development only, never deployed.
//!
//! Its time is what the machine and the network need. A function that sends these requests cannot be faster, except by
//! noise. It speaks the Runtime API, gets a session from STS and a page of buckets from S3 over plain HTTP, keeps
//! sessions and connections between invocations, and returns the names.
//!
//! It has no TLS, no signatures (the headers are there, so that requests have their size, but nothing is computed), no
//! retries, no timeouts, no session expiry, no further pages, and no parser that detects an unexpected response.

mod http;
mod services;
mod targets;

use std::{
    env, io, mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use http::Connection;
use services::{Services, Session};
use targets::{Target, Targets};

fn main() -> io::Result<()> {
    let services = Services::from_environment()?;
    let targets = Targets::from_environment()?;
    let mut runtime = Runtime::connect()?;
    let mut state = State::new(&targets);
    loop {
        let id = runtime.next()?;
        let body = match &targets {
            Targets::One(target) => one(&services, target, &mut state)?,
            Targets::Many {
                targets,
                concurrency,
            } => many(&services, targets, *concurrency, &mut state)?,
        };
        runtime.respond(&id, &body)?;
    }
}

/// The state between invocations.
struct State {
    sessions: Vec<Option<Session>>,
    connections: Vec<Connection>,
}

impl State {
    fn new(targets: &Targets) -> Self {
        Self {
            sessions: (0..targets.len()).map(|_| None).collect(),
            connections: Vec::new(),
        }
    }
}

/// The response body for one target: the names.
fn one(services: &Services, target: &Target, state: &mut State) -> io::Result<String> {
    let mut connection = match state.connections.pop() {
        Some(connection) => connection,
        None => services.connect()?,
    };
    let mut body = String::new();
    list(
        services,
        target,
        &mut state.sessions[0],
        &mut connection,
        &mut body,
    )?;
    state.connections.push(connection);
    Ok(body)
}

/// The response body for many targets: the names of each, in order. One thread and connection per concurrent target.
fn many(
    services: &Services,
    targets: &[Target],
    concurrency: usize,
    state: &mut State,
) -> io::Result<String> {
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<(Option<Session>, String)>> = mem::take(&mut state.sessions)
        .into_iter()
        .map(|session| Mutex::new((session, String::new())))
        .collect();
    let idle = Mutex::new(mem::take(&mut state.connections));
    let work = || -> io::Result<()> {
        let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => services.connect()?,
        };
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(target) = targets.get(index) else {
                break;
            };
            let mut slot = slots[index].lock().unwrap_or_else(PoisonError::into_inner);
            let (session, names) = &mut *slot;
            list(services, target, session, &mut connection, names)?;
        }
        idle.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..concurrency.min(targets.len()))
            .map(|_| thread::Builder::new().spawn_scoped(scope, work))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread?
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))?
        })
    })?;
    state.connections = idle.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut body = r#"{\"complete\":true,\"accounts\":["#.to_owned();
    for (index, (target, slot)) in targets.iter().zip(slots).enumerate() {
        let (session, names) = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.sessions.push(session);
        if index > 0 {
            body.push(',');
        }
        body.push_str(r#"{\"accountId\":\""#);
        body.push_str(&target.account);
        body.push_str(r#"\",\"buckets\":"#);
        body.push_str(&names);
        body.push('}');
    }
    body.push_str("]}");
    Ok(body)
}

/// Appends the names of a target's buckets to `body`.
fn list(
    services: &Services,
    target: &Target,
    session: &mut Option<Session>,
    connection: &mut Connection,
    body: &mut String,
) -> io::Result<()> {
    let session = match session {
        Some(session) => session,
        none => none.insert(services.assume_role(connection, target)?),
    };
    services.list_buckets(connection, session, body)
}

/// The Runtime API (Lambda developer guide, "Using the Lambda runtime API for custom runtimes").
struct Runtime {
    connection: Connection,
    host: String,
}

impl Runtime {
    fn connect() -> io::Result<Self> {
        let host = variable("AWS_LAMBDA_RUNTIME_API")?;
        Ok(Self {
            connection: Connection::open(&host)?,
            host,
        })
    }

    /// Waits for an event; returns its ID.
    fn next(&mut self) -> io::Result<String> {
        let request = format!(
            "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {}\r\n\r\n",
            self.host
        );
        let response = self.connection.exchange(request.as_bytes())?;
        let id = response.header("lambda-runtime-aws-request-id")?;
        Ok(id.to_owned())
    }

    /// Responds with JSON that is already escaped for a string.
    fn respond(&mut self, id: &str, body: &str) -> io::Result<()> {
        const HEAD: &str = r#"{"statusCode":200,"body":""#;
        const TAIL: &str = r#""}"#;
        let mut request = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            HEAD.len() + body.len() + TAIL.len()
        );
        request.reserve(body.len() + HEAD.len() + TAIL.len());
        for part in [HEAD, body, TAIL] {
            request.push_str(part);
        }
        self.connection.exchange(request.as_bytes())?;
        Ok(())
    }
}

/// An environment variable that must be set.
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
