//! Subcommand: build the function for a stage.

use anyhow::Result;

use crate::{
    build::Artifact,
    cli,
    sys::{console, stage_lock::StageLock, workspace::Workspace},
};

/// Prints the archive's SHA-256 in the format of `sha256sum`.
pub(crate) fn run(workspace: &Workspace, flags: &cli::OneStage) -> Result<()> {
    let environment = super::load(workspace, flags)?;
    let _lock = StageLock::take(workspace, &environment.stage)?;
    let artifact = Artifact::build(workspace, &environment)?;
    console::result(&format!(
        "{}  {}\n",
        artifact.sha256,
        workspace.shown(&artifact.path)
    ))?;
    Ok(())
}
