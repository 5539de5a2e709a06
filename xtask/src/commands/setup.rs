//! Subcommand: install the pinned tools.

use anyhow::Result;

use crate::{
    sys::{console, workspace::Workspace},
    tools,
};

/// Prints the name, version and directory of each tool.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let rows: Vec<[String; 3]> = tools::ensure_all(workspace)?
        .into_iter()
        .map(|installed| {
            let directory = installed.directory.display().to_string();
            [
                installed.tool.name().to_owned(),
                installed.version,
                directory,
            ]
        })
        .collect();
    console::result(&console::columns(&rows))?;
    Ok(())
}
