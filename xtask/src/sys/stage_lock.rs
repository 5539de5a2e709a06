//! One command at a time writes `dist/STAGE`.
//!
//! A deployment packages the stage there and then asks for confirmation. Without the lock, another command could replace the
//! package in the meantime. Commands that only read what is deployed hold the lock just while they write.

use std::{env, fs::File, process};

use anyhow::Result;
use contract::Stage;

use crate::sys::{console, files, workspace::Workspace};

/// The right to write `dist/STAGE`, until it is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct StageLock(#[expect(dead_code, reason = "dropping it releases the lock")] File);

impl StageLock {
    /// Takes the lock. If another command holds it, prints which one, and waits.
    ///
    /// # Errors
    /// The lock file cannot be written.
    pub(crate) fn take(workspace: &Workspace, stage: &Stage) -> Result<Self> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let holder = format!(
            "`cargo xtask {}` (process {})",
            arguments.join(" "),
            process::id()
        );
        let path = workspace.dist(stage).join(".lock");
        let file = files::lock_as(&path, &holder, |holder| {
            let holder = if holder.is_empty() {
                "another command"
            } else {
                holder
            };
            console::note(&format!(
                "Waiting for {holder}, which is using stage `{stage}` …"
            ));
        })?;
        Ok(Self(file))
    }
}
