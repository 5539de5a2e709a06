//! Subcommand: render the IAM roles of both accounts.

use anyhow::Result;

use super::render;
use crate::{apply, cli, rendering::File, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Roles) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    if let Some(side) = flags.apply {
        return apply::role(workspace, &environment, side, &flags.confirmation);
    }
    render::put(
        workspace,
        &[environment],
        &File::ROLES,
        &flags.mode,
        "roles",
    )
}
