//! Subcommand: start the emulator and keep it running.

use anyhow::Result;

use crate::{emulator, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    emulator::run(workspace)
}
