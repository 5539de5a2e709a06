//! Suggests what to check after a failure.
//!
//! AWS does not say which policy denied a request, nor whether a role exists, so a hint lists the possibilities. It names
//! the kind of policy only if AWS's message does (IAM user guide, "Troubleshoot access denied error messages").

use contract::{AccountId, ActionSpec, ExternalId, Region, RoleArn, UnitId};

use crate::{
    account_time::TimeLimit,
    clock::ClocksApart,
    denied_by::Denial,
    kind::{FailureKind, Phase},
};

/// The facts about a failure.
pub(crate) struct Circumstances<'a> {
    pub(crate) phase: Phase,
    pub(crate) kind: FailureKind,
    pub(crate) account: &'a AccountId,
    /// `None` if the process's own credentials list the account.
    pub(crate) role: Option<&'a RoleArn>,
    /// The requested organizational unit, and the permission that the request needs.
    pub(crate) unit: Option<&'a UnitId>,
    pub(crate) permission: Option<&'static str>,
    pub(crate) external_id: Option<&'a ExternalId>,
    pub(crate) region: &'a Region,
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// The policy that denied the request, if AWS's message names its kind.
    pub(crate) denial: Option<Denial>,
    /// The time limit that was reached.
    pub(crate) ended: Option<TimeLimit>,
}

/// Returns a hint, if there is anything to suggest.
pub(crate) fn hint(circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances {
        phase,
        kind,
        account,
        region,
        code,
        ended,
        ..
    } = circumstances;
    let service = phase.service();
    let hint = match (kind, phase) {
        (
            FailureKind::AssumeRoleDenied
            | FailureKind::ListBucketsDenied
            | FailureKind::OrganizationDenied,
            _,
        ) => return denied(circumstances),
        (FailureKind::Throttled, Phase::Assume) => format!(
            "STS limits the request rate of the calling account in {region}, across all its callers: retry later, or list \
             fewer accounts at a time"
        ),
        (FailureKind::Throttled, Phase::List) => {
            format!("other callers in account {account} may be using up its quota of ListBuckets requests; retry later")
        }
        (FailureKind::Throttled | FailureKind::Timeout, Phase::Organization) => {
            return organization(circumstances);
        }
        (FailureKind::Timeout, _) => timeout(service, *ended),
        (FailureKind::ConnectionFailed, _) => format!(
            "check that {service} is reachable ({VPC}) and, if AWS_ENDPOINT_URL is set, that a server listens there"
        ),
        (FailureKind::CertificateRejected, _) => {
            "check that the endpoint's certificate names the requested host and has not expired, that the local clock is \
             right, and that the function trusts the certificate authority: Mozilla's list, or the one in SSL_CERT_FILE, \
             SSL_CERT_DIR or AWS_CA_BUNDLE, which must include the authority of a proxy that inspects TLS"
                .to_owned()
        }
        (FailureKind::WrongAccount, Phase::List) => format!(
            "the function may run in another account than the stage's Admin account, {account}; nothing was listed"
        ),
        (FailureKind::WrongAccount, _) => {
            "a custom endpoint, a proxy or an emulator may have responded for another account; nothing was listed"
                .to_owned()
        }
        (
            FailureKind::ExpiredCredentials
            | FailureKind::CredentialsRejected
            | FailureKind::CredentialsUnavailable,
            _,
        ) => credentials(circumstances),
        (FailureKind::RegionDisabled, _) => format!(
            "activate STS in {region} for account {account} (IAM console, account settings), or use another region"
        ),
        (FailureKind::InvalidResponse, _) => {
            "a proxy or a custom endpoint may have altered the response".to_owned()
        }
        (FailureKind::InvalidConfiguration, _) => {
            "check that AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_S3 are URLs, if set".to_owned()
        }
        (FailureKind::Panic, _) => {
            "please report this bug with the log lines of this invocation; other accounts are not affected, and the next \
             invocation starts without this account's session"
                .to_owned()
        }
        (FailureKind::ResponseTooLarge, _) => {
            "list fewer buckets with a prefix, omit the details, or list this account on its own".to_owned()
        }
        (
            FailureKind::UnitNotFound
            | FailureKind::DuplicateAccount
            | FailureKind::NoAccounts
            | FailureKind::NotListed,
            _,
        ) => return organization(circumstances),
        (FailureKind::RequestRejected, Phase::Assume)
            if matches!(
                code,
                Some("PackedPolicyTooLarge" | "MalformedPolicyDocument")
            ) =>
        {
            "STS may have rejected the session policy, which limits the session to listing buckets; to omit it, set \
             `session-policy: off` in the variables file"
                .to_owned()
        }
        (FailureKind::RequestRejected | FailureKind::ServiceUnavailable, _) => return None,
    };
    Some(hint)
}

/// How a function in a VPC reaches AWS (Lambda developer guide, "Networking").
const VPC: &str = "from a VPC, a function needs a NAT gateway or an interface endpoint";

fn timeout(service: &str, ended: Option<TimeLimit>) -> String {
    match ended {
        Some(TimeLimit::Share(_)) => format!(
            "{service} may be slow or unreachable for this account; increase the function's timeout, or list this account \
             on its own"
        ),
        _ => format!(
            "check that {service} is reachable ({VPC}); if it is only slow, increase the function's timeout"
        ),
    }
}

fn denied(circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances {
        phase,
        account,
        role,
        region,
        denial,
        ..
    } = circumstances;
    if let Some(Denial {
        policy,
        is_explicit: true,
        ..
    }) = denial
    {
        return Some(format!(
            "an explicit deny in {policy} denies the request; no other policy can override it"
        ));
    }
    match phase {
        Phase::Assume => assume_role_denied(circumstances),
        Phase::Organization => organization(circumstances),
        Phase::List => Some(format!(
            "check that the policies and the permissions boundary of {} allow {} on `*`, and that no \
             service or resource control policy of its organization denies it, for example by region ({region})",
            match role {
                Some(role) => format!("the role `{}` in account {account}", role.role),
                None => format!("the function's own role in account {account}"),
            },
            ActionSpec::S3_BUCKETS.permissions(),
        )),
    }
}

/// The hint for credentials: the process's own, or a session's.
fn credentials(circumstances: &Circumstances<'_>) -> String {
    let Circumstances {
        phase,
        kind,
        account,
        role,
        region,
        code,
        message,
        ..
    } = circumstances;
    let are_own = *phase != Phase::List || role.is_none();
    match kind {
        FailureKind::ExpiredCredentials if are_own => {
            "the function's own credentials have expired: Lambda provides new ones with a new execution environment; on \
             your machine, sign in again"
                .to_owned()
        }
        FailureKind::ExpiredCredentials => {
            "the session expired twice within one invocation: check that the local clock is right and that the sessions are \
             not very short"
                .to_owned()
        }
        FailureKind::CredentialsRejected if is_of_the_clock(*code, *message) => {
            "check that the local clock is right".to_owned()
        }
        FailureKind::CredentialsRejected if are_own => {
            "check that the function's own credentials exist, are complete and belong to this partition"
                .to_owned()
        }
        FailureKind::CredentialsRejected => format!(
            "check that the region {region} is enabled in account {account}; the session may also have been revoked"
        ),
        // `CredentialsUnavailable`.
        _ => {
            "Lambda provides the execution role's credentials in the environment; on your machine, check that the profile \
             exists and that its sign-in has not expired"
                .to_owned()
        }
    }
}

/// Returns whether AWS rejected the time of the signature.
pub(crate) fn is_of_the_clock(code: Option<&str>, message: Option<&str>) -> bool {
    matches!(code, Some("RequestTimeTooSkewed" | "RequestExpired"))
        || message.is_some_and(|message| {
            message.starts_with("Signature expired")
                || message.starts_with("Signature not yet current")
        })
}

/// The hint for a signature that the service rejected even though it was made by the service's clock.
pub(crate) fn clocks_apart(ClocksApart(seconds): ClocksApart) -> String {
    let side = if seconds < 0 { "ahead of" } else { "behind" };
    format!(
        "the local clock is {} s {side} the service's, and signing by the service's clock did not help: check that both are \
         right",
        seconds.unsigned_abs()
    )
}

fn organization(circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances {
        kind,
        account,
        unit,
        permission,
        code,
        ..
    } = circumstances;
    let hint = match kind {
        FailureKind::Throttled => {
            "Organizations allows a few requests per second for all callers in the organization; retry later"
                .to_owned()
        }
        FailureKind::Timeout => format!(
            "Organizations returns 20 accounts per request, so thousands of accounts take the first invocation ten seconds \
             or more: increase the function's timeout, or check that Organizations is reachable ({VPC})"
        ),
        FailureKind::OrganizationDenied
            if *code == Some("AWSOrganizationsNotInUseException") =>
        {
            format!("account {account} is in no organization: list the accounts under `targets:`")
        }
        FailureKind::OrganizationDenied => format!(
            "check that account {account} is the management account or a delegated administrator, and that the policies of \
             the function's own role allow {}",
            permission.unwrap_or("reading the organization")
        ),
        FailureKind::UnitNotFound => {
            "check the ID against the one that the Organizations console shows beside the unit's name; the unit may have \
             been deleted or belong to another organization"
                .to_owned()
        }
        FailureKind::DuplicateAccount => format!(
            "a unit includes all units nested in it: remove `{}` from `units`",
            unit.map_or("one of the two", |unit| unit.as_str())
        ),
        FailureKind::NoAccounts => {
            "check `units` and `exclude`; closed and suspended accounts are not listed".to_owned()
        }
        FailureKind::NotListed => {
            "it may have been closed, suspended, excluded, or moved out of the stage's organizational units"
                .to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

fn assume_role_denied(circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances {
        role,
        external_id,
        message,
        ..
    } = circumstances;
    let role = (*role)?;
    let caller = message
        .and_then(caller)
        .unwrap_or_else(|| "the caller".to_owned());
    let external_id = match external_id {
        Some(id) => format!("accepts the external ID `{id}`"),
        None => "requires no external ID".to_owned(),
    };
    Some(format!(
        "check that the role exists in account {} (name and path are case-sensitive), that its trust policy allows {caller} \
         and {external_id}, and that {caller} is allowed sts:AssumeRole on `{role}`; a new role can take a minute to work",
        role.account
    ))
}

/// Returns the denied principal, if the message has AWS's form: `User: ARN is not authorized to perform: …`.
fn caller(message: &str) -> Option<String> {
    let arn = message.split("User: ").nth(1)?.split_whitespace().next()?;
    let mut fields = arn.splitn(6, ':').skip(4);
    let (account, resource) = (fields.next()?, fields.next()?);
    // The ARN of a role's session does not hold the role's path.
    match resource.split('/').collect::<Vec<_>>()[..] {
        ["assumed-role", role, _] => Some(format!("the role `{role}` of account {account}")),
        _ => Some(format!("`{arn}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_comes_from_the_message() {
        assert_eq!(
            caller("User: arn:aws:sts::111111111111:assumed-role/X/y is not authorized to perform: sts:AssumeRole").unwrap(),
            "the role `X` of account 111111111111"
        );
        assert_eq!(
            caller("User: arn:aws:iam::111111111111:user/a/b is not authorized").unwrap(),
            "`arn:aws:iam::111111111111:user/a/b`"
        );
        for message in ["", "Access Denied", "User: ", "User: somebody is not"] {
            assert_eq!(caller(message), None, "{message}");
        }
    }
}
