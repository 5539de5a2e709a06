//! Subcommand: remove what is deployed.

use anyhow::Result;
use operator_api::Part;

use crate::{
    cli,
    deploy::{guard, serverless::Framework},
    diff::release,
    sys::{console, workspace::Workspace},
};

/// A stage that is not deployed is reported; it is not an error.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Remove) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    guard::confirm(&environment, "remove it", &flags.confirmation)?;
    let framework = Framework::lock(workspace, &caller)?;
    let (stack, _) = release::deployed_parts(workspace, &environment, &caller.session)?;
    if stack == Part::Absent {
        console::note(&format!(
            "Stage `{}` is not deployed: there is no stack `{}` in {} of account {}; nothing was removed",
            environment.stage,
            environment.stack_name(),
            environment.variables.region,
            environment.variables.admin_account_id
        ));
        return Ok(());
    }
    guard::require_own_stack(&environment, &stack)?;
    framework.remove()
}
