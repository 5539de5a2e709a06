//! Subcommand: remove what is deployed.

use anyhow::Result;
use operator_api::Part;

use crate::{
    cli,
    deploy::{
        guard::{self, AdminCaller},
        serverless as framework,
    },
    environment::Environment,
    inspect::operator::{Operator, Query},
    sys::{console, workspace::Workspace},
};

/// A stage that is not deployed is as it should be afterwards: that is no failure, but said.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Remove) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    guard::confirm(&environment, "remove", &flags.confirmation)?;
    if is_absent(workspace, &environment, &caller)? {
        console::note(&format!(
            "Stage `{}` is not deployed: there is no stack `{}` in {} of account {}; nothing was removed",
            environment.stage,
            environment.stack_name(),
            environment.variables.region,
            environment.variables.admin_account_id
        ));
        return Ok(());
    }
    framework::remove(workspace, &environment, &caller)
}

/// Whether there is no stack of the stage; not where that cannot be read.
fn is_absent(
    workspace: &Workspace,
    environment: &Environment,
    caller: &AdminCaller,
) -> Result<bool> {
    let name = environment.stack_name();
    let query = Query {
        stacks: vec![name.clone()],
        ..Query::default()
    };
    let deployed = Operator::of_caller(workspace, &caller.session)?.inspect(&query)?;
    Ok(matches!(deployed.stacks.get(&name), Some(Part::Absent)))
}
