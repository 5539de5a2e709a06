//! Subcommand: every check and test the project has, the same that CI runs.

use anyhow::Result;

use crate::{cli, dev::test, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Test) -> Result<()> {
    test::run(workspace, flags.quick)
}
