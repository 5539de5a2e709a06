//! The subcommands, one file each, with one `run` each.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod diagram;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod envs;
pub(crate) mod info;
pub(crate) mod invoke;
pub(crate) mod logs;
pub(crate) mod package;
pub(crate) mod remove;
pub(crate) mod render;
pub(crate) mod roles;
pub(crate) mod rollback;
pub(crate) mod setup;
pub(crate) mod test;

use anyhow::Result;
use contract::Stage;

use crate::{
    cli::OneStage,
    environment::{self, Environment},
    sys::{fault::InputFault, workspace::Workspace},
};

/// The stage that `--env` names. There is no default: whoever forgets it is told which stages there are.
///
/// # Errors
/// No stage is named, there is no such stage, or its variables file has faults.
fn load(workspace: &Workspace, flags: &OneStage) -> Result<Environment> {
    environment::load(workspace, &named(workspace, flags)?)
}

/// The name that `--env` gives, whether or not there is such a stage.
///
/// # Errors
/// It is missing.
fn named(workspace: &Workspace, flags: &OneStage) -> Result<String> {
    if let Some(stage) = &flags.env {
        return Ok(stage.clone());
    }
    let stages = some_stages(workspace)?;
    let names: Vec<&str> = stages.iter().map(Stage::as_str).collect();
    let message = format!(
        "`--env STAGE` is missing\nhint: the stages are {}",
        names.join(", ")
    );
    Err(InputFault(message).into())
}

/// Every stage, each read and checked.
///
/// # Errors
/// As for [`some_stages`].
fn load_all(workspace: &Workspace) -> Result<Vec<(String, Result<Environment>)>> {
    let stages = environment::load_all(workspace)?;
    require_some(workspace, &stages)?;
    Ok(stages)
}

/// The stages there are.
///
/// # Errors
/// There is none.
fn some_stages(workspace: &Workspace) -> Result<Vec<Stage>> {
    let stages = environment::stages(workspace)?;
    require_some(workspace, &stages)?;
    Ok(stages)
}

/// # Errors
/// There is no stage: a command for every stage that did nothing would pass for one that found nothing wrong.
fn require_some<T>(workspace: &Workspace, stages: &[T]) -> Result<()> {
    if stages.is_empty() {
        let folder = workspace.shown(&workspace.environments());
        return Err(InputFault(format!(
            "there is no stage in `{}`\nhint: create {folder}/variables.dev.yml; docs/getting-started.md has an example",
            workspace.environments().display()
        ))
        .into());
    }
    Ok(())
}
