//! The causes that reasons of policies are reported as.

use std::collections::BTreeSet;

use super::{
    report::{Cause, CauseId},
    verdict::Reason,
};

/// Reports why a trust policy does not let `who` assume the role.
pub(super) fn trust_cause(reason: &Reason, who: &str) -> Cause {
    match reason {
        Reason::NoStatement => Cause::seen(
            CauseId::TrustMissing,
            "its trust policy has no statement that allows anyone to assume it",
        ),
        Reason::OtherPrincipals(names) => Cause::seen(
            CauseId::TrustNamesAnother,
            format!("its trust policy trusts {}, not {who}", names.join(", ")),
        ),
        Reason::DeletedPrincipal(id) => Cause::seen(
            CauseId::StalePrincipal,
            format!(
                "its trust policy refers to a deleted role (unique ID {id}); a re-created role is a different principal until \
                 the trust policy is deployed again"
            ),
        ),
        Reason::Condition { key, requires } if key.eq_ignore_ascii_case("sts:ExternalId") => {
            Cause::seen(
                CauseId::ExternalId,
                format!("its trust policy requires an external ID: {requires}"),
            )
        }
        Reason::Condition { key, requires } => Cause::seen(
            CauseId::ConditionNotMet,
            format!(
                "a condition of its trust policy {}: {key} {requires}",
                not_met(key)
            ),
        ),
        Reason::ExplicitDeny { policy, statement } => Cause::seen(
            CauseId::ExplicitDeny,
            format!(
                "statement {statement} of {policy} denies it; an explicit deny overrides every allow"
            ),
        ),
        Reason::Boundary(arn) => boundary(arn),
    }
}

/// Describes a condition that is not met. The actual organization is unknown: only the `organization-id` of the stage is.
fn not_met(key: &str) -> &'static str {
    if key.to_ascii_lowercase().ends_with("orgid") {
        "does not match `organization-id`"
    } else {
        "is not met"
    }
}

fn boundary(arn: &str) -> Cause {
    Cause::seen(
        CauseId::PermissionsBoundary,
        format!("its permissions boundary {arn} does not allow it, regardless of its policies"),
    )
}

/// Reports why the policies of a role do not allow `what`.
pub(super) fn permission_cause(reason: &Reason, what: &str) -> Cause {
    match reason {
        Reason::NoStatement | Reason::OtherPrincipals(_) | Reason::DeletedPrincipal(_) => {
            Cause::seen(
                CauseId::PermissionMissing,
                format!("no policy of the role allows {what}"),
            )
        }
        Reason::Condition { key, requires } => Cause::seen(
            CauseId::ConditionNotMet,
            format!(
                "the statement that allows {what} has a condition that {}: {key} {requires}",
                not_met(key)
            ),
        ),
        Reason::ExplicitDeny { policy, statement } => Cause::seen(
            CauseId::ExplicitDeny,
            format!(
                "statement {statement} of {policy} denies {what}; an explicit deny overrides every allow"
            ),
        ),
        Reason::Boundary(arn) => boundary(arn),
    }
}

pub(super) fn joined(all: &BTreeSet<String>) -> String {
    all.iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
