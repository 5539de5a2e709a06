//! Subcommand: list the stages.

use anyhow::Result;

use crate::{
    cli,
    render::stage_table::{self, Row},
    stages,
    sys::{console, workspace::Workspace},
};

/// Lists every stage, including invalid ones; `check` reports their problems.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Envs) -> Result<()> {
    let rows = stages::load_all(workspace)?
        .into_iter()
        .map(|(stage, environment)| Row::of(stage, environment))
        .collect::<Vec<_>>();
    let text = if flags.json {
        format!("{}\n", serde_json::to_string_pretty(&rows)?)
    } else {
        stage_table::table(&rows)
    };
    console::result(&text)?;
    if rows.is_empty() {
        console::note(&format!(
            "No stages found in `{}`",
            workspace.environments().display()
        ));
    }
    if rows.iter().any(|row| !row.valid) {
        console::note("hint: run `cargo xtask check` to see the problems of the invalid stages");
    }
    Ok(())
}
