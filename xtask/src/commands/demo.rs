//! Subcommand: the whole job on this machine, with no AWS account.

use anyhow::Result;

use crate::{dev::demo, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    demo::run(workspace)
}
