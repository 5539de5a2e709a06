//! What the roles of a stage should say, and what policies mean.
//!
//! [`Grants`] is the one definition of both accounts' roles: the rendered templates are held against it, `doctor` and
//! `diff` hold what is deployed against it, and `diagram` draws it. Everything here is pure: no file, no network.

mod broadening;
mod condition;
mod document;
mod evaluate;
mod grants;
mod pattern;
#[cfg(test)]
mod property;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use broadening::{Broadening, Kind, broadening, is_same_access};
pub(crate) use document::{Document, DocumentFault, Effect, Set, Statement};
pub(crate) use evaluate::{Answer, Caller, Facts, Mismatch, Request, evaluate};
pub(crate) use grants::{
    Assumes, Grants, RoleGrants, TargetAccounts, TargetRole, limit, log_group_arn,
};

use pattern::Pattern;

/// Whether some of the actions may be of a service, such as `sts`.
pub(crate) fn is_for(actions: &Set<String>, service: &str) -> bool {
    let all_of_it = Pattern::action(&format!("{service}:*"));
    match actions {
        Set::Only(actions) => actions
            .iter()
            .any(|action| Pattern::action(action).overlaps(&all_of_it)),
        Set::Except(_) => true,
    }
}
