//! Subcommand: run every check and test, like CI.

use anyhow::Result;

use crate::{cli, dev::test, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Test) -> Result<()> {
    test::run(workspace, flags.quick)
}
