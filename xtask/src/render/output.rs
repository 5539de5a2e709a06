//! Writes, prints or checks rendered files.

use std::{collections::HashSet, path::PathBuf};

use anyhow::Result;

use super::{File, Rendered, Templates, is_target_role};
use crate::sys::{
    console, error::AlreadyReported, files, stage_lock::StageLock, unified_diff,
    workspace::Workspace,
};
use environment::Environment;

/// What happens to rendered files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are written into `dist/STAGE`.
    Write,
    /// They are printed to standard output.
    Print,
    /// They are compared with the files on disk.
    Check,
}

/// Renders `files` of each stage and writes, prints or checks them. Hints name `command` as the fix for files that are out of date.
///
/// # Errors
/// A template is invalid, a file cannot be written, or a checked file is out of date or missing.
pub(crate) fn put(
    workspace: &Workspace,
    environments: &[Environment],
    files: &[File],
    mode: Mode,
    command: &str,
) -> Result<()> {
    let templates = Templates::load(workspace, files)?;
    let mut rendered = Vec::new();
    for environment in environments {
        rendered.extend(
            templates
                .render(environment)?
                .into_iter()
                .map(|file| (environment, file)),
        );
    }
    let left_over = left_over(workspace, environments, &rendered, files)?;
    if mode == Mode::Check {
        return check(workspace, &rendered, &left_over, command);
    }
    if mode == Mode::Print {
        let texts: Vec<&str> = rendered.iter().map(|(_, file)| file.text()).collect();
        // A single file is printed unchanged; several files become several YAML documents.
        console::result(&texts.join("---\n"))?;
        return Ok(());
    }
    for environment in environments {
        let is_of_stage = |of: &Environment| of.stage == environment.stage;
        let _lock = StageLock::take(workspace, &environment.stage)?;
        for (_, file) in rendered.iter().filter(|(of, _)| is_of_stage(of)) {
            console::note(&format!(
                "wrote {}",
                workspace.shown(&file.write(workspace, environment)?)
            ));
        }
        for (_, path) in left_over.iter().filter(|(of, _)| is_of_stage(of)) {
            files::remove(path)?;
            let name = workspace.shown(path);
            console::note(&format!("removed {name}, which the stage no longer has"));
        }
    }
    Ok(())
}

/// Finds rendered Target roles that the stages no longer have.
fn left_over<'a>(
    workspace: &Workspace,
    environments: &'a [Environment],
    rendered: &[(&Environment, Rendered)],
    asked: &[File],
) -> Result<Vec<(&'a Environment, PathBuf)>> {
    let mut found = Vec::new();
    if !asked.contains(&File::TargetRole) {
        return Ok(found);
    }
    let made: HashSet<PathBuf> = rendered
        .iter()
        .map(|(environment, file)| file.path(workspace, environment))
        .collect();
    for environment in environments {
        let directory = workspace.dist(&environment.stage).join("roles");
        let names = files::names_in(&directory)?;
        let paths = names
            .iter()
            .filter(|name| is_target_role(name))
            .map(|name| directory.join(name))
            .filter(|path| !made.contains(path));
        found.extend(paths.map(|path| (environment, path)));
    }
    Ok(found)
}

fn check(
    workspace: &Workspace,
    rendered: &[(&Environment, Rendered)],
    left_over: &[(&Environment, PathBuf)],
    command: &str,
) -> Result<()> {
    let mut stale = !left_over.is_empty();
    for (environment, path) in left_over {
        console::note(&format!(
            "error: {} is out of date: the stage no longer has this role\nhint: run `cargo xtask {command} --env {}`",
            workspace.shown(path),
            environment.stage
        ));
    }
    for (environment, file) in rendered {
        let path = file.path(workspace, environment);
        let name = workspace.shown(&path);
        let on_disk = files::read_if_there(&path)?;
        let condition = match &on_disk {
            Some(bytes) if bytes == file.text().as_bytes() => {
                console::note(&format!("ok  {name}"));
                continue;
            }
            Some(_) => "out of date",
            None => "missing",
        };
        stale = true;
        console::result(&unified_diff::with_disk(
            &name,
            &String::from_utf8_lossy(&on_disk.unwrap_or_default()),
            file.text(),
        ))?;
        console::note(&format!(
            "error: {name} is {condition}\nhint: run `cargo xtask {command} --env {}`",
            environment.stage
        ));
    }
    if stale {
        Err(AlreadyReported.into())
    } else {
        Ok(())
    }
}
