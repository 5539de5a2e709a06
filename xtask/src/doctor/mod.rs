//! Whether a stage can work, and if not, why: checks as data, each with what was found and what to do.
//!
//! The order is that of dependence. What AWS does not tell is not claimed: a refusal says neither which of the two
//! accounts refused nor whether the role exists, so its causes come in the order of their likelihood, and are called
//! *seen* only where a deployed policy shows them.
//!
//! Not here: how AWS is asked ([`deployed`](crate::deployed)), and what the roles should say ([`policy`](crate::policy)).

mod admin;
mod evidence;
mod facts;
mod function;
mod local;
mod reasons;
mod report;
mod table;
mod targets;
mod verdict;

use anyhow::Result;

pub(crate) use self::report::Report;
use crate::{policy::Grants, sys::workspace::Workspace};
use environment::Environment;

/// Whom to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Nobody: the tools, the variables file, what is rendered.
    Offline,
    /// AWS: as the caller, and with these profiles, which may read the Target accounts' roles.
    Aws(&'a [String]),
}

/// Looks at a stage.
///
/// # Errors
/// There is no such stage, a file of the workspace cannot be read, or the operator does not build.
pub(crate) fn examine(workspace: &Workspace, stage: &str, reach: Reach<'_>) -> Result<Report> {
    let (variables, environment) = local::variables(workspace, stage)?;
    let mut checks = local::tools(workspace, environment.as_ref());
    checks.push(variables);
    if let Some(environment) = &environment {
        let (rendered, grants) = local::rendered(workspace, environment)?;
        checks.push(rendered);
        if let (Reach::Aws(profiles), Some(grants)) = (reach, grants) {
            let facts = facts::gather(workspace, environment, &grants, profiles)?;
            checks.extend(judge(workspace, environment, &grants, &facts)?);
        }
    }
    Ok(Report {
        stage: stage.to_owned(),
        checks,
    })
}

/// What is deployed, held against what should be.
fn judge(
    workspace: &Workspace,
    environment: &Environment,
    grants: &Grants,
    facts: &facts::Facts,
) -> Result<Vec<report::Check>> {
    let targets = targets::known(environment, facts);
    let roles = targets::roles(environment, &targets);
    let admin = admin::examine(workspace, environment, grants, &roles, facts)?;
    let of_targets = targets::examine(environment, grants, &targets, facts, &admin);
    Ok(admin.checks.into_iter().chain(of_targets).collect())
}

#[cfg(test)]
mod tests;
