//! The subcommands, one file each, with one `run` each.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod emulator;
pub(crate) mod envs;
pub(crate) mod info;
pub(crate) mod invoke;
pub(crate) mod logs;
pub(crate) mod package;
pub(crate) mod remove;
pub(crate) mod render;
pub(crate) mod roles;
pub(crate) mod setup;
pub(crate) mod test;

use anyhow::Result;

use crate::{
    cli::OneStage,
    environment::{self, Environment},
    fault::InputFault,
    workspace::Workspace,
};

/// The stage that `--env` names. There is no default: whoever forgets it is told which stages there are.
///
/// # Errors
/// No stage is named, there is no such stage, or its variables file has faults.
fn load(workspace: &Workspace, flags: &OneStage) -> Result<Environment> {
    if let Some(stage) = &flags.env {
        return environment::load(workspace, stage);
    }
    let stages = environment::stages(workspace)?;
    let names: Vec<&str> = stages.iter().map(contract::Stage::as_str).collect();
    let message = format!(
        "`--env STAGE` is missing\nhint: the stages are {}",
        names.join(", ")
    );
    Err(InputFault(message).into())
}
