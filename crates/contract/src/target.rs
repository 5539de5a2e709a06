//! One account to list.

use crate::{AccountId, ExternalId, Partition, Region, RoleArn, RoleName, TargetName};

/// An account to list, and the access to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The account that owns the buckets.
    pub account: AccountId,
    /// Its name in responses and logs.
    pub name: Option<TargetName>,
    /// The credentials to list it with.
    pub access: Access,
    /// The region of STS and S3 for this target, if it differs from the stage's; in the stage's partition.
    pub region: Option<Region>,
}

/// The credentials to list an account with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// A session of a role in that account.
    Role {
        /// The role to assume, which is allowed to list the buckets.
        role: RoleName,
        /// The external ID that the role's trust policy requires, if any.
        external_id: Option<ExternalId>,
    },
    /// The function's own, from its execution role, in the Admin account.
    Own,
}

impl Target {
    /// An account to list with a role in it.
    pub fn by_role(account: AccountId, role: RoleName) -> Self {
        Self {
            account,
            name: None,
            access: Access::Role {
                role,
                external_id: None,
            },
            region: None,
        }
    }

    /// The Admin account, to list with the function's own credentials.
    pub fn own(account: AccountId) -> Self {
        Self {
            account,
            name: None,
            access: Access::Own,
            region: None,
        }
    }

    /// Adds an external ID to assume the role with. Has no effect without a role.
    #[must_use]
    pub fn with_external_id(mut self, id: ExternalId) -> Self {
        if let Access::Role { external_id, .. } = &mut self.access {
            *external_id = Some(id);
        }
        self
    }

    /// The role to assume, if any.
    pub fn role(&self) -> Option<&RoleName> {
        match &self.access {
            Access::Role { role, .. } => Some(role),
            Access::Own => None,
        }
    }

    /// The external ID to assume the role with, if any.
    pub fn external_id(&self) -> Option<&ExternalId> {
        match &self.access {
            Access::Role { external_id, .. } => external_id.as_ref(),
            Access::Own => None,
        }
    }

    /// The ARN of the role to assume, if any. `partition` is the caller's: roles cannot be assumed across partitions.
    pub fn role_arn(&self, partition: Partition) -> Option<RoleArn> {
        Some(RoleArn {
            partition,
            account: self.account.clone(),
            role: self.role()?.clone(),
        })
    }
}
