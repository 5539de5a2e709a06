//! Subcommand: draw a stage's trust relationships.

use anyhow::Result;

use crate::{
    cli::OneStage,
    render::{self as rendering, diagram},
    sys::{console, workspace::Workspace},
};

pub(crate) fn run(workspace: &Workspace, flags: &OneStage) -> Result<()> {
    let environment = super::load(workspace, flags)?;
    let grants = rendering::grants(&environment)?;
    Ok(console::result(&diagram::mermaid(&environment, &grants))?)
}
