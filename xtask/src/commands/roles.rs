//! Subcommand: render the IAM roles of both accounts.

use anyhow::Result;

use super::render;
use crate::{cli, rendering::File, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Roles) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    render::put(
        workspace,
        &[environment],
        &File::ROLES,
        &flags.mode,
        "roles",
    )
}
