//! The causes that reasons of policies are reported as.

use std::collections::BTreeSet;

use super::{
    report::{Cause, CauseId},
    verdict::Reason,
};

/// What a trust policy's refusal comes to; `who` is refused.
pub(super) fn of_trust_reason(reason: &Reason, who: &str) -> Cause {
    match reason {
        Reason::NoStatement => Cause::seen(
            CauseId::TrustMissing,
            "its trust policy has no statement that lets anybody assume it",
        ),
        Reason::Names(names) => Cause::seen(
            CauseId::TrustNamesAnother,
            format!("its trust policy names {}, and not {who}", names.join(", ")),
        ),
        Reason::Deleted(id) => Cause::seen(
            CauseId::StalePrincipal,
            format!(
                "its trust policy names {id}, the unique id of a role that was deleted: one of the same name is another \
                 to IAM, until the trust policy is written anew"
            ),
        ),
        Reason::Condition { key, asks } if key.eq_ignore_ascii_case("sts:ExternalId") => {
            Cause::seen(
                CauseId::ExternalId,
                format!("its trust policy asks for an external ID: {asks}"),
            )
        }
        Reason::Condition { key, asks } => Cause::seen(
            CauseId::ConditionNotMet,
            format!(
                "a condition of its trust policy {}: {key} {asks}",
                not_met(key)
            ),
        ),
        Reason::Denied { policy, statement } => Cause::seen(
            CauseId::ExplicitDeny,
            format!(
                "{policy} denies it by statement {statement}: nothing that is allowed outweighs that"
            ),
        ),
        Reason::Boundary(arn) => boundary(arn),
    }
}

/// What is known of a condition that is not met: of an organization it is what the stage says, and that may be wrong.
fn not_met(key: &str) -> &'static str {
    if key.to_ascii_lowercase().ends_with("orgid") {
        "asks for another than `organization-id`"
    } else {
        "does not hold"
    }
}

fn boundary(arn: &str) -> Cause {
    Cause::seen(
        CauseId::PermissionsBoundary,
        format!("its permissions boundary {arn} does not allow it, whatever its policies do"),
    )
}

/// What a role's own policies' refusal comes to; `what` is refused.
pub(super) fn of_permission_reason(reason: &Reason, what: &str) -> Cause {
    match reason {
        Reason::NoStatement | Reason::Names(_) | Reason::Deleted(_) => Cause::seen(
            CauseId::PermissionMissing,
            format!("no policy of the role allows {what}"),
        ),
        Reason::Condition { key, asks } => Cause::seen(
            CauseId::ConditionNotMet,
            format!(
                "what allows {what} has a condition that {}: {key} {asks}",
                not_met(key)
            ),
        ),
        Reason::Denied { policy, statement } => Cause::seen(
            CauseId::ExplicitDeny,
            format!(
                "{policy} denies {what} by statement {statement}: nothing that is allowed outweighs that"
            ),
        ),
        Reason::Boundary(arn) => boundary(arn),
    }
}

pub(super) fn listed(all: &BTreeSet<String>) -> String {
    all.iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
