//! What is checked without a network: the tools, the variables file, and what is rendered from it.

use anyhow::Result;

use super::report::{Cause, CauseId, Check, Id};
use crate::{
    build as artifact,
    policy::Grants,
    render::{self as rendering, File, Templates},
    stages,
    sys::{
        console,
        fault::{self, FaultReport},
        files,
        process::Program,
        workspace::Workspace,
    },
    tools::{self, Tool},
};
use environment::Environment;

/// The tools, with their versions; of an `environment`, whether its function can be built.
pub(super) fn tools(workspace: &Workspace, environment: Option<&Environment>) -> Vec<Check> {
    vec![
        cargo(workspace, environment),
        program(Id::Node, tools::node()),
        program(Id::Python, tools::python()),
        pinned_tools(workspace),
    ]
}

/// Reads the stage's variables file. Its faults are told to standard error, with the lines that they are in.
///
/// # Errors
/// There is no such stage.
pub(super) fn variables(
    workspace: &Workspace,
    stage: &str,
) -> Result<(Check, Option<Environment>)> {
    match stages::load(workspace, stage) {
        Ok(environment) => {
            let check = Check::ok(Id::Variables, format!("{} is valid", environment.source));
            Ok((check, Some(environment)))
        }
        Err(error) => {
            let report = error.downcast::<FaultReport>()?;
            console::coloured(&report.to_string());
            let cause = "the variables file has faults: they are told on standard error";
            let check = Check::failed(
                Id::Variables,
                "the stage's variables file is not valid",
                vec![Cause::seen(CauseId::InvalidVariables, cause)],
            );
            let fix = format!("mend what `cargo xtask check --env {stage}` tells");
            Ok((check.fix(fix), None))
        }
    }
}

/// Whether what is in `dist/STAGE` is what would be rendered now; and what the roles should say, where it can be rendered.
///
/// # Errors
/// A file cannot be read.
pub(super) fn rendered(
    workspace: &Workspace,
    environment: &Environment,
) -> Result<(Check, Option<Grants>)> {
    let all = [File::Serverless].into_iter().chain(File::ROLES);
    let grants = match rendering::grants(environment) {
        Ok(grants) => grants,
        Err(fault) => {
            let cause = Cause::seen(CauseId::InvalidVariables, fault.to_string());
            let found = "no roles can be made for the stage";
            return Ok((Check::failed(Id::Rendered, found, vec![cause]), None));
        }
    };
    let rendered = Templates::load(workspace, &all.collect::<Vec<_>>())
        .and_then(|templates| Ok(templates.render(environment)?));
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) if fault::is_of_input(&error) => {
            let cause = Cause::seen(CauseId::InvalidTemplate, format!("{error:#}"));
            let check = Check::failed(Id::Rendered, "the stage cannot be rendered", vec![cause]);
            let fix = "mend the template, or put the shipped one back";
            return Ok((check.fix(fix), Some(grants)));
        }
        Err(error) => return Err(error),
    };
    let mut causes = Vec::new();
    // Who has never rendered the roles may have them from elsewhere.
    let folder = workspace.dist(&environment.stage).join("roles");
    let has_roles = !files::names_in(&folder)?.is_empty();
    for file in &rendered {
        let path = file.path(workspace, environment);
        let name = workspace.shown(&path);
        if !has_roles && path.starts_with(&folder) {
            continue;
        }
        match files::read_if_there(&path)? {
            Some(bytes) if bytes == file.text().as_bytes() => {}
            Some(_) => {
                let cause = format!("{name} is not what would be rendered now");
                causes.push(Cause::seen(CauseId::StaleFile, cause));
            }
            None => causes.push(Cause::seen(
                CauseId::MissingFile,
                format!("{name} is missing"),
            )),
        }
    }
    let made: Vec<_> = rendered
        .iter()
        .map(|file| file.path(workspace, environment))
        .collect();
    for name in files::names_in(&folder)? {
        let path = folder.join(&name);
        if rendering::is_target_role(&name) && !made.contains(&path) {
            let cause = format!("{} is of an earlier rendering", workspace.shown(&path));
            causes.push(Cause::seen(CauseId::StaleFile, cause));
        }
    }
    let stage = &environment.stage;
    if causes.is_empty() {
        let found = if has_roles {
            format!(
                "serverless.yml and the roles in dist/{stage} are fresh ({} files)",
                rendered.len()
            )
        } else {
            format!(
                "serverless.yml in dist/{stage} is fresh; the roles are not rendered yet (`cargo xtask roles --env {stage}`)"
            )
        };
        return Ok((Check::ok(Id::Rendered, found), Some(grants)));
    }
    let found = format!(
        "{} files in dist/{stage} are out of date or missing",
        causes.len()
    );
    let fix = format!("cargo xtask render --env {stage} && cargo xtask roles --env {stage}");
    let check = Check::failed(Id::Rendered, found, causes).fix(fix);
    Ok((check, Some(grants)))
}

fn cargo(workspace: &Workspace, environment: Option<&Environment>) -> Check {
    let version = || -> Result<String> {
        let program = Program::new("cargo").args(["--version"]).quiet();
        let printed = program.in_folder(workspace.root()).capture()?;
        let version = printed.split_whitespace().nth(1);
        Ok(version.unwrap_or(printed.trim()).to_owned())
    };
    let version = match version() {
        Ok(version) => version,
        Err(error) => return missing_program(Id::Cargo, &error),
    };
    if let Some(environment) = environment {
        let architecture = environment.variables.function.architecture;
        if let Err(error) = artifact::require_target(workspace, architecture) {
            return missing_program(Id::Cargo, &error);
        }
    }
    match pinned_rust(workspace) {
        Some(pinned) if pinned != version => Check::unknown(
            Id::Cargo,
            format!(
                "{version}, and rust-toolchain.toml pins {pinned}: the artifact may have other bytes"
            ),
        )
        .fix("use rustup, which takes the pinned one; RUSTUP_TOOLCHAIN and `+TOOLCHAIN` overrule it"),
        Some(_) => Check::ok(Id::Cargo, format!("{version}, as pinned")),
        None => Check::ok(Id::Cargo, version),
    }
}

/// The release that rust-toolchain.toml names.
fn pinned_rust(workspace: &Workspace) -> Option<String> {
    let bytes = files::read_if_there(&workspace.root().join("rust-toolchain.toml")).ok()??;
    let text = String::from_utf8(bytes).ok()?;
    let line = text.lines().find(|line| line.starts_with("channel"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

fn program(id: Id, version: Result<String>) -> Check {
    match version {
        Ok(version) => Check::ok(id, version),
        Err(error) => missing_program(id, &error),
    }
}

/// The error says how to mend it, in the line that begins with `hint:`.
fn missing_program(id: Id, error: &anyhow::Error) -> Check {
    let text = format!("{error:#}");
    let (problem, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
    let found = problem.lines().next().unwrap_or_default();
    let cause = Cause::seen(CauseId::MissingProgram, problem);
    let check = Check::failed(id, found, vec![cause]);
    if hint.is_empty() {
        check
    } else {
        check.fix(hint)
    }
}

fn pinned_tools(workspace: &Workspace) -> Check {
    let mut installed = Vec::new();
    let mut absent = Vec::new();
    // The others are for work on this project, and no stage misses them.
    for tool in Tool::FOR_PACKAGES {
        match tools::look(workspace, tool) {
            Ok((version, true)) => installed.push(format!("{} {version}", tool.name())),
            Ok((version, false)) => absent.push(format!("{} {version}", tool.name())),
            Err(error) => return missing_program(Id::Tools, &error),
        }
    }
    if absent.is_empty() {
        return Check::ok(Id::Tools, installed.join(", "));
    }
    Check::unknown(
        Id::Tools,
        format!("not installed yet: {}", absent.join(", ")),
    )
    .fix("the commands that need them install them; `cargo xtask setup` does so now")
}
