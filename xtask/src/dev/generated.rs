//! What is generated from the code and committed: the JSON Schema, and the tables and the diagram of the README. Writing and checking
//! are one code path, so that the check cannot disagree with what the command writes.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::{
    cli::Cli,
    environment::{self, schema},
    render::{self as rendering, diagram},
    sys::{console, files, unified_diff, workspace::Workspace},
};

/// Compares what is generated with what the files hold; with `fix`, writes it. Gives what is stale, ready to be told.
///
/// # Errors
/// A file cannot be read or written, or the README has lost the marks around a table.
pub(crate) fn check(workspace: &Workspace, fix: bool) -> Result<Vec<String>> {
    let schema_path = workspace.environments().join("variables.schema.json");
    let readme_path = workspace.root().join("README.md");
    let readme = text(&readme_path)?;
    let mut new_readme = readme.clone();
    let blocks = [
        ("variables", Some(schema::markdown_table())),
        ("commands", Some(commands_table())),
        ("diagram", shipped_diagram(workspace)?),
    ];
    let blocks = blocks
        .into_iter()
        .filter_map(|(name, content)| Some((name, content?)));
    for (name, content) in blocks {
        new_readme = replace_block(&new_readme, name, &content).with_context(|| {
            format!("`README.md` has no `<!-- generated: {name} -->` … `<!-- end -->`")
        })?;
    }
    let mut stale = Vec::new();
    for (path, old, new) in [
        (schema_path.clone(), text(&schema_path)?, schema::json()),
        (readme_path, readme, new_readme),
    ] {
        let name = workspace.shown(&path);
        if old == new {
            console::note(&format!("ok  {name}"));
        } else if fix {
            files::write(&path, new.as_bytes())?;
            console::note(&format!("wrote {name}"));
        } else {
            stale.push(format!(
                "{}error: {name} is out of date\nhint: cargo xtask check --fix",
                unified_diff::with_disk(&name, &old, &new)
            ));
        }
    }
    Ok(stale)
}

/// The trust of the stage `dev`, which the README explains; nothing where a user has done away with that stage.
fn shipped_diagram(workspace: &Workspace) -> Result<Option<String>> {
    let stages = environment::stages(workspace)?;
    let Some(dev) = stages.iter().find(|stage| stage.as_str() == "dev") else {
        return Ok(None);
    };
    let dev = environment::load(workspace, dev.as_str())?;
    let drawn = diagram::mermaid(&dev, &rendering::grants(&dev)?);
    Ok(Some(format!("```mermaid\n{drawn}```")))
}

fn text(path: &std::path::Path) -> Result<String> {
    Ok(
        files::read_if_there(path)?.map_or_else(String::new, |bytes| {
            String::from_utf8_lossy(&bytes).into_owned()
        }),
    )
}

/// Puts `content` between the marks of the block `name`.
fn replace_block(text: &str, name: &str, content: &str) -> Option<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!(
        "{before}{begin}{}\n<!-- end -->{after}",
        content.trim_end()
    ))
}

/// The subcommands with what they do, from the help itself.
fn commands_table() -> String {
    let mut table = "| command | does |\n|---|---|\n".to_owned();
    for command in Cli::command()
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let takes_stage = command
            .get_arguments()
            .any(|argument| argument.get_id() == "env");
        let stage = match command.get_name() {
            "check" => " [--env STAGE]",
            _ if takes_stage => " --env STAGE",
            _ => "",
        };
        let flags: Vec<String> = command
            .get_arguments()
            .filter(|argument| {
                !["env", "help", "version", "workspace"].contains(&argument.get_id().as_str())
            })
            .filter_map(|argument| Some(format!("`--{}`", argument.get_long()?)))
            .collect();
        let about = command
            .get_about()
            .map_or_else(String::new, ToString::to_string);
        let flags = if flags.is_empty() {
            String::new()
        } else {
            format!(" ({})", flags.join(", "))
        };
        let name = command.get_name();
        // Writing to a text cannot fail.
        let _ = writeln!(table, "| `{name}{stage}` | {about}{flags} |");
    }
    table
}

/// Puts `content` between the README's marks of the block `name`, for what cannot be made anew to be compared: figures
/// that were measured.
///
/// # Errors
/// The README cannot be read or written, or has lost the marks.
pub(crate) fn put_into_readme(workspace: &Workspace, name: &str, content: &str) -> Result<()> {
    let path = workspace.root().join("README.md");
    let readme = replace_block(&text(&path)?, name, content).with_context(|| {
        format!("`README.md` has no `<!-- generated: {name} -->` … `<!-- end -->`")
    })?;
    files::write(&path, readme.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_and_nothing_else() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
        let new = replace_block(text, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n");
        assert_eq!(replace_block(&new, "x", "new\n").unwrap(), new);
        assert!(replace_block(text, "y", "new").is_none());
    }
}
