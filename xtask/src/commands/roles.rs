//! Subcommand: render the IAM roles of both accounts.

use anyhow::Result;

use crate::{
    cli,
    deploy::role_stacks as apply,
    policy::Grants,
    render::{self, File, output},
    sys::{console, workspace::Workspace},
};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Roles) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    if let Some(side) = flags.apply {
        return apply::role(workspace, &environment, side, flags);
    }
    match flags.policy {
        None => output::put(
            workspace,
            &[environment],
            &File::ROLES,
            flags.mode.mode(),
            "roles",
        ),
        Some(cli::PolicyFormat::Json) => print(&render::grants(&environment)?),
    }
}

/// Prints the expected policies without CloudFormation; the templates may grant less.
fn print(grants: &Grants) -> Result<()> {
    let text = serde_json::to_string_pretty(grants)?;
    Ok(console::result(&format!("{text}\n"))?)
}
