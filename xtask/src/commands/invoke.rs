//! Subcommand: invoke the deployed function.

use anyhow::Result;

use crate::{
    cli,
    deploy::{guard, serverless},
    sys::{error::InputError, workspace::Workspace},
};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Invoke) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    serde_json::from_str::<serde::de::IgnoredAny>(&flags.event).map_err(|error| {
        InputError(format!(
            "`--event` is not JSON: {error}\nhint: for example `--event '{{}}'`"
        ))
    })?;
    let caller = guard::require_admin(workspace, &environment)?;
    serverless::invoke(workspace, &caller, &flags.event)
}
