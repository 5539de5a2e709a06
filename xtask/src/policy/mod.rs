//! What the roles of a stage should say.
//!
//! [`Grants`] is the one definition of both accounts' roles: the rendered templates are held against it, `doctor` and
//! `diff` hold what is deployed against it, and `diagram` draws it. Everything here is pure: no file, no network.

mod grants;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use grants::{
    Assumes, Grants, RoleGrants, TargetAccounts, TargetRole, limit, log_group_arn,
};
