//! Defines what the roles of a stage allow.
//!
//! [`Grants`] is the one definition of both accounts' roles. Rendered templates are compared with it, `doctor` and
//! `diff` compare what is deployed with it, and `diagram` draws it. This module is pure: no files, no network.

mod grants;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use grants::{
    Assumes, Grants, RoleGrants, TargetAccounts, TargetRole, limit, log_group_arn,
};
