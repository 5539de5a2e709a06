//! Subcommand: remove what is deployed.

use anyhow::Result;

use crate::{cli, framework, guard, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Remove) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    guard::confirm(&environment, "remove", &flags.confirmation)?;
    framework::remove(workspace, &environment, &caller)
}
