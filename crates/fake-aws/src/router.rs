//! Parses a request, records it, and passes it to its service.

use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Response};

use crate::{
    body::Body,
    organizations,
    query::Query,
    record::{Action, Request},
    s3,
    service::ConnectionFault,
    session::Session,
    sts, timestamp,
    world::World,
};

/// How far a signature's time may differ from the service's.
const MAX_STS_SKEW: Duration = Duration::from_mins(5);
const MAX_S3_SKEW: Duration = Duration::from_mins(15);

/// Responds to a request that arrived on this connection.
pub(crate) async fn respond<B: hyper::body::Body>(
    world: &World,
    connection: u64,
    request: hyper::Request<B>,
) -> Result<Response<Body>, ConnectionFault> {
    let _in_flight = world.in_flight();
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name)?.to_str().ok();
    let body = if head.method == Method::POST {
        let collected = body.collect().await;
        collected.map_err(|_| ConnectionFault::Reset)?.to_bytes()
    } else {
        hyper::body::Bytes::new()
    };
    let target = header("x-amz-target").and_then(organizations::action);
    let (action, query) = if head.method != Method::POST {
        let query = head.uri.query().unwrap_or_default();
        (Action::ListBuckets, Query::parse(query.as_bytes()))
    } else if let Some(action) = target
        && let Some(parameters) = organizations::parameters(&body)
    {
        (action, Query::of(parameters))
    } else {
        let query = Query::parse(&body);
        match query.get("Action") {
            Some("AssumeRole") => (Action::AssumeRole, query),
            Some("GetCallerIdentity") => (Action::GetCallerIdentity, query),
            _ => return Ok(sts::invalid_action()),
        }
    };
    let role = query.get("RoleArn").and_then(sts::Role::parse);
    let mut scope = credential_scope(&head.headers)
        .unwrap_or_default()
        .split('/');
    let access_key = scope.next().unwrap_or_default().to_owned();
    let region = scope.nth(1).unwrap_or_default().to_owned();
    let account = match (action, &role) {
        (Action::AssumeRole, Some(role)) => role.account.clone(),
        _ => Session::of(&access_key)
            .map_or(world.caller.account.as_str(), |session| session.account)
            .to_owned(),
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
    let skew = |allowed| skew(world, &head.headers, allowed);
    match action {
        Action::AssumeRole | Action::GetCallerIdentity => {
            if let Some((signed, now)) = skew(MAX_STS_SKEW) {
                Ok(sts::wrong_time(signed, now))
            } else if action == Action::AssumeRole {
                sts::assume_role(world, &request, role).await
            } else {
                Ok(sts::get_caller_identity(world, &request))
            }
        }
        Action::ListBuckets if skew(MAX_S3_SKEW).is_some() => Ok(s3::wrong_time()),
        Action::ListBuckets => {
            s3::list_buckets(world, &request, header("x-amz-security-token")).await
        }
        Action::ListAccounts | Action::ListAccountsForParent | Action::ListChildren => {
            if skew(MAX_STS_SKEW).is_some() {
                Ok(organizations::wrong_time())
            } else {
                organizations::respond(world, &request).await
            }
        }
    }
}

/// The signature's time and the service's, if they differ by more than `allowed`.
fn skew(world: &World, headers: &HeaderMap, allowed: Duration) -> Option<(SystemTime, SystemTime)> {
    world.seconds_ahead?;
    let signed = headers.get("x-amz-date")?.to_str().ok()?;
    let (signed, now) = (timestamp::of_signature(signed)?, world.now());
    let difference = now
        .duration_since(signed)
        .unwrap_or_else(|error| error.duration());
    (difference > allowed).then_some((signed, now))
}

/// The scope of the credentials: `KEY/20261122/us-east-1/s3/aws4_request`, from
/// `AWS4-HMAC-SHA256 Credential=KEY/20261122/us-east-1/s3/aws4_request, …`.
fn credential_scope(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(',').next()
}
