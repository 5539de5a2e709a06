//! Organizations: `ListAccounts`, `ListAccountsForParent` and `ListChildren`, in JSON 1.1.

use std::{ops::Range, sync::atomic::Ordering};

use hyper::Response;
use serde_json::{Value, json};

use crate::{
    body::Body,
    fault::Fault,
    organization::{Member, Organization},
    record::{Action, Request},
    service::{self, ConnectionFault, ErrorResponse, Service},
    session::Session,
    world::World,
};

/// The version of the API, which stands before the name of an action in the header `x-amz-target`.
const VERSION: &str = "AWSOrganizationsV20161128";

/// The largest page, and the default.
const LARGEST_PAGE: usize = 20;

/// The token of [`Fault::RepeatToken`] where none was sent.
const AGAIN: &str = "again";

/// The action in the header `x-amz-target`, if it is one of Organizations'.
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

pub(crate) async fn respond(
    world: &World,
    request: &Request,
) -> Result<Response<Body>, ConnectionFault> {
    let number = world.organization_requests.fetch_add(1, Ordering::SeqCst);
    let service = Organizations {
        id: format!("org-{}", number + 1),
        action: request.action,
        caller: world.caller.arn(),
    };
    let Some(organization) = world.organization() else {
        let message = "Your account is not a member of an organization.";
        let error = ErrorResponse::new(400, "AWSOrganizationsNotInUseException", message);
        return Ok(service.error(&error));
    };
    world.clock.wait(organization.latency).await;
    let fault = match organization.fault(number, request.action) {
        // Member accounts are denied.
        _ if Session::of(&request.access_key).is_some() => &Fault::Denied,
        Fault::None if !world.take_organization_quota() => &Fault::Throttled,
        fault => fault,
    };
    service::respond(&service, world.clock, fault, || {
        let page = page(&organization, request, fault, number)?;
        Ok(service.ok(page.to_string()))
    })
    .await
}

/// The error for a signature of another time.
pub(crate) fn wrong_time() -> Response<Body> {
    let service = Organizations {
        id: "org-0".to_owned(),
        action: Action::ListAccounts,
        caller: String::new(),
    };
    let message = "Signature expired";
    service.error(&ErrorResponse::new(
        400,
        "InvalidSignatureException",
        message,
    ))
}

/// The document of a page.
fn page(
    organization: &Organization,
    request: &Request,
    fault: &Fault,
    number: u64,
) -> Result<Value, ErrorResponse> {
    let parent = request.parameter("ParentId");
    if parent.is_some_and(|parent| !organization.has_parent(parent)) {
        let message = "You specified a parent that doesn't exist.";
        return Err(ErrorResponse::new(400, "ParentNotFoundException", message));
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
        _ => return Err(invalid_input()),
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

fn invalid_input() -> ErrorResponse {
    let message = "You specified an invalid value for one or more of the request parameters.";
    ErrorResponse::new(400, "InvalidInputException", message)
}

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
) -> Result<Range<usize>, ErrorResponse> {
    let size = match request.parameter("MaxResults").map(str::parse) {
        None => LARGEST_PAGE,
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => return Err(invalid_input()),
    };
    let start = match request.parameter("NextToken") {
        None | Some(AGAIN) => 0,
        Some(token) => token
            .split_once('+')
            .and_then(|(start, _)| start.parse().ok())
            .filter(|start| *start <= count)
            .ok_or_else(invalid_input)?,
    };
    let size = size.min(page_cap.unwrap_or(LARGEST_PAGE));
    Ok(start..(start + size).min(count))
}

/// Organizations' response to one request.
struct Organizations {
    id: String,
    action: Action,
    /// The ARN of the principal.
    caller: String,
}

impl Service for Organizations {
    fn denied(&self) -> ErrorResponse {
        let Self { caller, action, .. } = self;
        let message = format!(
            "User: {caller} is not authorized to perform: organizations:{action:?} because no identity-based policy \
             allows the organizations:{action:?} action"
        );
        ErrorResponse::new(400, "AccessDeniedException", message)
    }

    fn throttled(&self) -> ErrorResponse {
        let message = "AWS Organizations can't complete your request because another request is already in progress. Try again later.";
        ErrorResponse::new(400, "TooManyRequestsException", message)
    }

    fn expired(&self) -> ErrorResponse {
        let message = "The security token included in the request is expired";
        ErrorResponse::new(400, "ExpiredTokenException", message)
    }

    fn internal(&self) -> ErrorResponse {
        let message = "AWS Organizations can't complete your request because of an internal service error. Try again later.";
        ErrorResponse::new(500, "ServiceException", message)
    }

    fn error(&self, error: &ErrorResponse) -> Response<Body> {
        let body = json!({ "__type": error.code, "Message": error.message });
        self.respond(error.status, Body::new([body.to_string().into()]))
    }

    fn respond(&self, status: u16, body: Body) -> Response<Body> {
        let ids = [("x-amzn-requestid", self.id.as_str())];
        service::with_headers(status, body, "application/x-amz-json-1.1", &ids)
    }
}
