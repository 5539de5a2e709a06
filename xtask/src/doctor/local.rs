//! Checks without a network: the tools, the variables file and the rendered files.

use anyhow::Result;

use super::report::{Cause, CauseId, Check, CheckId};
use crate::{
    build as artifact,
    policy::Grants,
    render::{self as rendering, File, Templates},
    stages,
    sys::{
        console,
        error::{self, ProblemReport},
        files,
        process::Program,
        workspace::Workspace,
    },
    tools::{self, Tool},
};
use environment::Environment;

/// Checks the tools and their versions and, with an `environment`, whether its function can be built.
pub(super) fn tools(workspace: &Workspace, environment: Option<&Environment>) -> Vec<Check> {
    vec![
        cargo(workspace, environment),
        program(CheckId::Node, tools::node()),
        program(CheckId::Python, tools::python()),
        pinned_tools(workspace),
    ]
}

/// Reads the variables file. Prints its problems to standard error.
///
/// # Errors
/// Fails if the stage does not exist.
pub(super) fn variables(
    workspace: &Workspace,
    stage: &str,
) -> Result<(Check, Option<Environment>)> {
    match stages::load(workspace, stage) {
        Ok(environment) => {
            let check = Check::ok(
                CheckId::Variables,
                format!("{} is valid", environment.source),
            );
            Ok((check, Some(environment)))
        }
        Err(error) => {
            let report = error.downcast::<ProblemReport>()?;
            console::coloured(&report.to_string());
            let cause = "the variables file has problems, which are printed to standard error";
            let check = Check::failed(
                CheckId::Variables,
                "the variables file is not valid",
                vec![Cause::seen(CauseId::InvalidVariables, cause)],
            );
            let fix = format!("fix the errors that `cargo xtask check --env {stage}` reports");
            Ok((check.fix(fix), None))
        }
    }
}

/// Checks that the files in `dist/STAGE` are up to date. Returns the grants of the roles, if they can be rendered.
///
/// # Errors
/// Fails if a file cannot be read.
pub(super) fn rendered(
    workspace: &Workspace,
    environment: &Environment,
) -> Result<(Check, Option<Grants>)> {
    let all = [File::Serverless].into_iter().chain(File::ROLES);
    let grants = match rendering::grants(environment) {
        Ok(grants) => grants,
        Err(fault) => {
            let cause = Cause::seen(CauseId::InvalidVariables, fault.to_string());
            let found = "the roles of the stage cannot be rendered";
            return Ok((Check::failed(CheckId::Rendered, found, vec![cause]), None));
        }
    };
    let rendered = Templates::load(workspace, &all.collect::<Vec<_>>())
        .and_then(|templates| Ok(templates.render(environment)?));
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) if error::is_of_input(&error) => {
            let cause = Cause::seen(CauseId::InvalidTemplate, format!("{error:#}"));
            let check = Check::failed(
                CheckId::Rendered,
                "the stage cannot be rendered",
                vec![cause],
            );
            let fix = "fix the template, or restore the original one";
            return Ok((check.fix(fix), Some(grants)));
        }
        Err(error) => return Err(error),
    };
    let mut causes = Vec::new();
    // Users who have never rendered the roles may create them in another way.
    let directory = workspace.dist(&environment.stage).join("roles");
    let has_roles = !files::names_in(&directory)?.is_empty();
    for file in &rendered {
        let path = file.path(workspace, environment);
        let name = workspace.shown(&path);
        if !has_roles && path.starts_with(&directory) {
            continue;
        }
        match files::read_if_there(&path)? {
            Some(bytes) if bytes == file.text().as_bytes() => {}
            Some(_) => {
                let cause = format!("{name} is out of date");
                causes.push(Cause::seen(CauseId::StaleFile, cause));
            }
            None => causes.push(Cause::seen(
                CauseId::MissingFile,
                format!("{name} is missing"),
            )),
        }
    }
    let rendered_paths: Vec<_> = rendered
        .iter()
        .map(|file| file.path(workspace, environment))
        .collect();
    for name in files::names_in(&directory)? {
        let path = directory.join(&name);
        if rendering::is_target_role(&name) && !rendered_paths.contains(&path) {
            let cause = format!(
                "{} is left over from an earlier render",
                workspace.shown(&path)
            );
            causes.push(Cause::seen(CauseId::StaleFile, cause));
        }
    }
    let stage = &environment.stage;
    if causes.is_empty() {
        let found = if has_roles {
            format!(
                "serverless.yml and the roles in dist/{stage} are up to date ({} files)",
                rendered.len()
            )
        } else {
            format!(
                "serverless.yml in dist/{stage} is up to date; the roles are not rendered yet (`cargo xtask roles --env {stage}`)"
            )
        };
        return Ok((Check::ok(CheckId::Rendered, found), Some(grants)));
    }
    let found = match causes.len() {
        1 => format!("1 file in dist/{stage} is out of date or missing"),
        count => format!("{count} files in dist/{stage} are out of date or missing"),
    };
    let fix = format!("run `cargo xtask render --env {stage} && cargo xtask roles --env {stage}`");
    let check = Check::failed(CheckId::Rendered, found, causes).fix(fix);
    Ok((check, Some(grants)))
}

fn cargo(workspace: &Workspace, environment: Option<&Environment>) -> Check {
    let version = || -> Result<String> {
        let program = Program::new("cargo").args(["--version"]).quiet();
        let printed = program.in_directory(workspace.root()).capture()?;
        let version = printed.split_whitespace().nth(1);
        Ok(version.unwrap_or(printed.trim()).to_owned())
    };
    let version = match version() {
        Ok(version) => version,
        Err(error) => return missing_program(CheckId::Cargo, &error),
    };
    if let Some(environment) = environment {
        let architecture = environment.variables.function.architecture;
        if let Err(error) = artifact::require_target(workspace, architecture) {
            return missing_program(CheckId::Cargo, &error);
        }
    }
    match pinned_rust(workspace) {
        Some(pinned) if pinned != version => Check::unknown(
            CheckId::Cargo,
            format!(
                "{version}, but rust-toolchain.toml pins {pinned}: the artifact may differ"
            ),
        )
        .fix("use rustup, which selects the pinned version; RUSTUP_TOOLCHAIN and `+TOOLCHAIN` override it"),
        Some(_) => Check::ok(CheckId::Cargo, format!("{version}, as pinned")),
        None => Check::ok(CheckId::Cargo, version),
    }
}

/// The version in rust-toolchain.toml.
fn pinned_rust(workspace: &Workspace) -> Option<String> {
    let bytes = files::read_if_there(&workspace.root().join("rust-toolchain.toml")).ok()??;
    let text = String::from_utf8(bytes).ok()?;
    let line = text.lines().find(|line| line.starts_with("channel"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

fn program(id: CheckId, version: Result<String>) -> Check {
    match version {
        Ok(version) => Check::ok(id, version),
        Err(error) => missing_program(id, &error),
    }
}

/// Splits the fix, which starts with `hint:`, from the error.
fn missing_program(id: CheckId, error: &anyhow::Error) -> Check {
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
    let mut missing = Vec::new();
    // The other tools are only for work on this project.
    for tool in Tool::FOR_PACKAGES {
        match tools::look(workspace, tool) {
            Ok((version, true)) => installed.push(format!("{} {version}", tool.name())),
            Ok((version, false)) => missing.push(format!("{} {version}", tool.name())),
            Err(error) => return missing_program(CheckId::Tools, &error),
        }
    }
    if missing.is_empty() {
        return Check::ok(CheckId::Tools, installed.join(", "));
    }
    Check::unknown(
        CheckId::Tools,
        format!("not installed yet: {}", missing.join(", ")),
    )
    .fix("they are installed on first use; run `cargo xtask setup` to install them now")
}
