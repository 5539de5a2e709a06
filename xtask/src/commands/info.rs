//! Subcommand: show what is deployed.

use anyhow::Result;

use crate::{
    cli,
    deploy::{guard, serverless},
    sys::workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, flags: &cli::OneStage) -> Result<()> {
    let environment = super::load(workspace, flags)?;
    let caller = guard::require_admin(workspace, &environment)?;
    serverless::info(workspace, &caller)
}
