//! STS: the query protocol.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime},
};

use hyper::Response;

use crate::{
    account::escape,
    body::Body,
    fault::Fault,
    record::Request,
    service::{self, ConnectionFault, ErrorResponse, Service},
    session::Session,
    timestamp::iso_8601,
    world::{AccountState, World},
};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A role, from its ARN.
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
    let message = "Could not find operation for version 2011-06-15";
    Sts::early().error(&ErrorResponse::new(400, "InvalidAction", message))
}

/// The error for a signature of another time.
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
    Sts::early().error(&ErrorResponse::new(403, "SignatureDoesNotMatch", message))
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
    let sts = Sts {
        id: "sts-identity".to_owned(),
        denied: String::new(),
    };
    sts.ok(format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{arn}</Arn>\
         <UserId>{user}</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

pub(crate) async fn assume_role(
    world: &World,
    request: &Request,
    role: Option<Role>,
) -> Result<Response<Body>, ConnectionFault> {
    let Some(role) = role else {
        let error = ErrorResponse::new(400, "ValidationError", "Request ARN is invalid");
        return Ok(Sts::early().error(&error));
    };
    let arn = request.parameter("RoleArn").unwrap_or_default();
    let mut sts = Sts {
        denied: format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            world.caller.arn()
        ),
        ..Sts::early()
    };
    let Some(state) = world.account(&role.account) else {
        return Ok(sts.error(&sts.denied()));
    };
    let account = &state.account;
    let number = state.assumed.fetch_add(1, Ordering::SeqCst);
    sts.id = format!("sts-{}-{}", role.account, number + 1);
    world.clock.wait(account.assume_latency).await;
    let fault = match account.on_assume.fault(number) {
        Fault::None if !world.take_assume_quota() => &Fault::Throttled,
        fault => fault,
    };
    service::respond(&sts, world.clock, fault, || {
        if let Fault::Padded(bytes) = fault {
            return Ok(sts.ok(format!("<html><!--{}--></html>", " ".repeat(*bytes))));
        }
        let external_id = request.parameter("ExternalId");
        let trusted = account.role.as_ref().is_none_or(|name| *name == role.name)
            && (account.external_id.is_none() || account.external_id.as_deref() == external_id);
        if !trusted {
            return Err(sts.denied());
        }
        let owner = match fault {
            Fault::WrongAccount(other) => other,
            _ => role.account.as_str(),
        };
        let document = session(world, request, &role, &state, owner);
        Ok(sts.ok(match fault {
            Fault::Element(name, text) => with_element(&document, name, *text),
            _ => document,
        }))
    })
    .await
}

/// Replaces the text of the element `name`, or removes the element.
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

/// Issues a session; the response document.
fn session(
    world: &World,
    request: &Request,
    role: &Role,
    state: &AccountState,
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

/// The query protocol's response to one request.
struct Sts {
    id: String,
    /// The message of `AccessDenied`.
    denied: String,
}

impl Sts {
    /// Before an account is known.
    fn early() -> Self {
        Self {
            id: "sts-0".to_owned(),
            denied: String::new(),
        }
    }
}

impl Service for Sts {
    fn denied(&self) -> ErrorResponse {
        ErrorResponse::new(403, "AccessDenied", self.denied.clone())
    }

    fn throttled(&self) -> ErrorResponse {
        ErrorResponse::new(400, "Throttling", "Rate exceeded")
    }

    fn expired(&self) -> ErrorResponse {
        let message = "The security token included in the request is expired";
        ErrorResponse::new(403, "ExpiredToken", message)
    }

    fn internal(&self) -> ErrorResponse {
        let message = "The request processing has failed because of an unknown error";
        ErrorResponse::new(500, "InternalFailure", message)
    }

    fn error(&self, error: &ErrorResponse) -> Response<Body> {
        let ErrorResponse {
            status,
            code,
            message,
        } = error;
        let kind = if *status < 500 { "Sender" } else { "Receiver" };
        let mut text = String::new();
        escape(&mut text, message);
        let xml = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{text}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            self.id
        );
        self.respond(*status, Body::new([xml.into()]))
    }

    fn respond(&self, status: u16, body: Body) -> Response<Body> {
        let ids = [("x-amzn-requestid", self.id.as_str())];
        service::with_headers(status, body, "text/xml", &ids)
    }
}
