//! The Serverless Framework (osls): package, deploy, and what is asked of a deployed stage.
//!
//! It always runs inside `dist/STAGE`, which holds all it needs: a person can run `osls deploy` there as well.

use std::path::PathBuf;

use anyhow::{Context, Result};
use contract::{Region, Stage};

use crate::{
    artifact::Artifact,
    console::Step,
    environment::Environment,
    guard::AdminCaller,
    process::Program,
    rendering::{File, Rendered},
    tools,
    workspace::Workspace,
};

/// The one function of a stage, by its name in serverless.yml.
pub(crate) const FUNCTION: &str = "list_s3";

/// The Framework's folder for a package, inside `dist/STAGE`.
const PACKAGE_FOLDER: &str = ".serverless";

/// A stage as CloudFormation will get it: rendered, built, packaged and linted.
#[derive(Debug)]
pub(crate) struct Package {
    folder: PathBuf,
    stage: Stage,
    /// The function's archive.
    pub(crate) artifact: Artifact,
}

impl Package {
    /// Renders, builds, packages and lints a stage. Needs neither network nor credentials.
    ///
    /// # Errors
    /// The template, the build, the Framework or the linter says no.
    pub(crate) fn make(workspace: &Workspace, environment: &Environment) -> Result<Self> {
        let rendered = Rendered::of_stage(workspace, environment, File::Serverless)?;
        let artifact = Artifact::build(workspace, environment)?;
        rendered.write(workspace, environment)?;
        let folder = workspace.dist(&environment.stage);
        let step = Step::begin("Packaging");
        offline(framework(workspace, environment)?.args(["package", "--package", PACKAGE_FOLDER]))
            .run_quietly()
            .context("The Framework refused to package the stage")?;
        step.done("");
        let package = Self {
            folder,
            stage: environment.stage.clone(),
            artifact,
        };
        package.lint(workspace, &environment.variables.region)?;
        Ok(package)
    }

    /// The CloudFormation template that a deploy would use.
    pub(crate) fn cloudformation_template(&self) -> PathBuf {
        self.folder
            .join(PACKAGE_FOLDER)
            .join("cloudformation-template-update-stack.json")
    }

    fn lint(&self, workspace: &Workspace, region: &Region) -> Result<()> {
        let step = Step::begin("Linting the CloudFormation template");
        tools::cfn_lint(workspace)?
            .args(["--regions", region.as_str(), "--template"])
            .args([self.cloudformation_template()])
            .run_quietly()
            .context("cfn-lint found fault with the packaged CloudFormation template")?;
        step.done("no findings");
        Ok(())
    }

    /// Deploys the package. That the caller is in the Admin account is proven by `_caller`.
    ///
    /// # Errors
    /// The Framework's exit status.
    pub(crate) fn deploy(&self, workspace: &Workspace, _caller: &AdminCaller) -> Result<()> {
        as_the_caller(tools::osls(workspace)?, &self.stage)
            .in_folder(&self.folder)
            .args(["deploy", "--package", PACKAGE_FOLDER])
            .run()
    }
}

/// Invokes the deployed function; its answer is the result on standard output.
///
/// # Errors
/// The function failed, or is not there.
pub(crate) fn invoke(workspace: &Workspace, environment: &Environment, event: &str) -> Result<()> {
    framework(workspace, environment)?
        .args(["invoke", "--function", FUNCTION, "--data", event])
        .run_for_results()
}

/// Shows what is deployed.
///
/// # Errors
/// Nothing is deployed, or AWS cannot be asked.
pub(crate) fn info(workspace: &Workspace, environment: &Environment) -> Result<()> {
    framework(workspace, environment)?
        .args(["info"])
        .run_for_results()
}

/// Shows the function's logs; with `tail`, goes on until it is interrupted.
///
/// # Errors
/// Nothing is deployed, or AWS cannot be asked.
pub(crate) fn logs(
    workspace: &Workspace,
    environment: &Environment,
    tail: bool,
    since: Option<&str>,
) -> Result<()> {
    let mut program = framework(workspace, environment)?.args(["logs", "--function", FUNCTION]);
    if tail {
        program = program.args(["--tail"]);
    }
    if let Some(since) = since {
        program = program.args(["--startTime", since]);
    }
    program.run_for_results()
}

/// Removes what is deployed.
///
/// # Errors
/// The Framework's exit status.
pub(crate) fn remove(
    workspace: &Workspace,
    environment: &Environment,
    _caller: &AdminCaller,
) -> Result<()> {
    framework(workspace, environment)?.args(["remove"]).run()
}

/// The Framework in the stage's folder, whose `serverless.yml` is made fresh.
fn framework(workspace: &Workspace, environment: &Environment) -> Result<Program> {
    Rendered::of_stage(workspace, environment, File::Serverless)?.write(workspace, environment)?;
    let program = as_the_caller(tools::osls(workspace)?, &environment.stage);
    Ok(program.in_folder(workspace.dist(&environment.stage)))
}

/// Has the Framework take the credentials that the guard has asked STS about, and no others.
fn as_the_caller(program: Program, stage: &Stage) -> Program {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    other_credentials(stage, is_set)
        .into_iter()
        .fold(program, Program::without_env)
}

/// The variables that would give the Framework other credentials than the AWS SDKs take: it has some for a stage of its
/// own and for a default profile, and prefers a profile to keys in the environment, where the SDKs prefer the keys (osls
/// 4.3, `lib/aws/credentials.js`; AWS SDKs and tools reference guide, "Understand the credential provider chain").
fn other_credentials(stage: &Stage, is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let stage = stage.as_str().to_ascii_uppercase();
    let mut names: Vec<String> = [
        "PROFILE",
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "SESSION_TOKEN",
    ]
    .into_iter()
    .map(|name| format!("AWS_{stage}_{name}"))
    .collect();
    names.push("AWS_DEFAULT_PROFILE".to_owned());
    if is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY") {
        names.push("AWS_PROFILE".to_owned());
    }
    names
}

/// Nothing that is packaged may depend on who is asking: no credentials, and an endpoint that nobody answers.
fn offline(program: Program) -> Program {
    ["AWS_PROFILE", "AWS_SESSION_TOKEN"]
        .into_iter()
        .fold(program, Program::without_env)
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framework_gets_no_other_credentials_than_the_guard() {
        let stage: Stage = "my-prod".parse().unwrap();
        let with = other_credentials(&stage, |_| true);
        for name in [
            "AWS_MY-PROD_PROFILE",
            "AWS_MY-PROD_ACCESS_KEY_ID",
            "AWS_DEFAULT_PROFILE",
            "AWS_PROFILE",
        ] {
            assert!(with.contains(&name.to_owned()), "{name}");
        }
        // A profile is what the guard was asked with, unless there are whole keys beside it.
        for absent in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let without = other_credentials(&stage, |name| name != absent);
            assert!(!without.contains(&"AWS_PROFILE".to_owned()), "{absent}");
        }
    }
}
