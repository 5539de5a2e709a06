//! Subcommand: deploy a stage.

use std::fmt;

use anyhow::Result;

use crate::{
    cli,
    deploy::{
        guard::{self, AdminCaller},
        serverless::Deployable,
        smoke,
    },
    diff::{
        Changes,
        release::{self, Running},
    },
    render::{File, Rendered, plan},
    sys::{console, workspace::Workspace},
};

/// Checks the caller first, because the build takes minutes.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Deploy) -> Result<()> {
    let environment = super::load(workspace, &flags.stage)?;
    Rendered::of_stage(workspace, &environment, File::Serverless)?;
    let caller = guard::require_admin(workspace, &environment)?;
    if flags.dry_run {
        console::page(&Plan { caller: &caller }.to_string())?;
        if let Err(error) = guard::require_execution_role(workspace, &caller) {
            console::note(&format!("note: {error:#}"));
        }
        return Ok(());
    }
    guard::confirm(&environment, "deploy it", &flags.confirmation)?;
    guard::require_execution_role(workspace, &caller)?;
    let (stack, _) = release::deployed_parts(workspace, &environment, &caller.session)?;
    guard::require_own_stack(&environment, &stack)?;
    let package = Deployable::make(workspace, &caller)?;
    let changes = Changes::of(
        workspace,
        package.release(),
        &environment,
        &caller.session,
        &[],
    )?;
    console::note(changes.to_string().trim_end());
    let allowed = flags.allow_broadening;
    guard::confirm_changes(&environment, &changes, &flags.confirmation, allowed)?;
    smoke::around(workspace, &caller, &flags.smoke, || {
        deploy(workspace, &caller, &package)
    })
}

/// Deploys the package unless it runs already, and verifies that it runs afterwards.
///
/// # Errors
/// The deployment fails, or something else runs afterwards.
fn deploy(workspace: &Workspace, caller: &AdminCaller<'_>, package: &Deployable<'_>) -> Result<()> {
    let environment = caller.environment;
    let release = package.release();
    let function = environment.function_name();
    let sha256 = &release.sha256;
    if release.compare(workspace, environment, &caller.session)? == Running::Release {
        console::note(&format!(
            "Already deployed: nothing to change ({function} with sha256 {sha256})"
        ));
        return Ok(());
    }
    package.deploy(workspace)?;
    release.require(workspace, environment, &caller.session)?;
    console::note(&format!("Deployed {function} with sha256 {sha256}"));
    Ok(())
}

/// A deployment, for `--dry-run`.
#[derive(Debug)]
struct Plan<'a> {
    caller: &'a AdminCaller<'a>,
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller } = self;
        let environment = caller.environment;
        let variables = &environment.variables;
        writeln!(f, "Would deploy (dry run: nothing was changed):")?;
        writeln!(
            f,
            "  stage           {}{}",
            environment.stage,
            if variables.protected {
                " (protected)"
            } else {
                ""
            }
        )?;
        writeln!(f, "  as              {}", caller.session.identity().arn)?;
        writeln!(f, "  into account    {}", variables.admin_account_id)?;
        writeln!(f, "  region          {}", variables.region)?;
        writeln!(f, "  stack           {}", environment.stack_name())?;
        writeln!(
            f,
            "  function        {} ({})",
            environment.function_name(),
            variables.function.architecture.as_str()
        )?;
        writeln!(f, "  running as      {}", environment.execution_role_arn())?;
        for (label, text) in plan::plan(environment.selection(), environment.partition()) {
            writeln!(f, "  {label:<15} {text}")?;
        }
        Ok(())
    }
}
