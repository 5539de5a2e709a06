//! Subcommand: start the emulator and keep it running.

use anyhow::Result;

use crate::{dev::emulator, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    emulator::run(workspace)
}
