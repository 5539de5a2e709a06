//! Organizations: `ListAccounts`, `ListAccountsForParent` and `ListChildren`, in JSON 1.1.

use std::{ops::Range, sync::atomic::Ordering};

use hyper::{Response, body::Bytes};
use serde_json::{Value, json};

use crate::{
    body::Body,
    fault::{Fault, PROXY},
    organization::{Member, Organization},
    record::{Action, Request},
    server::{Cut, World},
    session::Session,
};

/// The version of the API, which stands before the name of an action in the header `x-amz-target`.
const VERSION: &str = "AWSOrganizationsV20161128";

/// The largest page, and the default.
const LARGEST_PAGE: usize = 20;

/// The token of [`Fault::RepeatToken`] where none was sent.
const AGAIN: &str = "again";

/// What the header `x-amz-target` asks for, where it is one of Organizations'.
pub(crate) fn action(target: &str) -> Option<Action> {
    let (_, name) = target
        .split_once('.')
        .filter(|(version, _)| *version == VERSION)?;
    [
        Action::ListAccounts,
        Action::ListAccountsForParent,
        Action::ListChildren,
    ]
    .into_iter()
    .find(|action| format!("{action:?}") == name)
}

/// The members of a request, as text.
pub(crate) fn parameters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let Value::Object(members) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    let members = members.into_iter().map(|(name, value)| match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    });
    Some(members.collect())
}

pub(crate) async fn answer(world: &World, request: &Request) -> Result<Response<Body>, Cut> {
    let number = world.organization_requests.fetch_add(1, Ordering::SeqCst);
    let id = format!("org-{}", number + 1);
    let Some(organization) = world.organization() else {
        let message = "Your account is not a member of an organization.";
        return Ok(error(
            400,
            "AWSOrganizationsNotInUseException",
            message,
            &id,
        ));
    };
    world.clock.wait(organization.latency).await;
    let fault = match organization.fault(number, request.action) {
        Fault::None if !world.may_ask_organization() => &Fault::Throttled,
        fault => fault,
    };
    match fault {
        Fault::Slow(time) => world.clock.wait(*time).await,
        Fault::Hang => std::future::pending().await,
        Fault::Reset => return Err(Cut::Reset),
        Fault::NoHttp => return Err(Cut::NoHttp),
        Fault::Proxy(status) => return Ok(respond(*status, PROXY.to_owned(), &id)),
        Fault::Garbage => return Ok(respond(200, "<html>not what was asked for".to_owned(), &id)),
        Fault::Empty => return Ok(respond(200, String::new(), &id)),
        _ => {}
    }
    // Members of the organization may not ask.
    let is_member = Session::of(&request.access_key).is_some();
    let denied = if is_member { &Fault::Denied } else { fault };
    if let Some(refusal) = refusal(denied, request.action, &world.caller.arn(), &id) {
        return Ok(refusal);
    }
    let response = match page(&organization, request, fault, number) {
        Ok(page) => respond(200, page.to_string(), &id),
        Err((code, message)) => error(400, code, message, &id),
    };
    Ok(match fault {
        Fault::Truncated => response.map(Body::half),
        Fault::Stalled => response.map(|body| body.half().stalling()),
        Fault::BrokenOff => response.map(|body| body.half().breaking_off()),
        _ => response,
    })
}

/// The signature is of another time.
pub(crate) fn wrong_time() -> Response<Body> {
    let message = "Signature expired";
    error(400, "InvalidSignatureException", message, "org-0")
}

/// The error that a fault stands for, where it stands for one.
fn refusal(fault: &Fault, action: Action, caller: &str, id: &str) -> Option<Response<Body>> {
    Some(match fault {
        Fault::Denied => {
            let message = format!(
                "User: {caller} is not authorized to perform: organizations:{action:?} because no identity-based policy \
                 allows the organizations:{action:?} action"
            );
            error(400, "AccessDeniedException", &message, id)
        }
        Fault::Throttled => {
            let message = "AWS Organizations can't complete your request because another request is already in progress. Try again later.";
            error(400, "TooManyRequestsException", message, id)
        }
        Fault::Expired => {
            let message = "The security token included in the request is expired";
            error(400, "ExpiredTokenException", message, id)
        }
        Fault::Internal => {
            let message = "AWS Organizations can't complete your request because of an internal service error. Try again later.";
            error(500, "ServiceException", message, id)
        }
        Fault::Error {
            status,
            code,
            message,
        } => error(*status, code, message, id),
        _ => return None,
    })
}

/// A page, or AWS's code and message of what is wrong with the request.
fn page(
    organization: &Organization,
    request: &Request,
    fault: &Fault,
    number: u64,
) -> Result<Value, (&'static str, &'static str)> {
    let parent = request.parameter("ParentId");
    if parent.is_some_and(|parent| !organization.has_parent(parent)) {
        return Err((
            "ParentNotFoundException",
            "You specified a parent that doesn't exist.",
        ));
    }
    let in_parent = |other: &str| parent.is_none_or(|parent| parent == other);
    let (name, items): (_, Vec<Value>) = match (request.action, parent) {
        (Action::ListAccounts, None) | (Action::ListAccountsForParent, Some(_)) => {
            let members = organization.members.iter();
            let members = members.filter(|member| in_parent(&member.parent));
            (
                "Accounts",
                members
                    .map(|member| account(organization, member))
                    .collect(),
            )
        }
        (Action::ListChildren, Some(_))
            if request.parameter("ChildType") == Some("ORGANIZATIONAL_UNIT") =>
        {
            let units = organization.units.iter();
            let units = units.filter(|(_, other)| in_parent(other));
            let units = units.map(|(id, _)| json!({ "Id": id, "Type": "ORGANIZATIONAL_UNIT" }));
            ("Children", units.collect())
        }
        _ => return Err(INVALID_INPUT),
    };
    let range = range(request, items.len(), organization.page_cap)?;
    let (shown, next) = match fault {
        Fault::RepeatToken => {
            let again = request.parameter("NextToken").unwrap_or(AGAIN);
            (range, Some(again.to_owned()))
        }
        Fault::EmptyPage => (range.start..range.start, Some(token(range.start, number))),
        _ if range.end < items.len() => (range.clone(), Some(token(range.end, number))),
        _ => (range, None),
    };
    let mut page = json!({ name: items[shown] });
    // The list may be left out (Organizations API reference: no response element is required).
    if *fault == Fault::EmptyPage && number % 2 == 1 {
        page = json!({});
    }
    if let Some(next) = next {
        page["NextToken"] = next.into();
    }
    Ok(page)
}

const INVALID_INPUT: (&str, &str) = (
    "InvalidInputException",
    "You specified an invalid value for one or more of the request parameters.",
);

fn account(organization: &Organization, member: &Member) -> Value {
    let Member {
        id, name, state, ..
    } = member;
    let mut account = json!({
        "Id": id,
        "Arn": format!("arn:aws:organizations::111111111111:account/o-a1b2c3d4e5/{id}"),
        "Email": format!("{id}@example.com"),
        "Name": name,
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1_709_294_400.123,
    });
    let key = if organization.shows_status {
        "Status"
    } else {
        "State"
    };
    if !state.is_empty() {
        account[key] = state.as_str().into();
    }
    account
}

/// A token that leads to item `next`: each is another.
fn token(next: usize, number: u64) -> String {
    format!("{next}+{number}/==")
}

/// The items that a page shows.
fn range(
    request: &Request,
    count: usize,
    page_cap: Option<usize>,
) -> Result<Range<usize>, (&'static str, &'static str)> {
    let size = match request.parameter("MaxResults").map(str::parse) {
        None => LARGEST_PAGE,
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => return Err(INVALID_INPUT),
    };
    let start = match request.parameter("NextToken") {
        None | Some(AGAIN) => 0,
        Some(token) => token
            .split_once('+')
            .and_then(|(start, _)| start.parse().ok())
            .filter(|start| *start <= count)
            .ok_or(INVALID_INPUT)?,
    };
    let size = size.min(page_cap.unwrap_or(LARGEST_PAGE));
    Ok(start..(start + size).min(count))
}

fn error(status: u16, code: &str, message: &str, id: &str) -> Response<Body> {
    let body = json!({ "__type": code, "Message": message });
    respond(status, body.to_string(), id)
}

fn respond(status: u16, body: String, id: &str) -> Response<Body> {
    let mut response = Response::new(Body::new([Bytes::from(body)]));
    *response.status_mut() = status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = id.parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
