//! Subcommand: show what is deployed.

use anyhow::Result;

use crate::{cli, framework, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::OneStage) -> Result<()> {
    framework::info(workspace, &super::load(workspace, flags)?)
}
