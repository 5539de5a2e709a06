//! S3: `ListBuckets`.

use std::{ops::Range, sync::atomic::Ordering};

use hyper::{Response, body::Bytes};

use crate::{
    account::escape,
    body::Body,
    fault::{Fault, PROXY},
    record::Request,
    server::{Cut, World},
    session::Session,
};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner><Buckets>";
const TAIL: &str = "</Buckets></ListAllMyBucketsResult>";

/// The largest page, and the largest quota of buckets for which an unpaginated request is answered.
const LARGEST_PAGE: usize = 10_000;

pub(crate) async fn list_buckets(
    world: &World,
    request: &Request,
    token: Option<&str>,
) -> Result<Response<Body>, Cut> {
    let session = Session::of(&request.access_key);
    let Some(state) = world.state(&request.account) else {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Ok(error(403, "InvalidAccessKeyId", message, "s3-0"));
    };
    let number = state.listed.fetch_add(1, Ordering::SeqCst);
    let id = format!("s3-{}-{}", request.account, number + 1);
    if let Some(session) = session {
        if token != Some(session.token().as_str()) {
            let message = "The provided token is malformed or otherwise invalid.";
            return Ok(error(400, "InvalidToken", message, &id));
        }
        if u64::from(session.number) < state.valid_from.load(Ordering::SeqCst) {
            let message = format!(
                "User: {} is not authorized to perform: s3:ListAllMyBuckets with an explicit deny in an identity-based policy",
                arn(session)
            );
            return Ok(error(403, "AccessDenied", &message, &id));
        }
    }
    let account = &state.account;
    world.clock.wait(account.list_latency).await;
    let fault = account.on_list.fault(number);
    match fault {
        Fault::Slow(time) => world.clock.wait(*time).await,
        Fault::Hang => std::future::pending().await,
        Fault::Reset => return Err(Cut::Reset),
        Fault::NoHttp => return Err(Cut::NoHttp),
        Fault::Proxy(status) => {
            let html = Bytes::from_static(PROXY.as_bytes());
            return Ok(respond(*status, Body::new([html]), &id));
        }
        Fault::Garbage => {
            return Ok(ok(
                [Bytes::from_static(b"<html>not what was asked for")],
                &id,
            ));
        }
        _ => {}
    }
    let caller = match session {
        Some(session) => arn(session),
        None => world.caller.arn(),
    };
    if let Some(refusal) = refusal(fault, &caller, &id) {
        return Ok(refusal);
    }
    let selection = request
        .parameter("prefix")
        .map(|prefix| account.beginning_with(prefix));
    let count = selection.as_ref().map_or_else(|| account.count(), Vec::len);
    let range = match range(request, count, account.page_cap) {
        Ok(range) => range,
        Err((code, message)) => return Ok(error(400, code, message, &id)),
    };
    let (page, next) = match fault {
        Fault::RepeatToken => {
            let again = request
                .parameter("continuation-token")
                .unwrap_or("again+/=");
            (range, Some(again.to_owned()))
        }
        Fault::EmptyPage => (
            range.start..range.start,
            Some(continuation(range.start, number)),
        ),
        _ if range.end < count => (range.clone(), Some(continuation(range.end, number))),
        _ => (range, None),
    };
    let tail = match next {
        Some(token) => Bytes::from(format!(
            "</Buckets><ContinuationToken>{token}</ContinuationToken></ListAllMyBucketsResult>"
        )),
        None => Bytes::from_static(TAIL.as_bytes()),
    };
    let buckets = match selection {
        Some(indices) => account.selection(&indices[page]),
        None => account.page(page),
    };
    let mut pieces = vec![Bytes::from_static(HEAD.as_bytes()), buckets];
    if let Fault::Padded(bytes) = fault {
        const PIECE: usize = 1024 * 1024;
        let spaces = Bytes::from(vec![b' '; PIECE]);
        pieces.push(Bytes::from_static(b"<!--"));
        pieces.extend(std::iter::repeat_n(spaces.clone(), bytes / PIECE));
        pieces.extend([spaces.slice(..bytes % PIECE), Bytes::from_static(b"-->")]);
    }
    pieces.push(tail);
    let response = ok(pieces, &id);
    Ok(match fault {
        Fault::Truncated => response.map(Body::half),
        Fault::Stalled => response.map(|body| body.half().stalling()),
        Fault::BrokenOff => response.map(|body| body.half().breaking_off()),
        _ => response,
    })
}

/// The signature is of another time.
pub(crate) fn wrong_time() -> Response<Body> {
    let message = "The difference between the request time and the current time is too large.";
    error(403, "RequestTimeTooSkewed", message, "s3-0")
}

/// Who lists with a session.
fn arn(session: Session<'_>) -> String {
    format!(
        "arn:aws:sts::{}:assumed-role/MyS3ReadRole/list-s3-buckets",
        session.account
    )
}

/// The error that a fault stands for, where it stands for one.
fn refusal(fault: &Fault, caller: &str, id: &str) -> Option<Response<Body>> {
    Some(match fault {
        Fault::Denied => {
            let message = format!(
                "User: {caller} is not authorized to perform: \
                 s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action"
            );
            error(403, "AccessDenied", &message, id)
        }
        Fault::Throttled => error(503, "SlowDown", "Please reduce your request rate.", id),
        Fault::Expired => expired(id),
        Fault::Internal => {
            let message = "We encountered an internal error. Please try again.";
            error(500, "InternalError", message, id)
        }
        Fault::Error {
            status,
            code,
            message,
        } => error(*status, code, message, id),
        _ => return None,
    })
}

/// A token that leads to bucket `next`: each is another, and has characters that a URL must escape.
fn continuation(next: usize, number: u64) -> String {
    format!("{next}+{number}/==")
}

/// The buckets that a page shows.
fn range(
    request: &Request,
    count: usize,
    page_cap: Option<usize>,
) -> Result<Range<usize>, (&'static str, &'static str)> {
    let size = match request.parameter("max-buckets").map(str::parse) {
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => {
            return Err((
                "InvalidArgument",
                "max-buckets must be an integer between 1 and 10000",
            ));
        }
        None if count > LARGEST_PAGE => {
            return Err((
                "InvalidRequest",
                "The number of buckets requires a paginated request",
            ));
        }
        None => LARGEST_PAGE,
    };
    let start = match request.parameter("continuation-token") {
        None | Some("again+/=") => 0,
        Some(token) => token
            .split_once('+')
            .and_then(|(start, _)| start.parse().ok())
            .filter(|start| *start <= count)
            .ok_or((
                "InvalidArgument",
                "The continuation token provided is incorrect",
            ))?,
    };
    let size = size.min(page_cap.unwrap_or(LARGEST_PAGE));
    Ok(start..(start + size).min(count))
}

fn expired(id: &str) -> Response<Body> {
    error(400, "ExpiredToken", "The provided token has expired.", id)
}

fn ok(pieces: impl IntoIterator<Item = Bytes>, id: &str) -> Response<Body> {
    respond(200, Body::new(pieces), id)
}

fn error(status: u16, code: &str, message: &str, id: &str) -> Response<Body> {
    let mut text = String::new();
    escape(&mut text, message);
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message>\
         <RequestId>{id}</RequestId><HostId>host-{id}</HostId></Error>"
    );
    respond(status, Body::new([Bytes::from(xml)]), id)
}

fn respond(status: u16, body: Body, id: &str) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/xml"),
    );
    for (name, value) in [
        ("x-amz-request-id", id.to_owned()),
        ("x-amz-id-2", format!("host-{id}")),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}
