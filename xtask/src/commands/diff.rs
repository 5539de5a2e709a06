//! Subcommand: show what a deployment would change.

use anyhow::Result;

use crate::{
    cli,
    deploy::{guard, serverless::Package},
    diff::Changes,
    sys::{console, workspace::Workspace},
};

/// Packages the stage and compares it with what is deployed. Changes nothing, and exits with 0 whatever the differences are.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Diff) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    let package = Package::make(workspace, &environment)?;
    let changes = Changes::of(
        workspace,
        &package.release,
        &environment,
        &caller.session,
        &flags.target_profiles,
    )?;
    // Nobody waits for the reader.
    drop(package);
    console::page(&changes.to_string())?;
    Ok(())
}
