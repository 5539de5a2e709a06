//! Subcommand: diagnose a stage.

use anyhow::Result;

use crate::{
    cli,
    doctor::{self, Reach},
    sys::{console, fault::AlreadyTold, workspace::Workspace},
};

/// Prints the report. Exits with 1 if a check failed.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Doctor) -> Result<()> {
    let stage = super::named(workspace, &flags.stage)?;
    let reach = if flags.offline {
        Reach::Offline
    } else {
        Reach::Aws(&flags.target_profiles)
    };
    let report = doctor::examine(workspace, &stage, reach)?;
    if flags.json {
        console::result(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        console::page(&report.to_string())?;
    }
    if flags.offline && !flags.json {
        console::note(
            "hint: without `--offline`, AWS is asked as well: the caller, the roles, the function",
        );
    }
    if report.has_failed() {
        return Err(AlreadyTold.into());
    }
    Ok(())
}
