//! Generates the committed files that follow from the code: the JSON Schema, and the blocks between
//! `<!-- generated: NAME -->` and `<!-- end -->` in the documentation.
//!
//! Writing and checking share one code path, so that they cannot disagree.

use anyhow::{Context, Result};

use super::{command_docs, links};
use crate::{
    render::{self as rendering, diagram},
    stages,
    sys::{console, files, unified_diff, workspace::Workspace},
};
use environment::reference;

/// Compares the generated files with those on disk; with `fix`, updates them. Then checks the links of the documentation.
/// Returns the problems that are left, as messages.
///
/// # Errors
/// A file cannot be read or written, or a document has lost the marks of a block.
pub(crate) fn check(workspace: &Workspace, fix: bool) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for File { path, old, new } in generate(workspace)? {
        let name = workspace.shown(&path);
        if old == new {
            console::note(&format!("ok  {name}"));
        } else if fix {
            files::write(&path, new.as_bytes())?;
            console::note(&format!("wrote {name}"));
        } else {
            problems.push(format!(
                "{}error: {name} is out of date\nhint: run `cargo xtask check --fix`",
                unified_diff::with_disk(&name, &old, &new)
            ));
        }
    }
    let broken = links::broken(workspace)?;
    if broken.is_empty() {
        console::note("ok  links of the documentation");
    }
    problems.extend(broken);
    Ok(problems)
}

struct File {
    path: std::path::PathBuf,
    old: String,
    new: String,
}

fn generate(workspace: &Workspace) -> Result<Vec<File>> {
    let path = workspace.environments().join("variables.schema.json");
    let old = read(&path)?.unwrap_or_default();
    let mut generated = vec![File {
        path,
        old,
        new: reference::json_schema(),
    }];
    let mut readme = vec![("commands", command_docs::table())];
    readme.extend(shipped_diagram(workspace)?.map(|diagram| ("diagram", diagram)));
    for (name, blocks) in [
        ("README.md", readme),
        (
            "docs/variables.md",
            vec![("variables", reference::markdown_table())],
        ),
        (
            "docs/commands.md",
            vec![("commands", command_docs::reference())],
        ),
    ] {
        let path = workspace.root().join(name);
        // A user may keep the generator and not its documentation.
        let Some(old) = read(&path)? else { continue };
        let mut new = old.clone();
        for (block, content) in blocks {
            new = replace_block(&new, block, &content).with_context(|| lost_marks(name, block))?;
        }
        generated.push(File { path, old, new });
    }
    Ok(generated)
}

/// The diagram of the stage `dev`, which the README explains; `None` if a user has removed that stage.
fn shipped_diagram(workspace: &Workspace) -> Result<Option<String>> {
    let stages = stages::list(workspace)?;
    let Some(dev) = stages.iter().find(|stage| stage.as_str() == "dev") else {
        return Ok(None);
    };
    let dev = stages::load(workspace, dev.as_str())?;
    let drawn = diagram::mermaid(&dev, &rendering::grants(&dev)?);
    Ok(Some(format!("```mermaid\n{drawn}```")))
}

/// Replaces the block `block` of the document `name`, for content that cannot be generated again to compare it: measured
/// figures.
///
/// # Errors
/// The document cannot be read or written, or has lost the marks of the block.
pub(crate) fn publish(workspace: &Workspace, name: &str, block: &str, content: &str) -> Result<()> {
    let path = workspace.root().join(name);
    let text = read(&path)?.unwrap_or_default();
    let text = replace_block(&text, block, content).with_context(|| lost_marks(name, block))?;
    files::write(&path, text.as_bytes())
}

fn read(path: &std::path::Path) -> Result<Option<String>> {
    Ok(files::read_if_there(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn lost_marks(name: &str, block: &str) -> String {
    format!("`{name}` has no `<!-- generated: {block} -->` … `<!-- end -->`")
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
