//! Subcommand: show the deployed function's logs.

use anyhow::Result;

use crate::{cli, framework, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Logs) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    framework::logs(workspace, &environment, flags.tail, flags.since.as_deref())
}
