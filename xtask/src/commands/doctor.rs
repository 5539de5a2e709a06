//! Subcommand: diagnose a stage.

use anyhow::Result;

use crate::{
    cli,
    doctor::{self, Scope},
    sys::{console, error::AlreadyReported, workspace::Workspace},
};

/// Prints the report. Exits with 1 if a check failed.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Doctor) -> Result<()> {
    let stage = super::named(workspace, &flags.stage)?;
    let scope = if flags.offline {
        Scope::Offline
    } else {
        Scope::Aws(&flags.target_profiles)
    };
    let report = doctor::examine(workspace, &stage, scope)?;
    if flags.json {
        console::result(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        console::page(&report.to_string())?;
    }
    if flags.offline && !flags.json {
        console::note(
            "hint: to check the caller, the roles and the function too, run without `--offline`",
        );
    }
    if report.has_failed() {
        return Err(AlreadyReported.into());
    }
    Ok(())
}
