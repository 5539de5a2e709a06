//! Subcommand: draw a stage's trust.

use anyhow::Result;

use crate::{cli::OneStage, console, diagram, rendering, workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &OneStage) -> Result<()> {
    let environment = super::load(workspace, flags)?;
    let grants = rendering::grants(&environment)?;
    Ok(console::result(&diagram::mermaid(&environment, &grants))?)
}
