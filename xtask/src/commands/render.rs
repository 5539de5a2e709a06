//! Subcommand: render a stage's serverless.yml.

use anyhow::Result;

use crate::{
    cli, console,
    environment::Environment,
    fault::{self, AlreadyTold},
    files, generated,
    rendering::{File, Rendered, Templates},
    workspace::Workspace,
};

/// Every stage is rendered before the first file is written: a fault in one leaves all as they were.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Render) -> Result<()> {
    let environments = if flags.all {
        load_all(workspace)?
    } else {
        vec![super::load(workspace, &flags.stage)?]
    };
    put(
        workspace,
        &environments,
        &[File::Serverless],
        &flags.mode,
        "render",
    )
}

fn load_all(workspace: &Workspace) -> Result<Vec<Environment>> {
    let mut environments = Vec::new();
    let mut faults = Vec::new();
    for (_, environment) in super::load_all(workspace)? {
        match environment {
            Ok(environment) => environments.push(environment),
            Err(error) if fault::is_of_input(&error) => {
                faults.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    fault::all_told(faults)?;
    Ok(environments)
}

/// Renders `files` of each stage and puts them where `mode` says; `command` is what repairs a stale one.
///
/// # Errors
/// A fault of a template, a file that cannot be written, or with `--check` a stale file.
pub(super) fn put(
    workspace: &Workspace,
    environments: &[Environment],
    files: &[File],
    mode: &cli::RenderMode,
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
    if mode.check {
        return check(workspace, &rendered, command);
    }
    if mode.stdout {
        let texts: Vec<&str> = rendered.iter().map(|(_, file)| file.text()).collect();
        // One file is printed as it would be written; several are several documents.
        console::result(&texts.join("---\n"))?;
        return Ok(());
    }
    for (environment, file) in &rendered {
        console::note(&format!(
            "wrote {}",
            workspace.shown(&file.write(workspace, environment)?)
        ));
    }
    Ok(())
}

fn check(
    workspace: &Workspace,
    rendered: &[(&Environment, Rendered)],
    command: &str,
) -> Result<()> {
    let mut stale = false;
    for (environment, file) in rendered {
        let path = file.path(workspace, environment);
        let name = workspace.shown(&path);
        let on_disk = files::read_if_there(&path)?;
        let condition = match &on_disk {
            Some(bytes) if bytes == file.text().as_bytes() => {
                console::note(&format!("ok  {name}"));
                continue;
            }
            Some(_) => "stale",
            None => "missing",
        };
        stale = true;
        console::result(&generated::diff(
            &name,
            &String::from_utf8_lossy(&on_disk.unwrap_or_default()),
            file.text(),
        ))?;
        console::note(&format!(
            "error: {name} is {condition}\nhint: cargo xtask {command} --env {}",
            environment.stage
        ));
    }
    if stale {
        Err(AlreadyTold.into())
    } else {
        Ok(())
    }
}
