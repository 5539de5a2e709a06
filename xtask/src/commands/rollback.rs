//! Subcommand: roll back to a previous deployment.

use anyhow::Result;

use crate::{
    cli,
    deploy::{guard, rollback},
    sys::workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Rollback) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    rollback::roll_back(workspace, &caller, flags)
}
