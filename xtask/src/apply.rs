//! One of the stage's roles, deployed with CloudFormation: a change set first, so that what will change is seen before
//! it does.

use anyhow::{Context, Result, bail};
use contract::{AccountId, RoleName};

use crate::{
    changes::Changes,
    cli::{self, Side},
    console,
    environment::Environment,
    guard,
    operator::Operator,
    rendering::{self, File, Rendered},
    workspace::Workspace,
};

/// Renders the role of `side`, shows what would change in the caller's account, and changes it.
///
/// # Errors
/// The caller is in no account that the role belongs to, CloudFormation refuses, or the person says no.
pub(crate) fn role(
    workspace: &Workspace,
    environment: &Environment,
    side: Side,
    flags: &cli::Roles,
) -> Result<()> {
    let confirmation = &flags.confirmation;
    let (file, caller) = match side {
        Side::Admin => {
            // A fault of the template is told before anybody is asked.
            Rendered::of_stage(workspace, environment, File::AdminRole)?;
            let caller = guard::require_admin(workspace, environment)?;
            (File::AdminRole, caller.into())
        }
        Side::Target => {
            let (caller, file) = guard::require_target(workspace, environment)?;
            (file, caller)
        }
    };
    let rendered = Rendered::of_stage(workspace, environment, file)?;
    guard::confirm(environment, "change the roles of", confirmation)?;
    let session = &caller.session;
    let account = &session.identity().account;
    let name = role_name(environment, side, account)?;
    let changes = Changes::of_role(workspace, session, &name, &rendered)?;
    console::note(changes.to_string().trim_end());
    guard::confirm_broadening(environment, &changes, flags.allow_broadening)?;
    let template = rendered.write(workspace, environment)?;
    let stack = stack_name(environment, side);
    console::note(&format!(
        "{} → stack {stack} in account {account}",
        workspace.shown(&template)
    ));
    let operator = Operator::of_caller(workspace, session)?;
    let Some(change_set) = operator.plan(&stack, &template)?.change_set else {
        return Ok(());
    };
    if !confirmation.yes && console::is_interactive() {
        let answer = console::ask(&format!("Change this in account {account}? [y/N]"))?;
        if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
            operator.discard(&change_set)?;
            bail!("Nothing was changed");
        }
    }
    operator.execute(&change_set)
}

/// The role of `side` in the caller's account.
fn role_name(environment: &Environment, side: Side, account: &AccountId) -> Result<RoleName> {
    match side {
        Side::Admin => Ok(environment.variables.lambda_execution_role.clone()),
        Side::Target => {
            let grants = rendering::grants(environment)?;
            let target = grants.target_role_in(account);
            let target =
                target.with_context(|| format!("No role is assumed in account {account}"))?;
            Ok(target.role.full_name()?)
        }
    }
}

/// The name of the stack that holds a role, in whichever account.
pub(crate) fn stack_name(environment: &Environment, side: Side) -> String {
    let side = match side {
        Side::Admin => "admin",
        Side::Target => "target",
    };
    format!("{}-{side}-role", environment.stack_name())
}
