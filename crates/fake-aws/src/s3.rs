//! S3: `ListBuckets`.

use std::{ops::Range, sync::atomic::Ordering};

use hyper::{Response, body::Bytes};

use crate::{
    account::{Account, escape},
    body::Body,
    fault::Fault,
    record::Request,
    service::{self, ConnectionFault, ErrorResponse, Service},
    session::Session,
    world::World,
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
) -> Result<Response<Body>, ConnectionFault> {
    let session = Session::of(&request.access_key);
    let mut s3 = S3 {
        id: "s3-0".to_owned(),
        caller: session.map_or_else(|| world.caller.arn(), arn),
    };
    let Some(state) = world.account(&request.account) else {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Ok(s3.error(&ErrorResponse::new(403, "InvalidAccessKeyId", message)));
    };
    let number = state.listed.fetch_add(1, Ordering::SeqCst);
    s3.id = format!("s3-{}-{}", request.account, number + 1);
    if let Some(session) = session {
        if token != Some(session.token().as_str()) {
            let message = "The provided token is malformed or otherwise invalid.";
            return Ok(s3.error(&ErrorResponse::new(400, "InvalidToken", message)));
        }
        if u64::from(session.number) < state.valid_from.load(Ordering::SeqCst) {
            let reason = "with an explicit deny in an identity-based policy";
            return Ok(s3.error(&s3.access_denied(reason)));
        }
    }
    let account = &state.account;
    world.clock.wait(account.list_latency).await;
    let fault = account.on_list.fault(number);
    service::respond(&s3, world.clock, fault, || {
        let pieces = page(account, request, fault, number)?;
        Ok(s3.respond(200, Body::new(pieces)))
    })
    .await
}

/// The document of a page.
fn page(
    account: &Account,
    request: &Request,
    fault: &Fault,
    number: u64,
) -> Result<Vec<Bytes>, ErrorResponse> {
    let selection = request
        .parameter("prefix")
        .map(|prefix| account.beginning_with(prefix));
    let count = selection.as_ref().map_or_else(|| account.count(), Vec::len);
    let range = range(request, count, account.page_cap)?;
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
    Ok(pieces)
}

/// The error for a signature of another time.
pub(crate) fn wrong_time() -> Response<Body> {
    let message = "The difference between the request time and the current time is too large.";
    let s3 = S3 {
        id: "s3-0".to_owned(),
        caller: String::new(),
    };
    s3.error(&ErrorResponse::new(403, "RequestTimeTooSkewed", message))
}

/// The ARN of a session's principal.
fn arn(session: Session<'_>) -> String {
    format!(
        "arn:aws:sts::{}:assumed-role/MyS3ReadRole/list-s3-buckets",
        session.account
    )
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
) -> Result<Range<usize>, ErrorResponse> {
    let size = match request.parameter("max-buckets").map(str::parse) {
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => {
            let message = "max-buckets must be an integer between 1 and 10000";
            return Err(ErrorResponse::new(400, "InvalidArgument", message));
        }
        None if count > LARGEST_PAGE => {
            let message = "The number of buckets requires a paginated request";
            return Err(ErrorResponse::new(400, "InvalidRequest", message));
        }
        None => LARGEST_PAGE,
    };
    let start = match request.parameter("continuation-token") {
        None | Some("again+/=") => 0,
        Some(token) => token
            .split_once('+')
            .and_then(|(start, _)| start.parse().ok())
            .filter(|start| *start <= count)
            .ok_or_else(|| {
                let message = "The continuation token provided is incorrect";
                ErrorResponse::new(400, "InvalidArgument", message)
            })?,
    };
    let size = size.min(page_cap.unwrap_or(LARGEST_PAGE));
    Ok(start..(start + size).min(count))
}

/// S3's response to one request.
struct S3 {
    id: String,
    /// The ARN of the principal.
    caller: String,
}

impl S3 {
    fn access_denied(&self, reason: &str) -> ErrorResponse {
        let message = format!(
            "User: {} is not authorized to perform: s3:ListAllMyBuckets {reason}",
            self.caller
        );
        ErrorResponse::new(403, "AccessDenied", message)
    }
}

impl Service for S3 {
    fn denied(&self) -> ErrorResponse {
        self.access_denied("because no identity-based policy allows the s3:ListAllMyBuckets action")
    }

    fn throttled(&self) -> ErrorResponse {
        ErrorResponse::new(503, "SlowDown", "Please reduce your request rate.")
    }

    fn expired(&self) -> ErrorResponse {
        ErrorResponse::new(400, "ExpiredToken", "The provided token has expired.")
    }

    fn internal(&self) -> ErrorResponse {
        let message = "We encountered an internal error. Please try again.";
        ErrorResponse::new(500, "InternalError", message)
    }

    fn error(&self, error: &ErrorResponse) -> Response<Body> {
        let ErrorResponse {
            status,
            code,
            message,
        } = error;
        let mut text = String::new();
        escape(&mut text, message);
        let id = &self.id;
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message>\
             <RequestId>{id}</RequestId><HostId>host-{id}</HostId></Error>"
        );
        self.respond(*status, Body::new([xml.into()]))
    }

    fn respond(&self, status: u16, body: Body) -> Response<Body> {
        let host = format!("host-{}", self.id);
        let ids = [
            ("x-amz-request-id", self.id.as_str()),
            ("x-amz-id-2", &host),
        ];
        service::with_headers(status, body, "application/xml", &ids)
    }
}
