//! Subcommand: run the demo on this machine, without an AWS account.

use anyhow::Result;

use crate::{dev::demo, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    demo::run(workspace)
}
