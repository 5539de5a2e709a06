//! The Serverless Framework (osls): package, deploy, and what is asked of a deployed stage.
//!
//! It always runs inside `dist/STAGE`, which holds all it needs: a person can run `osls deploy` there as well.

mod packaged;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use contract::Region;

use crate::{
    build::Artifact,
    deploy::{guard::AdminCaller, release::Release},
    environment::Environment,
    inspect::session::Session,
    render::{File, Rendered},
    sys::{console::Step, files, process::Program, workspace::Workspace},
    tools,
};

/// The one function of a stage, by its name in serverless.yml.
pub(crate) const FUNCTION: &str = "list_s3";

/// The Framework's folder for a package, inside `dist/STAGE`.
const PACKAGE_FOLDER: &str = ".serverless";

/// A stage as CloudFormation will get it: rendered, built, packaged and linted.
#[derive(Debug)]
pub(crate) struct Package {
    folder: PathBuf,
    region: Region,
    /// What it would make run.
    pub(crate) release: Release,
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
        offline(tools::osls(workspace)?)
            .in_folder(&folder)
            .args(["package", "--package", PACKAGE_FOLDER])
            .run_quietly()
            .context("The Framework refused to package the stage")?;
        step.done("");
        let template = files::read(&template_path(&folder))?;
        let template =
            serde_json::from_slice(&template).context("The packaged template is not JSON")?;
        packaged::check(&template, rendered.text(), environment)?;
        let package = Self {
            folder,
            region: environment.variables.region.clone(),
            release: Release {
                template,
                sha256: artifact.sha256,
            },
        };
        package.lint(workspace)?;
        Ok(package)
    }

    /// The CloudFormation template that a deploy would use.
    pub(crate) fn cloudformation_template(&self) -> PathBuf {
        template_path(&self.folder)
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

    /// Deploys the package, whatever the Framework's bucket holds: the newest deployment there need not be the one that
    /// runs (osls 4.3, `check-for-changes.js`).
    ///
    /// # Errors
    /// The Framework's exit status.
    pub(crate) fn deploy(&self, workspace: &Workspace, caller: &AdminCaller) -> Result<()> {
        as_the_caller(tools::osls(workspace)?, &caller.session)?
            .in_folder(&self.folder)
            .args(["deploy", "--force", "--package", PACKAGE_FOLDER])
            .run()
    }
}

/// The CloudFormation template of a package in `dist/STAGE`.
fn template_path(folder: &Path) -> PathBuf {
    folder
        .join(PACKAGE_FOLDER)
        .join("cloudformation-template-update-stack.json")
}

/// A deployment that the Framework keeps in its bucket: by default the last five (osls 4.3, `cleanup-s3-bucket.js`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// When it was made, in milliseconds since 1970: the Framework's name for it.
    pub(crate) timestamp: u64,
    /// The same for a person, as the Framework tells it.
    pub(crate) date: String,
}

impl Deployment {
    /// Its folder in the bucket: `1795370405000-2026-11-22T18:00:05.000Z` (osls 4.3, `rollback.js`).
    pub(crate) fn folder(&self) -> String {
        let time = self.date.trim_end_matches(" UTC").replace(' ', "T");
        format!("{0}-{time}.{1:03}Z", self.timestamp, self.timestamp % 1_000)
    }
}

/// The deployments that there are to go back to, from the oldest.
///
/// # Errors
/// Nothing is deployed, or the deployment bucket cannot be read.
pub(crate) fn deployments(
    workspace: &Workspace,
    environment: &Environment,
    caller: &AdminCaller,
) -> Result<Vec<Deployment>> {
    let listed = framework(workspace, environment, caller)?
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
    caller: &AdminCaller,
    deployment: &Deployment,
) -> Result<()> {
    framework(workspace, environment, caller)?
        .args(["rollback", "--timestamp", &deployment.timestamp.to_string()])
        .run()
}

/// Invokes the deployed function; its answer is the result on standard output.
///
/// # Errors
/// The function failed, or is not there.
pub(crate) fn invoke(
    workspace: &Workspace,
    environment: &Environment,
    caller: &AdminCaller,
    event: &str,
) -> Result<()> {
    framework(workspace, environment, caller)?
        .args(["invoke", "--function", FUNCTION, "--data", event])
        .run_for_results()
}

/// Shows what is deployed.
///
/// # Errors
/// Nothing is deployed, or AWS cannot be asked.
pub(crate) fn info(
    workspace: &Workspace,
    environment: &Environment,
    caller: &AdminCaller,
) -> Result<()> {
    framework(workspace, environment, caller)?
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
    caller: &AdminCaller,
    tail: bool,
    since: Option<&str>,
) -> Result<()> {
    let mut program =
        framework(workspace, environment, caller)?.args(["logs", "--function", FUNCTION]);
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
    caller: &AdminCaller,
) -> Result<()> {
    framework(workspace, environment, caller)?
        .args(["remove"])
        .run()
}

/// The Framework in the stage's folder, whose `serverless.yml` is made fresh, as the caller.
fn framework(
    workspace: &Workspace,
    environment: &Environment,
    caller: &AdminCaller,
) -> Result<Program> {
    Rendered::of_stage(workspace, environment, File::Serverless)?.write(workspace, environment)?;
    let program = as_the_caller(tools::osls(workspace)?, &caller.session)?;
    Ok(program.in_folder(workspace.dist(&environment.stage)))
}

/// Gives the Framework the keys that STS was asked about, and no other way to get any: it has profiles and variables of
/// its own, in an order of its own (osls 4.3, `lib/aws/credentials.js`). Of the caller's other settings it gets those that
/// say where AWS is.
fn as_the_caller(program: Program, session: &Session) -> Result<Program> {
    let region = session.region().as_str();
    let program = no_credentials(program)
        .envs([
            ("AWS_REGION", Some(region)),
            ("AWS_DEFAULT_REGION", Some(region)),
        ])
        .envs(
            session
                .endpoint_url()
                .map(|url| ("AWS_ENDPOINT_URL", Some(url))),
        )
        .envs(
            std::env::vars_os()
                .filter(|(name, _)| names_an_endpoint(name))
                .map(|(name, value)| (name, Some(value))),
        );
    session.give_to(program)
}

/// Nothing that is packaged may depend on who is asking: no credentials, and an endpoint that nobody answers.
fn offline(program: Program) -> Program {
    no_credentials(program).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
}

/// Without these, the Framework would look into the home directory and ask the machine's metadata service.
fn no_credentials(program: Program) -> Program {
    program
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

/// Whether a setting says where AWS is, for the guard and the Framework to ask the same one (AWS SDKs and tools reference
/// guide, "Service-specific endpoints", "Dual-stack and FIPS endpoints").
fn names_an_endpoint(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("AWS_ENDPOINT_URL")
        || [
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_USE_DUALSTACK_ENDPOINT",
            "AWS_USE_FIPS_ENDPOINT",
        ]
        .contains(&name.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            deployments[1].folder(),
            "1795370405000-2026-11-22T18:00:05.000Z"
        );
        assert_eq!(read_deployments("No deployments found"), []);
    }
}
