//! Whether a stage can work, and if not, why: checks as data, each with what was found and what to do.
//!
//! The order is that of dependence. What AWS does not tell is not claimed: a refusal says neither which of the two
//! accounts refused nor whether the role exists, so its causes come in the order of their likelihood, and are called
//! *seen* only where a deployed policy shows them.
//!
//! Not here: how AWS is asked ([`deployed`](crate::deployed)), and what the roles should say ([`policy`](crate::policy)).

mod local;
mod report;
mod table;

use anyhow::Result;

pub(crate) use self::report::Report;
use crate::workspace::Workspace;

/// What needs no network: the tools, the variables file, what is rendered.
///
/// # Errors
/// There is no such stage, or a file cannot be read.
pub(crate) fn offline(workspace: &Workspace, stage: &str) -> Result<Report> {
    let (variables, environment) = local::variables(workspace, stage)?;
    let mut checks = local::tools(workspace, environment.as_ref());
    checks.push(variables);
    if let Some(environment) = &environment {
        checks.push(local::rendered(workspace, environment)?);
    }
    Ok(Report {
        stage: stage.to_owned(),
        checks,
    })
}
