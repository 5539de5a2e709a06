//! One account to list.

use crate::{AccountId, ExternalId, Partition, Region, RoleArn, RoleName, TargetName};

/// A Target account: which role to assume there, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The account that owns the buckets and the role.
    pub account: AccountId,
    /// What a person calls it.
    pub name: Option<TargetName>,
    /// The role to assume, which may list the buckets.
    pub role: RoleName,
    /// The external ID that the role's trust policy asks for, if it does.
    pub external_id: Option<ExternalId>,
    /// The region whose STS and S3 are asked for this target, where it is not the stage's; in the stage's partition.
    pub region: Option<Region>,
}

impl Target {
    /// The ARN of the role to assume. The partition is the caller's: no role is assumed across partitions.
    pub fn role_arn(&self, partition: Partition) -> RoleArn {
        RoleArn {
            partition,
            account: self.account.clone(),
            role: self.role.clone(),
        }
    }
}
