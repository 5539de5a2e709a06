//! Reads from AWS's message which kind of policy denied a request.
//!
//! The messages end with "with an explicit deny in a TYPE policy" or "because no TYPE policy allows the ACTION action" (IAM
//! user guide, "Troubleshoot access denied error messages"). Not every service supports them, and not for every request.

/// The kind of policy that denied a request, according to AWS's message.
///
/// If policies of several kinds deny a request, AWS names one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeniedBy {
    /// A service control policy of the organization of the account that sent the request.
    ServiceControlPolicy,
    /// A resource control policy of the organization of the account that owns the resource.
    ResourceControlPolicy,
    /// A resource-based policy, such as the trust policy of a role.
    ResourcePolicy,
    /// The permissions boundary of the role or user.
    PermissionsBoundary,
    /// The session policy with which the session was issued.
    SessionPolicy,
    /// An identity-based policy of the role or user.
    IdentityPolicy,
    /// The policy of a VPC endpoint.
    VpcEndpointPolicy,
}

impl DeniedBy {
    /// A stable name for programs, such as `service-control-policy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceControlPolicy => "service-control-policy",
            Self::ResourceControlPolicy => "resource-control-policy",
            Self::ResourcePolicy => "resource-policy",
            Self::PermissionsBoundary => "permissions-boundary",
            Self::SessionPolicy => "session-policy",
            Self::IdentityPolicy => "identity-policy",
            Self::VpcEndpointPolicy => "vpc-endpoint-policy",
        }
    }
}

/// AWS's names for the kinds of policy, with their articles.
const POLICIES: [(&str, DeniedBy); 9] = [
    ("a service control policy", DeniedBy::ServiceControlPolicy),
    ("a resource control policy", DeniedBy::ResourceControlPolicy),
    ("a resource-based policy", DeniedBy::ResourcePolicy),
    ("the role trust policy", DeniedBy::ResourcePolicy),
    ("a permissions boundary", DeniedBy::PermissionsBoundary),
    ("a session policy", DeniedBy::SessionPolicy),
    // The guide spells it like this in an explicit deny.
    ("a sessions policy", DeniedBy::SessionPolicy),
    ("an identity-based policy", DeniedBy::IdentityPolicy),
    ("a VPC endpoint policy", DeniedBy::VpcEndpointPolicy),
];

/// A denial by a policy of a known kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) by: DeniedBy,
    /// AWS's name for the policy, with its article.
    pub(crate) policy: &'static str,
    /// A statement of the policy denies the request. Otherwise none allows it.
    pub(crate) is_explicit: bool,
}

impl Denial {
    /// Parses AWS's message. Returns `None` if it names no known kind of policy.
    pub(crate) fn of(message: &str) -> Option<Self> {
        let (is_explicit, text) = match message.split_once(" with an explicit deny in ") {
            Some((_, text)) => {
                // A VPC endpoint's owner may be subject to other policies, which then deny the request.
                let cause = text.split_once(" transitively through ");
                let (_, policy) = cause.map_or(text, |(_, cause)| cause).split_once(' ')?;
                (true, policy)
            }
            None => (false, message.split_once(" because no ")?.1),
        };
        let (policy, by) = POLICIES.into_iter().find(|(policy, _)| {
            let name = policy.split_once(' ').map(|(_, name)| name);
            name.and_then(|name| text.strip_prefix(name))
                .is_some_and(|rest| {
                    if is_explicit {
                        !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-')
                    } else {
                        rest.starts_with(" allows ")
                    }
                })
        })?;
        Some(Self {
            by,
            policy,
            is_explicit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DeniedBy::*, *};

    /// The examples of the guide and, because it has none, one of a resource control policy that does not allow the request;
    /// the kind of policy, and whether the denial is explicit.
    const EXAMPLES: [(&str, DeniedBy, bool); 17] = [
        (
            "User: arn:aws:iam::777788889999:user/John is not authorized to perform: \
             codecommit:ListRepositories because no service control policy allows the \
             codecommit:ListRepositories action",
            ServiceControlPolicy,
            false,
        ),
        (
            "User: arn:aws:iam::777788889999:user/John is not authorized to perform: \
             codecommit:ListRepositories with an explicit deny in a service control policy",
            ServiceControlPolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             secretsmanager:GetSecretValue because no resource control policy allows the \
             secretsmanager:GetSecretValue action",
            ResourceControlPolicy,
            false,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:* \
             with an explicit deny in a resource control policy",
            ResourceControlPolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             codecommit:ListRepositories because no VPC endpoint policy allows the codecommit:ListRepositories \
             action",
            VpcEndpointPolicy,
            false,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: codedeploy:ListDeployments \
             on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in \
             a VPC endpoint policy",
            VpcEndpointPolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: codedeploy:ListDeployments \
             on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* because no permissions \
             boundary allows the codedeploy:ListDeployments action",
            PermissionsBoundary,
            false,
        ),
        (
            "User: arn:aws:iam::777788889999:user/John is not authorized to perform: sagemaker:ListModels with \
             an explicit deny in a permissions boundary",
            PermissionsBoundary,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             codecommit:ListRepositories because no session policy allows the codecommit:ListRepositories \
             action",
            SessionPolicy,
            false,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: codedeploy:ListDeployments \
             on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in \
             a sessions policy",
            SessionPolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             secretsmanager:GetSecretValue because no resource-based policy allows the \
             secretsmanager:GetSecretValue action",
            ResourcePolicy,
            false,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: \
             secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:* \
             with an explicit deny in a resource-based policy",
            ResourcePolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:user/John is not authorized to perform: sts:AssumeRole because no \
             role trust policy allows the sts:AssumeRole action",
            ResourcePolicy,
            false,
        ),
        (
            "User: arn:aws:iam::777788889999:user/John is not authorized to perform: sts:AssumeRole with an \
             explicit deny in the role trust policy",
            ResourcePolicy,
            true,
        ),
        (
            "User: arn:aws:iam::123456789012:role/HR is not authorized to perform: codecommit:ListRepositories \
             because no identity-based policy allows the codecommit:ListRepositories action",
            IdentityPolicy,
            false,
        ),
        (
            "User: arn:aws:iam::123456789012:role/HR is not authorized to perform: codedeploy:ListDeployments \
             on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in \
             an identity-based policy",
            IdentityPolicy,
            true,
        ),
        (
            "User: arn:aws:sts::111122223333:assumed-role/role-name/role-session-name is not authorized to \
             perform: SNS:Publish on resource: arn:aws:sns:us-east-1:444455556666:role-name-2 with an explicit \
             deny in a VPC endpoint policy transitively through a service control policy",
            ServiceControlPolicy,
            true,
        ),
    ];

    #[test]
    fn the_messages_of_the_iam_user_guide() {
        for (message, by, is_explicit) in EXAMPLES {
            let denial = Denial::of(message).unwrap_or_else(|| panic!("{message}"));
            assert_eq!(
                (denial.by, denial.is_explicit),
                (by, is_explicit),
                "{message}"
            );
            assert!(
                !is_explicit || message.ends_with(denial.policy),
                "{message}"
            );
        }
    }

    #[test]
    fn the_arn_of_the_policy_may_follow() {
        for rest in [
            ": arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
            ", with policy ARN: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
        ] {
            let message = format!(
                "User: x is not authorized to perform: s3:ListAllMyBuckets with an explicit deny in a service control policy{rest}"
            );
            let denial = Denial::of(&message).unwrap();
            assert_eq!(denial.by, DeniedBy::ServiceControlPolicy);
            assert!(denial.is_explicit);
        }
    }

    #[test]
    fn other_messages_name_no_kind() {
        for message in [
            "",
            "Access Denied",
            "User: x is not authorized to perform: sts:AssumeRole on resource: y",
            "User: x is not authorized to perform: a:b because no",
            "User: x is not authorized to perform: a:b because no other policy allows the a:b action",
            "User: x is not authorized to perform: a:b because no identity-based policy",
            "User: x is not authorized to perform: a:b with an explicit deny in ",
            "User: x is not authorized to perform: a:b with an explicit deny in a",
            "User: x is not authorized to perform: a:b with an explicit deny in another policy",
            "User: x is not authorized to perform: a:b with an explicit deny in a session policyholder",
        ] {
            assert_eq!(Denial::of(message), None, "{message}");
        }
    }
}
