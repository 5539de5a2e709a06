//! STS: the query protocol.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use hyper::{Response, body::Bytes};

use crate::{
    account::escape,
    body::Body,
    fault::{Fault, PROXY},
    record::Request,
    server::{Cut, World},
    session::Session,
    timestamp::iso_8601,
};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The role of a role's ARN.
pub(crate) struct Role {
    pub(crate) account: String,
    /// `NAME` or `path/NAME`.
    name: String,
}

impl Role {
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "iam", "", account, resource] = fields[..] else {
            return None;
        };
        Some(Self {
            account: account.to_owned(),
            name: resource.strip_prefix("role/")?.to_owned(),
        })
    }
}

pub(crate) fn invalid_action() -> Response<Body> {
    error(
        400,
        "InvalidAction",
        "Could not find operation for version 2011-06-15",
        "sts-0",
    )
}

/// The signature is of another time.
pub(crate) fn wrong_time(signed: SystemTime, now: SystemTime) -> Response<Body> {
    let (is, side) = if signed < now {
        ("expired", "earlier")
    } else {
        ("not yet current", "later")
    };
    let message = format!(
        "Signature {is}: {} is now {side} than {} (5 min.)",
        iso_8601(signed),
        iso_8601(now)
    );
    error(403, "SignatureDoesNotMatch", &message, "sts-0")
}

pub(crate) fn get_caller_identity(world: &World, request: &Request) -> Response<Body> {
    let (user, arn) = match Session::of(&request.access_key) {
        Some(session) => (
            "AROAFAKE",
            format!("arn:aws:sts::{}:assumed-role/Role/session", session.account),
        ),
        None => ("AROAFAKECALLER", world.caller.arn()),
    };
    let account = &request.account;
    ok(
        format!(
            "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{arn}</Arn>\
             <UserId>{user}</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
        "sts-identity",
    )
}

pub(crate) async fn assume_role(
    world: &World,
    request: &Request,
    role: Option<Role>,
) -> Result<Response<Body>, Cut> {
    let Some(role) = role else {
        return Ok(error(
            400,
            "ValidationError",
            "Request ARN is invalid",
            "sts-0",
        ));
    };
    let arn = request.parameter("RoleArn").unwrap_or_default();
    let denied = format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        world.caller.arn()
    );
    let Some(state) = world.state(&role.account) else {
        return Ok(error(403, "AccessDenied", &denied, "sts-0"));
    };
    let account = &state.account;
    let number = state.assumed.fetch_add(1, Ordering::SeqCst);
    let id = format!("sts-{}-{}", role.account, number + 1);
    world.clock.wait(account.assume_latency).await;
    let fault = match account.on_assume.fault(number) {
        Fault::None if !world.may_assume() => &Fault::Throttled,
        fault => fault,
    };
    match fault {
        Fault::Slow(time) => world.clock.wait(*time).await,
        Fault::Hang => std::future::pending().await,
        Fault::Reset => return Err(Cut::Reset),
        Fault::NoHttp => return Err(Cut::NoHttp),
        Fault::Proxy(status) => return Ok(respond(*status, PROXY.to_owned(), &id)),
        Fault::Garbage => return Ok(ok("<html>not what was asked for".to_owned(), &id)),
        Fault::Padded(bytes) => {
            let text = format!("<html><!--{}--></html>", " ".repeat(*bytes));
            return Ok(ok(text, &id));
        }
        _ => {}
    }
    if let Some(refusal) = refusal(fault, &denied, &id) {
        return Ok(refusal);
    }
    let trusted = account.role.as_ref().is_none_or(|name| *name == role.name)
        && account
            .external_id
            .as_deref()
            .is_none_or(|wanted| request.parameter("ExternalId") == Some(wanted));
    if !trusted {
        return Ok(error(403, "AccessDenied", &denied, &id));
    }
    let owner = match fault {
        Fault::WrongAccount(other) => other,
        _ => role.account.as_str(),
    };
    let mut answer = session(world, request, &role, &state, owner);
    if let Fault::Element(name, text) = fault {
        answer = with_element(&answer, name, *text);
    }
    let response = ok(answer, &id);
    Ok(match fault {
        Fault::Truncated => response.map(Body::half),
        Fault::Stalled => response.map(|body| body.half().stalling()),
        Fault::BrokenOff => response.map(|body| body.half().breaking_off()),
        _ => response,
    })
}

/// The error that a fault stands for, where it stands for one.
fn refusal(fault: &Fault, denied: &str, id: &str) -> Option<Response<Body>> {
    Some(match fault {
        Fault::Denied => error(403, "AccessDenied", denied, id),
        Fault::Throttled => error(400, "Throttling", "Rate exceeded", id),
        Fault::Expired => {
            let message = "The security token included in the request is expired";
            error(403, "ExpiredToken", message, id)
        }
        Fault::Internal => {
            let message = "The request processing has failed because of an unknown error";
            error(500, "InternalFailure", message, id)
        }
        Fault::Error {
            status,
            code,
            message,
        } => error(*status, code, message, id),
        _ => return None,
    })
}

/// The document with another text in its element `name`, or without that.
fn with_element(document: &str, name: &str, text: Option<&str>) -> String {
    let element = text.map(|text| format!("<{name}>{text}</{name}>"));
    document
        .split_once(&format!("<{name}>"))
        .and_then(|(before, rest)| {
            let (_, after) = rest.split_once(&format!("</{name}>"))?;
            Some(format!("{before}{}{after}", element.unwrap_or_default()))
        })
        .unwrap_or_else(|| document.to_owned())
}

/// The answer with a new session.
fn session(
    world: &World,
    request: &Request,
    role: &Role,
    state: &crate::server::State,
    owner: &str,
) -> String {
    let seconds = state.account.session_seconds.unwrap_or_else(|| {
        request
            .parameter("DurationSeconds")
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(3_600)
    });
    let number = state.issued.fetch_add(1, Ordering::SeqCst);
    let session = Session {
        account: owner,
        number: u32::try_from(number % 10_000).unwrap_or_default(),
    };
    let name = role.name.rsplit('/').next().unwrap_or_default();
    let mut session_name = String::new();
    escape(
        &mut session_name,
        request.parameter("RoleSessionName").unwrap_or_default(),
    );
    format!(
        "<AssumeRoleResponse xmlns=\"{NAMESPACE}\"><AssumeRoleResult><AssumedRoleUser>\
         <AssumedRoleId>AROAFAKE:{session_name}</AssumedRoleId>\
         <Arn>arn:aws:sts::{owner}:assumed-role/{name}/{session_name}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>",
        session.access_key(),
        session.secret(),
        session.token(),
        iso_8601(world.now() + Duration::from_secs(seconds)),
    )
}

fn ok(xml: String, id: &str) -> Response<Body> {
    respond(200, xml, id)
}

fn error(status: u16, code: &str, message: &str, id: &str) -> Response<Body> {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let mut text = String::new();
    escape(&mut text, message);
    respond(
        status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{text}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
        ),
        id,
    )
}

fn respond(status: u16, xml: String, id: &str) -> Response<Body> {
    let mut response = Response::new(Body::new([Bytes::from(xml)]));
    *response.status_mut() = status.try_into().unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static("text/xml"),
    );
    if let Ok(id) = id.parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
