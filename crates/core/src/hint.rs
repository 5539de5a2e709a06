//! What a person could look at after a failure.
//!
//! AWS does not say which of several policies refused, nor whether a role exists at all, so a hint lists what it may
//! be. Only where AWS's message names the kind of policy (IAM user guide, "Troubleshoot access denied error messages")
//! does it say so.

use contract::{AccountId, ExternalId, Region, RoleArn, UnitId};

use crate::{
    account_time::Ended,
    clock::ClocksApart,
    kind::{FailureKind, Phase},
};

/// What is known of a failure.
pub(crate) struct Circumstances<'a> {
    pub(crate) phase: Phase,
    pub(crate) kind: FailureKind,
    pub(crate) account: &'a AccountId,
    /// `None` where the process's own credentials list the account.
    pub(crate) role: Option<&'a RoleArn>,
    /// The unit of the organization that was asked for, and the permission that it takes.
    pub(crate) unit: Option<&'a UnitId>,
    pub(crate) permission: Option<&'static str>,
    pub(crate) external_id: Option<&'a ExternalId>,
    pub(crate) region: &'a Region,
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// What ended the time that there was.
    pub(crate) ended: Option<Ended>,
}

/// A hint, where there is something to say.
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
        (FailureKind::Throttled, Phase::Assume) => {
            format!(
                "STS counts the requests of the calling account in {region}, whoever sends them: a later call may \
                 succeed, and so may fewer accounts at a time"
            )
        }
        (FailureKind::Throttled, Phase::List) => {
            format!("account {account} may have many callers of S3's ListBuckets at this time")
        }
        (FailureKind::Throttled | FailureKind::Timeout, Phase::Organization) => {
            return organization(circumstances);
        }
        (FailureKind::Timeout, _) => timeout(service, *ended),
        (FailureKind::ConnectionFailed, _) => format!(
            "{service} may be out of reach (a function in a VPC reaches it only through a NAT \
             gateway or an interface endpoint); where AWS_ENDPOINT_URL is set, nothing may be \
             listening there"
        ),
        (FailureKind::CertificateRejected, _) => {
            "check that the endpoint's certificate names the host that is asked and has not expired, that the clock here \
             is right, and that the function trusts the authority that issued it: Mozilla's, or those that SSL_CERT_FILE, \
             SSL_CERT_DIR or AWS_CA_BUNDLE name instead; a proxy that inspects TLS needs its own there"
                .to_owned()
        }
        (FailureKind::WrongAccount, Phase::List) => format!(
            "the caller may run in another account than the stage's Admin account, {account}; nothing was listed"
        ),
        (FailureKind::WrongAccount, _) => {
            "an endpoint that is not AWS's own, a proxy or an emulator, may have answered for the \
             wrong account; nothing was listed"
                .to_owned()
        }
        (
            FailureKind::ExpiredCredentials
            | FailureKind::CredentialsRejected
            | FailureKind::CredentialsUnavailable,
            _,
        ) => credentials(circumstances),
        (FailureKind::RegionDisabled, _) => format!(
            "STS may have to be activated in {region} for account {account} (IAM console, account \
             settings), or another region be used"
        ),
        (FailureKind::InvalidResponse, _) => {
            "a proxy on the way, or an endpoint that is not AWS's own, may have spoilt the answer"
                .to_owned()
        }
        (FailureKind::InvalidConfiguration, _) => {
            "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL_S3 may not be a URL"
                .to_owned()
        }
        (FailureKind::Panic, _) => {
            "please report it, with the lines of this call in the log; other accounts are not concerned, and the next call \
             begins anew with this one"
                .to_owned()
        }
        (FailureKind::ResponseTooLarge, _) => {
            "fewer buckets, by a prefix, or less about each of them may fit; or the account asked for by itself".to_owned()
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
            "the session policy that narrows the session to listing buckets may be what is refused: \
             `session-policy: off` in the variables file leaves it out"
                .to_owned()
        }
        (FailureKind::RequestRejected | FailureKind::ServiceUnavailable, _) => return None,
    };
    Some(hint)
}

/// Of time that has ended.
fn timeout(service: &str, ended: Option<Ended>) -> String {
    match ended {
        Some(Ended::Share(_)) => format!(
            "{service} may be slow or out of reach for this account; a longer timeout of the function, or a call for \
             this account alone, gives it more time"
        ),
        _ => format!(
            "{service} may be slow or out of reach (a function in a VPC reaches it only through a \
             NAT gateway or an interface endpoint), or the time allowed may be too short"
        ),
    }
}

/// Of a refusal.
fn denied(circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances {
        phase,
        account,
        role,
        region,
        message,
        ..
    } = circumstances;
    if let Some(policy) = message.and_then(explicit_deny) {
        return Some(format!(
            "AWS says that an explicit deny in {policy} refuses it: nothing that another \
             policy allows can outweigh it"
        ));
    }
    match phase {
        Phase::Assume => assume_role_denied(circumstances),
        Phase::Organization => organization(circumstances),
        Phase::List => Some(format!(
            "the policies of {} may not allow s3:ListAllMyBuckets on `*`, a permissions boundary \
             of that role may not, or a service or resource control policy of its organization may deny \
             it (one that denies regions, too: {region} was asked)",
            match role {
                Some(role) => format!("the role `{}` in account {account}", role.role),
                None => format!("the caller's own role in account {account}"),
            }
        )),
    }
}

/// Of credentials: the caller's own, or those of a session.
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
            "the credentials of the caller itself have expired: a Lambda has new ones in a new \
             execution environment, and a person signs in again"
                .to_owned()
        }
        FailureKind::ExpiredCredentials => {
            "the session expired twice within one call: the sessions may be very short, or the \
             clock here wrong"
                .to_owned()
        }
        FailureKind::CredentialsRejected if is_of_the_clock(*code, *message) => {
            "the clock here may be wrong".to_owned()
        }
        FailureKind::CredentialsRejected if are_own => {
            "the credentials of the caller itself may be deleted, mistyped, or of another partition"
                .to_owned()
        }
        FailureKind::CredentialsRejected => format!(
            "the region {region} may not be enabled in account {account}, or the session may have \
             been revoked"
        ),
        // `CredentialsUnavailable`.
        _ => {
            "a Lambda has its execution role's credentials in its environment; elsewhere there may \
             be no profile, or its sign-in may have expired"
                .to_owned()
        }
    }
}

/// Whether AWS says that the time of the signature is what is wrong with it.
pub(crate) fn is_of_the_clock(code: Option<&str>, message: Option<&str>) -> bool {
    matches!(code, Some("RequestTimeTooSkewed" | "RequestExpired"))
        || message.is_some_and(|message| {
            message.starts_with("Signature expired")
                || message.starts_with("Signature not yet current")
        })
}

/// Of a signature that was not accepted, and not either when it was made by the service's clock.
pub(crate) fn clocks_apart(ClocksApart(seconds): ClocksApart) -> String {
    let side = if seconds < 0 { "ahead of" } else { "behind" };
    format!(
        "the clock here is {} s {side} the service's: signing by the service's did not help, so check that both are right",
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
            "Organizations answers a few requests a second for all callers of the organization together: another \
             may be asking much of it at this time"
                .to_owned()
        }
        FailureKind::Timeout => {
            "Organizations shows 20 accounts at a time, so that thousands take the first call some ten seconds or \
             more: the function's timeout may be too short; or it may be out of reach (a function in a VPC reaches \
             it only through a NAT gateway or an interface endpoint)"
                .to_owned()
        }
        FailureKind::OrganizationDenied
            if *code == Some("AWSOrganizationsNotInUseException") =>
        {
            format!("account {account} is in no organization: name the accounts under `targets:`")
        }
        FailureKind::OrganizationDenied => format!(
            "Organizations answers the management account and delegated administrators alone, and account {account} \
             may be neither; or the policies of the caller's own role may not allow {}",
            permission.unwrap_or("to read it")
        ),
        FailureKind::UnitNotFound => {
            "it may have been deleted, be mistyped, or belong to another organization; Organizations shows the id \
             beside the unit's name"
                .to_owned()
        }
        FailureKind::DuplicateAccount => format!(
            "a unit stands for all that are nested in it: take `{}` out of `units`",
            unit.map_or("one of the two", |unit| unit.as_str())
        ),
        FailureKind::NoAccounts => {
            "`units` and `exclude` may leave nothing, or every account there be closed or suspended"
                .to_owned()
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
        Some(id) => format!("may ask for another external ID than the configured `{id}`"),
        None => "may ask for an external ID, and none is configured".to_owned(),
    };
    Some(format!(
        "the role may not exist in account {} (its name is case-sensitive, and its path belongs to \
         it); its trust policy may not name {caller}, or {external_id}; or {caller} may lack \
         sts:AssumeRole on `{role}`. A role made within the last minute may only need time",
        role.account
    ))
}

/// Who was refused, where the message begins as AWS's do: `User: ARN is not authorized to perform: …`.
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

/// The kind of policy that denies explicitly, where the message says so: `… with an explicit deny in a service control
/// policy`.
fn explicit_deny(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("with an explicit deny in ")?;
    let end = rest.find("policy")? + "policy".len();
    let policy = rest[..end].trim();
    (policy.len() < 60).then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_who_aws_says_it_is() {
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

    #[test]
    fn the_policy_is_what_aws_says_it_is() {
        assert_eq!(
            explicit_deny(
                "User: x is not authorized to perform: s3:ListAllMyBuckets with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p"
            ),
            Some("a service control policy")
        );
        assert_eq!(
            explicit_deny("because no identity-based policy allows the s3:ListAllMyBuckets action"),
            None
        );
    }
}
