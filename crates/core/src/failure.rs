//! The failure of an account: what happened, in terms that a person and a program can act on.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::StatusCode};
use aws_smithy_types::error::ErrorMetadata;
use aws_types::request_id::RequestId;
use contract::{AccountId, ExternalId, Region, RoleArn, Target, UnitId};

use crate::{
    account_time::{TimeLimit, WaitFor},
    cause::{Cause, one_line},
    clock::ClocksApart,
    denied_by::{Denial, DeniedBy},
    hint::{self, Circumstances},
    http::{CertificateRejected, find},
    kind::{FailureKind, Phase},
    s3::buckets::Buckets,
};

/// The reason why an account could not be listed.
///
/// `Display` is one line: the action, the account, and AWS's code, message and request ID. The [`hint`](Self::hint) and
/// the chain of causes (`Error::source`) are separate. None of them, nor `Debug`, contains a secret. Cloning is cheap.
#[derive(Clone)]
pub struct Failure(Arc<Details>);

#[derive(Debug, Clone)]
struct Details {
    phase: Phase,
    kind: FailureKind,
    account: AccountId,
    role: Option<RoleArn>,
    unit: Option<UnitId>,
    code: Option<String>,
    message: Option<String>,
    denied_by: Option<DeniedBy>,
    request_id: Option<String>,
    /// What happened, if AWS sent no message.
    explanation: Cow<'static, str>,
    hint: Option<String>,
    /// Set if the service rejected a signature.
    clocks_apart: Option<ClocksApart>,
    partial: Partial,
    cause: Option<Arc<Cause>>,
}

/// The buckets of the pages before the failure.
#[derive(Clone, Default)]
struct Partial(Buckets);

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} buckets", self.0.len())
    }
}

impl Failure {
    /// The phase in which it occurred.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// The kind of failure.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The target's account, or the Admin account if the organization could not be read.
    pub fn account(&self) -> &AccountId {
        &self.0.account
    }

    /// The role to assume; `None` if the process's own credentials list the account.
    pub fn role(&self) -> Option<&RoleArn> {
        self.0.role.as_ref()
    }

    /// AWS's error code, such as `AccessDenied`, if the response has one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// AWS's message, on one line of at most about 2,000 bytes.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The kind of policy that denied the request, if AWS's message names it.
    pub fn denied_by(&self) -> Option<DeniedBy> {
        self.0.denied_by
    }

    /// AWS's request ID, which AWS Support can look up.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What to check. The hint lists possibilities, because AWS does not name the cause.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns whether the same request may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The difference of the clocks, if that may be why the service rejected the signature.
    pub(crate) fn clocks_apart(&self) -> Option<ClocksApart> {
        self.0.clocks_apart
    }

    /// Returns whether a clock is wrong, rather than the credentials.
    pub(crate) fn is_of_the_clock(&self) -> bool {
        self.kind() == FailureKind::CredentialsRejected
            && (self.0.clocks_apart.is_some() || hint::is_of_the_clock(self.code(), self.message()))
    }

    /// Adds to the hint that signing by the service's clock did not help, although the clocks were `apart`.
    pub(crate) fn despite_clocks_apart(mut self, apart: ClocksApart) -> Self {
        if self.kind() == FailureKind::CredentialsRejected {
            let clocks = hint::clocks_apart(apart);
            let other = self.hint().filter(|_| !self.is_of_the_clock());
            let hint = match other {
                Some(other) => format!("{other}; and {clocks}"),
                None => clocks,
            };
            let details = Arc::make_mut(&mut self.0);
            details.clocks_apart = Some(apart);
            details.hint = Some(hint);
        }
        self
    }

    /// The buckets of the pages before the failure; usually empty.
    pub fn partial(&self) -> &Buckets {
        &self.0.partial.0
    }

    /// Removes the buckets of [`partial`](Self::partial).
    pub(crate) fn without_partial(mut self) -> Self {
        Arc::make_mut(&mut self.0).partial = Partial::default();
        self
    }

    pub(crate) fn with_partial(mut self, buckets: Buckets) -> Self {
        if !buckets.is_empty() {
            Arc::make_mut(&mut self.0).partial = Partial(buckets);
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            phase,
            kind,
            account,
            role,
            unit,
            code,
            message,
            request_id,
            explanation,
            ..
        } = &*self.0;
        match (phase, role) {
            (Phase::Assume, Some(role)) => {
                write!(
                    f,
                    "Failed to assume the role `{role}` in account {account}: "
                )?;
            }
            (Phase::Assume, None) => write!(f, "Failed to access account {account}: ")?,
            (Phase::List, Some(role)) => write!(
                f,
                "Failed to list the buckets of account {account} as the role `{role}`: "
            )?,
            (Phase::List, None) => write!(
                f,
                "Failed to list the buckets of account {account} with the function's own credentials: "
            )?,
            (Phase::Organization, _)
                if matches!(
                    kind,
                    FailureKind::DuplicateAccount | FailureKind::NoAccounts
                ) =>
            {
                write!(
                    f,
                    "Failed to select accounts of the organization of account {account}: "
                )?;
            }
            (Phase::Organization, _) if *kind == FailureKind::NotListed => {
                write!(f, "Failed to find account {account} in the organization: ")?;
            }
            (Phase::Organization, _) => match unit {
                Some(unit) => write!(
                    f,
                    "Failed to read the organizational unit `{unit}` as account {account}: "
                )?,
                None => write!(
                    f,
                    "Failed to read the accounts of the organization as account {account}: "
                )?,
            },
        }
        match (code, message) {
            (Some(code), Some(message)) => write!(f, "{code}: {message}")?,
            (Some(code), None) => write!(f, "{code}: {explanation}")?,
            (None, Some(message)) => write!(f, "{explanation}: {message}")?,
            (None, None) => f.write_str(explanation)?,
        }
        match request_id {
            Some(id) => write!(f, " (request ID {id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            phase,
            kind,
            account,
            role,
            unit,
            code,
            message,
            denied_by,
            request_id,
            explanation,
            hint,
            clocks_apart,
            partial,
            cause,
        } = &*self.0;
        f.debug_struct("Failure")
            .field("phase", phase)
            .field("kind", kind)
            .field("account", &account.as_str())
            .field("role", &role.as_ref().map(ToString::to_string))
            .field("unit", &unit.as_ref().map(UnitId::as_str))
            .field("code", code)
            .field("message", message)
            .field("denied_by", denied_by)
            .field("request_id", request_id)
            .field("explanation", explanation)
            .field("hint", hint)
            .field("clocks_apart", clocks_apart)
            .field("partial", partial)
            .field("cause", cause)
            .finish()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

/// Builds a [`Failure`]. Only this type knows AWS's error codes and the SDK's errors.
pub(crate) struct FailureBuilder {
    phase: Phase,
    account: AccountId,
    role: Option<RoleArn>,
    /// The requested organizational unit, and the permission that the request needs.
    unit: Option<UnitId>,
    permission: Option<&'static str>,
    external_id: Option<ExternalId>,
    region: Region,
}

impl FailureBuilder {
    pub(crate) fn new(
        phase: Phase,
        target: &Target,
        role: Option<RoleArn>,
        region: Region,
    ) -> Self {
        Self {
            phase,
            account: target.account.clone(),
            role,
            unit: None,
            permission: None,
            external_id: target.external_id().cloned(),
            region,
        }
    }

    /// Begins a failure of the organization of the account `admin`.
    pub(crate) fn of_organization(admin: &AccountId, region: Region) -> Self {
        Self {
            phase: Phase::Organization,
            account: admin.clone(),
            role: None,
            unit: None,
            permission: None,
            external_id: None,
            region,
        }
    }

    /// Names the unit that was read.
    pub(crate) fn in_unit(self, unit: &UnitId) -> Self {
        Self {
            unit: Some(unit.clone()),
            ..self
        }
    }

    /// Names the permission that the request needs.
    pub(crate) fn needing(self, permission: &'static str) -> Self {
        Self {
            permission: Some(permission),
            ..self
        }
    }

    /// `account` is selected by `outer` and by `inner`, which is nested in it.
    pub(crate) fn duplicate_account(
        self,
        account: &AccountId,
        outer: &UnitId,
        inner: &UnitId,
    ) -> Failure {
        let explanation = format!(
            "account {account} is selected twice, by the unit `{outer}` and by `{inner}`, which is nested in it"
        );
        self.in_unit(inner)
            .build(What::new(FailureKind::DuplicateAccount, explanation))
    }

    /// No account is left of `found`.
    pub(crate) fn no_accounts(self, found: usize) -> Failure {
        let explanation = match found {
            0 => "no accounts found".to_owned(),
            1 => "the only account is excluded or not active".to_owned(),
            _ => format!("none of the {found} accounts is active and not excluded"),
        };
        self.build(What::new(FailureKind::NoAccounts, explanation))
    }

    /// The account has left the organization.
    pub(crate) fn not_listed(self) -> Failure {
        let explanation = "it was there when the first invocation began";
        self.build(What::new(FailureKind::NotListed, explanation))
    }

    /// A time limit was reached.
    pub(crate) fn ended(self, ended: TimeLimit) -> Failure {
        let what = match ended {
            TimeLimit::Deadline | TimeLimit::Waiting(WaitFor::Budget) => What::new(
                FailureKind::Timeout,
                "the invocation's deadline was reached",
            ),
            TimeLimit::Share(share) => What::new(
                FailureKind::Timeout,
                format!(
                    "it used up its share of the invocation, {share:.1?}, while other accounts were waiting"
                ),
            ),
            TimeLimit::Waiting(WaitFor::RateLimit) => What::new(
                FailureKind::Throttled,
                "the invocation's deadline was reached while STS throttled the caller",
            ),
        };
        self.build(What {
            ended: Some(ended),
            ..what
        })
    }

    /// Reading the organization left no time to list an account.
    pub(crate) fn no_time_left(self) -> Failure {
        self.build(What::new(
            FailureKind::Timeout,
            "reading them left no time to list one",
        ))
    }

    /// The session in the response belongs to another account.
    pub(crate) fn wrong_account(self, account: &AccountId, answer: &impl RequestId) -> Failure {
        let explanation = format!("the session that STS issued belongs to account {account}");
        self.build(What {
            request_id: answer.request_id().map(one_line),
            ..What::new(FailureKind::WrongAccount, explanation)
        })
    }

    /// The process's own credentials belong to `account`.
    pub(crate) fn not_of_this_account(self, account: &str) -> Failure {
        let explanation = format!("they belong to account {}", one_line(account));
        self.build(What::new(FailureKind::WrongAccount, explanation))
    }

    /// The process could not get its own credentials.
    pub(crate) fn no_credentials(self, error: &CredentialsError) -> Failure {
        let cause = Cause::of(error);
        let (kind, explanation) = no_credentials(cause.root());
        self.build(What {
            cause: Some(cause),
            ..What::new(kind, explanation)
        })
    }

    /// The response does not have its documented form; `what` is the problem.
    pub(crate) fn invalid_response(self, what: &str, answer: &impl RequestId) -> Failure {
        let explanation = format!("the response is malformed: {what}");
        self.build(What {
            request_id: answer.request_id().map(one_line),
            ..What::new(FailureKind::InvalidResponse, explanation)
        })
    }

    /// A panic occurred with the message `text`.
    pub(crate) fn panicked(self, text: &str) -> Failure {
        let explanation = format!("the function panicked, which is a bug: {}", one_line(text));
        self.build(What::new(FailureKind::Panic, explanation))
    }

    /// The names of the account's buckets have more than `most` bytes in total.
    pub(crate) fn names_too_large(self, most: usize) -> Failure {
        let explanation =
            format!("the names alone need more than {most} bytes, the space left in the response");
        self.build(What::new(FailureKind::ResponseTooLarge, explanation))
    }

    /// The account needs `size` bytes of a response that may have `most`.
    pub(crate) fn response_too_large(self, size: usize, most: usize) -> Failure {
        let explanation = format!("needs {size} bytes; the response limit is {most}");
        self.build(What::new(FailureKind::ResponseTooLarge, explanation))
    }

    /// Explains an error of the SDK.
    pub(crate) fn sdk<E>(self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let cause = Error::source(error).map(Cause::of);
        let (kind, explanation) = self.explain(error, cause.as_ref());
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let text = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
        self.build(What {
            code: metadata.and_then(ErrorMetadata::code).and_then(text),
            message: metadata.and_then(ErrorMetadata::message).and_then(text),
            request_id: metadata
                .and_then(RequestId::request_id)
                .or_else(|| error.raw_response().and_then(RequestId::request_id))
                .and_then(text),
            clocks_apart: error
                .raw_response()
                .filter(|_| {
                    metadata
                        .and_then(ErrorMetadata::code)
                        .is_some_and(is_of_a_signature)
                })
                .and_then(ClocksApart::of),
            cause,
            ..What::new(kind, explanation)
        })
    }

    fn explain<E>(
        &self,
        error: &SdkError<E, HttpResponse>,
        cause: Option<&Cause>,
    ) -> (FailureKind, String)
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let root = cause.map_or("", Cause::root);
        let too_late = || {
            // An error higher in the chain names the timeout; the root only says that there was one.
            let which = cause
                .and_then(|cause| cause.texts().find(|text| text.contains("timeout occurred")));
            (
                FailureKind::Timeout,
                format!("no response in time: {}", which.unwrap_or(root)),
            )
        };
        let unreadable = || {
            (
                FailureKind::InvalidResponse,
                format!("the response could not be read: {root}"),
            )
        };
        let answered = |status: StatusCode, code: Option<&str>| match kind_of_response(
            self.phase,
            status.as_u16(),
            code,
        ) {
            FailureKind::InvalidResponse if status.is_success() => unreadable(),
            kind => (kind, answered(status, code)),
        };
        match error {
            _ if has_cause::<CredentialsError>(error) => no_credentials(root),
            _ if has_cause::<CertificateRejected>(error) => (
                FailureKind::CertificateRejected,
                format!("the certificate of the endpoint was rejected: {root}"),
            ),
            SdkError::ConstructionFailure(_) => not_made(root),
            SdkError::TimeoutError(_) => too_late(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => too_late(),
            SdkError::DispatchFailure(failure)
                if failure.is_user() || (failure.is_other() && !was_sent(error)) =>
            {
                not_made(root)
            }
            SdkError::DispatchFailure(_)
                if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) =>
            {
                (
                    FailureKind::InvalidResponse,
                    format!("the response is not HTTP: {root}"),
                )
            }
            // An error that does not have the service's form, for example from a proxy.
            SdkError::ResponseError(answer) => answered(answer.raw().status(), None),
            SdkError::ServiceError(answer) => answered(answer.raw().status(), answer.err().code()),
            // `DispatchFailure`, and variants of later SDKs.
            _ => (
                FailureKind::ConnectionFailed,
                format!("the connection failed or broke: {root}"),
            ),
        }
    }

    fn build(self, what: What) -> Failure {
        let denial = match what.kind {
            FailureKind::AssumeRoleDenied
            | FailureKind::ListBucketsDenied
            | FailureKind::OrganizationDenied => what.message.as_deref().and_then(Denial::of),
            _ => None,
        };
        let hint = hint::hint(&Circumstances {
            phase: self.phase,
            kind: what.kind,
            account: &self.account,
            role: self.role.as_ref(),
            unit: self.unit.as_ref(),
            permission: self.permission,
            external_id: self.external_id.as_ref(),
            region: &self.region,
            code: what.code.as_deref(),
            message: what.message.as_deref(),
            denial,
            ended: what.ended,
        });
        Failure(Arc::new(Details {
            phase: self.phase,
            kind: what.kind,
            account: self.account,
            role: self.role,
            unit: self.unit,
            code: what.code,
            message: what.message,
            denied_by: denial.map(|denial| denial.by),
            request_id: what.request_id,
            explanation: what.explanation,
            hint,
            clocks_apart: what.clocks_apart,
            partial: Partial::default(),
            cause: what.cause.map(Arc::new),
        }))
    }
}

/// What happened, apart from where.
struct What {
    kind: FailureKind,
    explanation: Cow<'static, str>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    clocks_apart: Option<ClocksApart>,
    cause: Option<Cause>,
    ended: Option<TimeLimit>,
}

impl What {
    fn new(kind: FailureKind, explanation: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            explanation: explanation.into(),
            code: None,
            message: None,
            request_id: None,
            clocks_apart: None,
            cause: None,
            ended: None,
        }
    }
}

fn answered(status: StatusCode, code: Option<&str>) -> String {
    let status = status.as_u16();
    match code {
        Some(_) => format!("the service returned HTTP status {status}"),
        None => format!("the response has HTTP status {status} and no AWS error code"),
    }
}

fn no_credentials(root: &str) -> (FailureKind, String) {
    (
        FailureKind::CredentialsUnavailable,
        format!("could not get credentials: {root}"),
    )
}

fn not_made(root: &str) -> (FailureKind, String) {
    (
        FailureKind::InvalidConfiguration,
        format!("the request could not be built: {root}"),
    )
}

/// Returns the kind of an error response.
///
/// The services do not model the errors that matter, such as `AccessDenied`, so the codes are matched as text: those of the STS API reference ("Common Error Types"), the S3 API reference ("Error responses"), and for throttling those of
/// aws-runtime 1.10 (`THROTTLING_ERRORS`).
fn kind_of_response(phase: Phase, status: u16, code: Option<&str>) -> FailureKind {
    let denied = match phase {
        Phase::Assume => FailureKind::AssumeRoleDenied,
        Phase::List => FailureKind::ListBucketsDenied,
        Phase::Organization => FailureKind::OrganizationDenied,
    };
    match code.unwrap_or_default() {
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "NotAuthorized" => denied,
        "AWSOrganizationsNotInUseException" => FailureKind::OrganizationDenied,
        "ParentNotFoundException" => FailureKind::UnitNotFound,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "SlowDown" => FailureKind::Throttled,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            FailureKind::ExpiredCredentials
        }
        "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "InvalidSecurity"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "IncompleteSignature" => FailureKind::CredentialsRejected,
        code if is_of_a_signature(code) => FailureKind::CredentialsRejected,
        "RegionDisabledException" => FailureKind::RegionDisabled,
        "RequestTimeout" | "RequestTimeoutException" => FailureKind::Timeout,
        // S3 reports some of its own errors with status 200.
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "ServiceException" => {
            FailureKind::ServiceUnavailable
        }
        _ => match (status, code) {
            (429, _) => FailureKind::Throttled,
            (500.., _) => FailureKind::ServiceUnavailable,
            // AWS services send an error code, so this is the page of a proxy or another server.
            (_, None) => FailureKind::InvalidResponse,
            _ => FailureKind::RequestRejected,
        },
    }
}

/// Returns whether the error may be due to the time of the signature (aws-runtime 1.10, `CLOCK_SKEW_ERROR_CODES`, and the STS API
/// reference, "Common Error Types").
fn is_of_a_signature(code: &str) -> bool {
    matches!(
        code,
        "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "AuthFailure"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
    )
}

/// Returns whether the chain contains an error of type `E`.
fn has_cause<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    find::<E>(error).is_some()
}

/// Returns whether the request got as far as a connection. Errors before that, such as an endpoint that is not a URL, have
/// many types.
fn was_sent(error: &(dyn Error + 'static)) -> bool {
    has_cause::<hyper::Error>(error)
        || has_cause::<hyper_util::client::legacy::Error>(error)
        || has_cause::<std::io::Error>(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_the_code_and_then_the_status() {
        use FailureKind::*;
        for (status, code, kind) in [
            (403, Some("AccessDenied"), AssumeRoleDenied),
            (403, None, InvalidResponse),
            (403, Some("ExpiredToken"), ExpiredCredentials),
            (400, Some("ExpiredTokenException"), ExpiredCredentials),
            (403, Some("SignatureDoesNotMatch"), CredentialsRejected),
            (400, Some("Throttling"), Throttled),
            (429, None, Throttled),
            (503, Some("SlowDown"), Throttled),
            (503, Some("ServiceUnavailable"), ServiceUnavailable),
            (200, Some("InternalError"), ServiceUnavailable),
            (502, None, ServiceUnavailable),
            (400, Some("RequestTimeout"), Timeout),
            (403, Some("RegionDisabledException"), RegionDisabled),
            (200, None, InvalidResponse),
            (400, Some("NoSuchCode"), RequestRejected),
            (400, None, InvalidResponse),
            (301, Some("PermanentRedirect"), RequestRejected),
        ] {
            assert_eq!(
                kind_of_response(Phase::Assume, status, code),
                kind,
                "{status} {code:?}"
            );
        }
        let denied = kind_of_response(Phase::List, 403, Some("AccessDenied"));
        assert_eq!(denied, ListBucketsDenied);
        assert_eq!(
            denied.as_str(),
            contract::ActionSpec::S3_BUCKETS.denied_error_type
        );
    }
}
