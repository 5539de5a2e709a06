//! The Serverless Framework (osls): package, deploy, and what is asked of a deployed stage.
//!
//! It always runs inside `dist/STAGE`, which holds all it needs: a person can run `osls deploy` there as well.

mod packaged;

use std::path::PathBuf;

use anyhow::{Context, Result};
use contract::{Region, Stage};
use serde_json::Value;

use crate::{
    artifact::Artifact,
    console::Step,
    environment::Environment,
    files,
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
    region: Region,
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
        // Before the build, which takes minutes: what they need may be missing.
        tools::ensure_for_packages(workspace)?;
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
            region: environment.variables.region.clone(),
            artifact,
        };
        packaged::check(&package.template()?, environment)?;
        package.lint(workspace)?;
        Ok(package)
    }

    /// What the CloudFormation template that a deploy would use says.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn template(&self) -> Result<Value> {
        let text = files::read(&self.cloudformation_template())?;
        serde_json::from_slice(&text).context("The packaged template is not JSON")
    }

    /// The CloudFormation template that a deploy would use.
    pub(crate) fn cloudformation_template(&self) -> PathBuf {
        self.folder
            .join(PACKAGE_FOLDER)
            .join("cloudformation-template-update-stack.json")
    }

    fn lint(&self, workspace: &Workspace) -> Result<()> {
        let step = Step::begin("Linting the CloudFormation template");
        // By its name alone: cfn-lint takes a path for a pattern (1.58, `_glob_filenames`).
        let template = self.cloudformation_template();
        tools::cfn_lint(workspace)?
            .args(["--regions", self.region.as_str(), "--template"])
            .args(template.file_name())
            .in_folder(self.folder.join(PACKAGE_FOLDER))
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
        as_the_caller(tools::osls(workspace)?, &self.stage, &self.region)
            .in_folder(&self.folder)
            .args(["deploy", "--package", PACKAGE_FOLDER])
            .run()
    }
}

/// A deployment that the Framework keeps in its bucket: by default the last five (osls 4.3, `cleanup-s3-bucket.js`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// When it was made, in milliseconds since 1970: the Framework's name for it.
    pub(crate) timestamp: u64,
    /// The same for a person, as the Framework tells it.
    pub(crate) date: String,
}

/// The deployments that there are to go back to, from the oldest.
///
/// # Errors
/// Nothing is deployed, or the deployment bucket cannot be read.
pub(crate) fn deployments(
    workspace: &Workspace,
    environment: &Environment,
    _caller: &AdminCaller,
) -> Result<Vec<Deployment>> {
    let listed = framework(workspace, environment)?
        .args(["deploy", "list"])
        .capture()
        .with_context(|| {
            format!(
                "Failed to list the deployments of stage `{}`",
                environment.stage
            )
        })?;
    Ok(read_deployments(&listed))
}

/// Of each deployment the Framework writes a line with its date, one with its time, and one for each file.
fn read_deployments(listed: &str) -> Vec<Deployment> {
    let mut deployments = Vec::new();
    let mut line_before = "";
    for line in listed.lines() {
        let timestamp = line.trim().strip_prefix("Timestamp: ");
        if let Some(timestamp) = timestamp.and_then(|text| text.parse().ok()) {
            deployments.push(Deployment {
                timestamp,
                date: line_before.trim().to_owned(),
            });
        }
        line_before = line;
    }
    deployments.sort_by_key(|deployment| deployment.timestamp);
    deployments
}

/// Returns to `deployment`.
///
/// # Errors
/// The Framework's exit status.
pub(crate) fn roll_back(
    workspace: &Workspace,
    environment: &Environment,
    _caller: &AdminCaller,
    deployment: &Deployment,
) -> Result<()> {
    framework(workspace, environment)?
        .args(["rollback", "--timestamp", &deployment.timestamp.to_string()])
        .run()
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
    let region = &environment.variables.region;
    let program = as_the_caller(tools::osls(workspace)?, &environment.stage, region);
    Ok(program.in_folder(workspace.dist(&environment.stage)))
}

/// Has the Framework take the credentials that the guard has asked STS about, and no others, in the stage's region.
fn as_the_caller(program: Program, stage: &Stage, region: &Region) -> Program {
    let program = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .fold(program, |program, name| program.env(name, region.as_str()));
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

    #[test]
    fn the_list_of_deployments() {
        let listed = "2026-11-22 18:00:05 UTC\nTimestamp: 1795370405000\nFiles:\n  - compiled-cloudformation-template.json\n  \
                      - handler.zip\n2026-11-22 17:00:00 UTC\nTimestamp: 1795366800000\nFiles:\n";
        let deployments = read_deployments(listed);
        assert_eq!(
            deployments,
            [
                Deployment {
                    timestamp: 1_795_366_800_000,
                    date: "2026-11-22 17:00:00 UTC".to_owned(),
                },
                Deployment {
                    timestamp: 1_795_370_405_000,
                    date: "2026-11-22 18:00:05 UTC".to_owned(),
                },
            ]
        );
        assert_eq!(read_deployments("No deployments found"), []);
    }
}
