//! Runs the Serverless Framework (osls): package, deploy, roll back, remove, and commands that read a deployed stage.
//!
//! It runs in `dist/STAGE`, which contains everything it needs; `osls deploy` can be run there by hand, too.

mod packaged;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use contract::{Region, Stage};
use hmac_sha256::Hash;

use crate::{
    build::{self, Artifact},
    deploy::guard::AdminCaller,
    diff::release::Release,
    inspect::session::Session,
    render::{File, Rendered},
    sys::{console::Step, files, process::Program, stage_lock::StageLock, workspace::Workspace},
    tools,
};
use environment::Environment;

/// The name of a stage's function in serverless.yml.
pub(crate) const FUNCTION: &str = "list_s3";

/// The function's archive, inside `dist/STAGE`.
const ARCHIVE: &str = "handler.zip";

/// The directory of a package, inside `dist/STAGE`.
const PACKAGE_DIRECTORY: &str = ".serverless";

/// A rendered, built, packaged and linted stage.
#[derive(Debug)]
pub(crate) struct Package {
    directory: PathBuf,
    stage: Stage,
    region: Region,
    /// The version of the stage that it contains.
    pub(crate) release: Release,
    /// The SHA-256 of each file that the Serverless Framework deploys from, by name.
    files: BTreeMap<String, String>,
    /// Keeps other commands from writing the files before they are deployed.
    _lock: StageLock,
}

impl Package {
    /// Renders, builds, packages and lints a stage. Needs neither network nor credentials.
    ///
    /// # Errors
    /// The template is invalid, or the build, the Serverless Framework or the linter fails.
    pub(crate) fn make(workspace: &Workspace, environment: &Environment) -> Result<Self> {
        let rendered = Rendered::of_stage(workspace, environment, File::Serverless)?;
        // Before the build, which takes minutes.
        tools::ensure_for_packages(workspace)?;
        let lock = StageLock::take(workspace, &environment.stage)?;
        let artifact = Artifact::build(workspace, environment)?;
        rendered.write(workspace, environment)?;
        let directory = workspace.dist(&environment.stage);
        let step = Step::begin("Packaging");
        offline(tools::osls(workspace)?)
            .in_directory(&directory)
            .args(["package", "--package", PACKAGE_DIRECTORY])
            .run_quietly()
            .context("The Serverless Framework failed to package the stage")?;
        step.done("");
        let files = files_of(&directory)?;
        ensure!(
            files.get(ARCHIVE) == Some(&artifact.sha256),
            "`{}` differs from what was built; another program has written it",
            workspace.shown(&artifact.path)
        );
        let template = files::read(&template_path(&directory))?;
        let template =
            serde_json::from_slice(&template).context("The packaged template is not JSON")?;
        packaged::check(&template, rendered.text(), environment)?;
        let package = Self {
            directory,
            stage: environment.stage.clone(),
            region: environment.variables.region.clone(),
            release: Release {
                template,
                sha256: artifact.sha256,
            },
            files,
            _lock: lock,
        };
        package.lint(workspace)?;
        Ok(package)
    }

    /// The CloudFormation template that a deployment would use.
    pub(crate) fn cloudformation_template(&self) -> PathBuf {
        template_path(&self.directory)
    }

    fn lint(&self, workspace: &Workspace) -> Result<()> {
        let step = Step::begin("Linting the CloudFormation template");
        // The bare name: cfn-lint reads a path as a pattern (1.58, `_glob_filenames`).
        let template = self.cloudformation_template();
        tools::cfn_lint(workspace)?
            .args(["--regions", self.region.as_str(), "--template"])
            .args(template.file_name())
            .in_directory(self.directory.join(PACKAGE_DIRECTORY))
            .run_quietly()
            .context("cfn-lint rejected the packaged CloudFormation template")?;
        step.done("no findings");
        Ok(())
    }
}

/// A package with the caller that was checked for its stage: no other caller can deploy it.
#[derive(Debug)]
pub(crate) struct Deployable<'a> {
    package: Package,
    caller: &'a AdminCaller<'a>,
}

impl<'a> Deployable<'a> {
    /// Packages the stage that `caller` was checked for.
    ///
    /// # Errors
    /// As for [`Package::make`].
    pub(crate) fn make(workspace: &Workspace, caller: &'a AdminCaller<'a>) -> Result<Self> {
        Ok(Self {
            package: Package::make(workspace, caller.environment)?,
            caller,
        })
    }

    /// The version of the stage that the package contains.
    pub(crate) fn release(&self) -> &Release {
        &self.package.release
    }

    /// Deploys the package, even if the newest deployment in the Serverless Framework's bucket is identical: it may not be the
    /// one that runs (osls 4.3, `check-for-changes.js`).
    ///
    /// # Errors
    /// A file has changed since it was packaged, or the Serverless Framework fails.
    pub(crate) fn deploy(&self, workspace: &Workspace) -> Result<()> {
        let Package {
            directory,
            stage,
            files,
            ..
        } = &self.package;
        require_same(files, &files_of(directory)?, stage)?;
        as_the_caller(tools::osls(workspace)?, &self.caller.session)?
            .in_directory(directory)
            .args(["deploy", "--force", "--package", PACKAGE_DIRECTORY])
            .run()
    }
}

/// Hashes the files in `dist/STAGE` that the Serverless Framework deploys from.
fn files_of(directory: &Path) -> Result<BTreeMap<String, String>> {
    let packaged = files::names_in(&directory.join(PACKAGE_DIRECTORY))?;
    let packaged = packaged
        .into_iter()
        .map(|name| format!("{PACKAGE_DIRECTORY}/{name}"))
        // A plugin's directory; only files are deployed.
        .filter(|name| !directory.join(name).is_dir());
    [ARCHIVE.to_owned(), File::Serverless.path()]
        .into_iter()
        .chain(packaged)
        .map(|name| {
            let bytes = files::read(&directory.join(&name))?;
            Ok((name, build::hexadecimal(&Hash::hash(&bytes))))
        })
        .collect()
}

/// Requires that the files are the ones that were shown and confirmed.
fn require_same(
    made: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    stage: &Stage,
) -> Result<()> {
    for name in made.keys().chain(found.keys()) {
        ensure!(
            made.get(name) == found.get(name),
            "`{name}` in dist/{stage} has changed since it was packaged; nothing was changed\n\
             hint: run `cargo xtask deploy --env {stage}` again"
        );
    }
    Ok(())
}

/// The CloudFormation template of a package in `dist/STAGE`.
fn template_path(directory: &Path) -> PathBuf {
    directory
        .join(PACKAGE_DIRECTORY)
        .join("cloudformation-template-update-stack.json")
}

/// A deployment in the Serverless Framework's bucket, which keeps the last five by default (osls 4.3,
/// `cleanup-s3-bucket.js`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// Its time in milliseconds since 1970, which identifies it.
    pub(crate) timestamp: u64,
    /// Its date, as `osls deploy list` prints it: `2026-11-22 18:00:05 UTC`.
    pub(crate) date: String,
}

impl Deployment {
    /// Its directory in the bucket: `1795370405000-2026-11-22T18:00:05.000Z` (osls 4.3, `rollback.js`).
    pub(crate) fn directory(&self) -> String {
        let time = self.date.trim_end_matches(" UTC").replace(' ', "T");
        format!("{0}-{time}.{1:03}Z", self.timestamp, self.timestamp % 1_000)
    }
}

/// The Serverless Framework in a stage's locked directory, with the caller that was checked for the stage.
#[derive(Debug)]
pub(crate) struct Framework<'a> {
    workspace: &'a Workspace,
    caller: &'a AdminCaller<'a>,
    _lock: StageLock,
}

impl<'a> Framework<'a> {
    /// Takes the lock of the stage that `caller` was checked for.
    ///
    /// # Errors
    /// The lock file cannot be written.
    pub(crate) fn lock(workspace: &'a Workspace, caller: &'a AdminCaller<'a>) -> Result<Self> {
        Ok(Self {
            workspace,
            caller,
            _lock: StageLock::take(workspace, &caller.environment.stage)?,
        })
    }

    /// Lists the deployments in the bucket, oldest first.
    ///
    /// # Errors
    /// Nothing is deployed, or the deployment bucket cannot be read.
    pub(crate) fn deployments(&self) -> Result<Vec<Deployment>> {
        let listed = self.program()?.args(["deploy", "list"]).capture();
        let listed = listed.with_context(|| {
            format!(
                "Failed to list the deployments of stage `{}`",
                self.caller.environment.stage
            )
        })?;
        Ok(read_deployments(&listed))
    }

    /// Rolls back to `deployment`.
    ///
    /// # Errors
    /// The Serverless Framework fails.
    pub(crate) fn roll_back(&self, deployment: &Deployment) -> Result<()> {
        self.program()?
            .args(["rollback", "--timestamp", &deployment.timestamp.to_string()])
            .run()
    }

    /// Deletes the stage's stack.
    ///
    /// # Errors
    /// The Serverless Framework fails.
    pub(crate) fn remove(&self) -> Result<()> {
        self.program()?.args(["remove"]).run()
    }

    fn program(&self) -> Result<Program> {
        let environment = self.caller.environment;
        Rendered::of_stage(self.workspace, environment, File::Serverless)?
            .write(self.workspace, environment)?;
        in_stage(self.workspace, self.caller)
    }
}

/// Parses the output of `osls deploy list`: for each deployment a line with its date, one with its time, and one per file.
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

/// Invokes the deployed function and prints its response to standard output.
///
/// # Errors
/// The function fails or does not exist.
pub(crate) fn invoke(workspace: &Workspace, caller: &AdminCaller<'_>, event: &str) -> Result<()> {
    reading(workspace, caller)?
        .args(["invoke", "--function", FUNCTION, "--data", event])
        .run_for_results()
}

/// Shows what is deployed.
///
/// # Errors
/// Nothing is deployed, or AWS cannot be reached.
pub(crate) fn info(workspace: &Workspace, caller: &AdminCaller<'_>) -> Result<()> {
    reading(workspace, caller)?.args(["info"]).run_for_results()
}

/// Shows the function's logs; with `tail`, continues until it is interrupted.
///
/// # Errors
/// Nothing is deployed, or AWS cannot be reached.
pub(crate) fn logs(
    workspace: &Workspace,
    caller: &AdminCaller<'_>,
    tail: bool,
    since: Option<&str>,
) -> Result<()> {
    let mut program = reading(workspace, caller)?.args(["logs", "--function", FUNCTION]);
    if tail {
        program = program.args(["--tail"]);
    }
    if let Some(since) = since {
        program = program.args(["--startTime", since]);
    }
    program.run_for_results()
}

/// The Serverless Framework for a command that changes nothing. If `serverless.yml` is out of date, waits for the lock and writes it.
fn reading(workspace: &Workspace, caller: &AdminCaller<'_>) -> Result<Program> {
    let environment = caller.environment;
    let rendered = Rendered::of_stage(workspace, environment, File::Serverless)?;
    let path = rendered.path(workspace, environment);
    if files::read_if_there(&path)?.as_deref() != Some(rendered.text().as_bytes()) {
        let _lock = StageLock::take(workspace, &environment.stage)?;
        rendered.write(workspace, environment)?;
    }
    in_stage(workspace, caller)
}

fn in_stage(workspace: &Workspace, caller: &AdminCaller<'_>) -> Result<Program> {
    let program = as_the_caller(tools::osls(workspace)?, &caller.session)?;
    Ok(program.in_directory(workspace.dist(&caller.environment.stage)))
}

/// Passes the verified keys to the Serverless Framework, and no other source of credentials: it searches profiles and variables
/// in its own order (osls 4.3, `lib/aws/credentials.js`). Of the caller's other settings, it gets the endpoints.
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

/// Removes credentials and sets an endpoint where nothing listens, so that a package cannot depend on the caller.
fn offline(program: Program) -> Program {
    no_credentials(program).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
}

/// Keeps the Serverless Framework from reading the home directory and the machine's metadata service.
fn no_credentials(program: Program) -> Program {
    program
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

/// Returns whether a setting selects an endpoint, which must be the same for the guard and the Serverless Framework (AWS SDKs and
/// tools reference guide, "Service-specific endpoints", "Dual-stack and FIPS endpoints").
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
            deployments[1].directory(),
            "1795370405000-2026-11-22T18:00:05.000Z"
        );
        assert_eq!(read_deployments("No deployments found"), []);
    }

    #[test]
    fn a_package_that_was_changed_is_not_deployed() {
        let directory = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| files::write(&directory.path().join(name), text.as_bytes());
        for name in ["handler.zip", "serverless.yml", ".serverless/a.json"] {
            write(name, "packaged").unwrap();
        }
        let stage: Stage = "dev".parse().unwrap();
        let made = files_of(directory.path()).unwrap();
        assert_eq!(made.len(), 3);
        require_same(&made, &files_of(directory.path()).unwrap(), &stage).unwrap();
        for name in [
            "handler.zip",
            "serverless.yml",
            ".serverless/a.json",
            ".serverless/b.json",
        ] {
            write(name, "changed").unwrap();
            let error =
                require_same(&made, &files_of(directory.path()).unwrap(), &stage).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{name}` in dist/dev")),
                "{error}"
            );
            if made.contains_key(name) {
                write(name, "packaged").unwrap();
            } else {
                files::remove(&directory.path().join(name)).unwrap();
            }
        }
    }
}
