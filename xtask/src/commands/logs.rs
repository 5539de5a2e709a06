//! Subcommand: show the deployed function's logs.

use anyhow::Result;

use crate::{
    cli,
    deploy::{guard, serverless},
    sys::workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Logs) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    let caller = guard::require_admin(workspace, &environment)?;
    let since = flags.since.as_deref();
    serverless::logs(workspace, &caller, flags.tail, since)
}
