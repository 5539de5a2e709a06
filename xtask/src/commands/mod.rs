//! The subcommands: one file each, with a function `run`.

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
    stages,
    sys::{error::InputError, workspace::Workspace},
};
use environment::Environment;

/// Loads the stage of `--env`. There is no default.
///
/// # Errors
/// `--env` is missing, the stage does not exist, or its variables file is invalid.
fn load(workspace: &Workspace, flags: &OneStage) -> Result<Environment> {
    stages::load(workspace, &named(workspace, flags)?)
}

/// The value of `--env`; the stage may not exist.
///
/// # Errors
/// `--env` is missing; the error lists the stages.
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
    Err(InputError(message).into())
}

/// Loads every stage.
///
/// # Errors
/// See [`some_stages`].
fn load_all(workspace: &Workspace) -> Result<Vec<(String, Result<Environment>)>> {
    let stages = stages::load_all(workspace)?;
    require_some(workspace, &stages)?;
    Ok(stages)
}

/// The names of the stages.
///
/// # Errors
/// There are none.
fn some_stages(workspace: &Workspace) -> Result<Vec<Stage>> {
    let stages = stages::list(workspace)?;
    require_some(workspace, &stages)?;
    Ok(stages)
}

/// Fails if there are no stages, so that a command for all stages does not succeed without doing anything.
fn require_some<T>(workspace: &Workspace, stages: &[T]) -> Result<()> {
    if stages.is_empty() {
        let directory = workspace.shown(&workspace.environments());
        return Err(InputError(format!(
            "No stages found in `{}`\nhint: create {directory}/variables.dev.yml; docs/getting-started.md has an example",
            workspace.environments().display()
        ))
        .into());
    }
    Ok(())
}
