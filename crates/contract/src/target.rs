//! One account to list.

use crate::{AccountId, ExternalId, Partition, Region, RoleArn, RoleName, TargetName};

/// An account to list, and how to get in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The account that owns the buckets.
    pub account: AccountId,
    /// What a person calls it.
    pub name: Option<TargetName>,
    /// Which credentials list it.
    pub access: Access,
    /// The region whose STS and S3 are asked for this target, where it is not the stage's; in the stage's partition.
    pub region: Option<Region>,
}

/// Which credentials list an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// A session of a role in that account.
    Role {
        /// The role to assume, which may list the buckets.
        role: RoleName,
        /// The external ID that the role's trust policy asks for, if it does.
        external_id: Option<ExternalId>,
    },
    /// The function's own: its execution role's, in the Admin account itself.
    Own,
}

impl Target {
    /// An account to list by a role in it.
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

    /// The same target, whose role is assumed with an external ID. The function's own credentials need none.
    #[must_use]
    pub fn with_external_id(mut self, id: ExternalId) -> Self {
        if let Access::Role { external_id, .. } = &mut self.access {
            *external_id = Some(id);
        }
        self
    }

    /// The role to assume, where one is.
    pub fn role(&self) -> Option<&RoleName> {
        match &self.access {
            Access::Role { role, .. } => Some(role),
            Access::Own => None,
        }
    }

    /// The external ID to assume it with, where there is one.
    pub fn external_id(&self) -> Option<&ExternalId> {
        match &self.access {
            Access::Role { external_id, .. } => external_id.as_ref(),
            Access::Own => None,
        }
    }

    /// The ARN of the role to assume, where one is. The partition is the caller's: no role is assumed across partitions.
    pub fn role_arn(&self, partition: Partition) -> Option<RoleArn> {
        Some(RoleArn {
            partition,
            account: self.account.clone(),
            role: self.role()?.clone(),
        })
    }
}
