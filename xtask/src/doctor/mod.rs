//! Diagnoses a stage: checks as data, each with a finding, its causes and a fix.
//!
//! Checks are in order of dependency. AWS does not say which account denied a request, nor whether the role exists, so the
//! causes are ordered by likelihood. A cause is *seen* only if a deployed policy or AWS shows it.
//!
//! [`inspect`](crate::inspect) reads from AWS, and [`policy`](crate::policy) defines the expected grants.

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

/// How far the diagnosis reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The tools, the variables file and the rendered files.
    Offline,
    /// AWS too: as the caller, and with these profiles, which can read the target roles.
    Aws(&'a [String]),
}

/// Diagnoses a stage.
///
/// # Errors
/// Fails if the stage does not exist, a file cannot be read or the operator cannot be built.
pub(crate) fn examine(workspace: &Workspace, stage: &str, scope: Scope<'_>) -> Result<Report> {
    let (variables, environment) = local::variables(workspace, stage)?;
    let mut checks = local::tools(workspace, environment.as_ref());
    checks.push(variables);
    if let Some(environment) = &environment {
        let (rendered, grants) = local::rendered(workspace, environment)?;
        checks.push(rendered);
        if let (Scope::Aws(profiles), Some(grants)) = (scope, grants) {
            let facts = facts::gather(workspace, environment, &grants, profiles)?;
            checks.extend(judge(workspace, environment, &grants, &facts)?);
        }
    }
    Ok(Report {
        stage: stage.to_owned(),
        checks,
    })
}

/// Compares what is deployed with what should be.
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
