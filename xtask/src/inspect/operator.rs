//! Asks AWS, through `crates/operator`: the SDK is compiled into that binary and not into this one, which starts fast.
//!
//! Here is how it is started, and what it changes; who the caller is, [`session`](crate::session) has, and what is deployed
//! is read in [`deployed`](crate::deployed).

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use contract::{Partition, Region, RoleName};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    inspect::session::Session,
    sys::{process::Program, workspace::Workspace},
};

/// The operator, asking in one region.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    program: Program,
    region: &'a Region,
    /// Whose keys it gets; without one, it has what its environment gives.
    session: Option<&'a Session>,
}

impl<'a> Operator<'a> {
    /// The operator as the caller of `session`.
    ///
    /// # Errors
    /// It does not build.
    pub(crate) fn of_caller(workspace: &Workspace, session: &'a Session) -> Result<Self> {
        Ok(Self {
            program: operator(workspace)?,
            region: session.region(),
            session: Some(session),
        })
    }

    /// The operator in `region` with these environment variables; those without a value are taken away.
    ///
    /// # Errors
    /// It does not build.
    pub(crate) fn with_environment<N: Into<OsString>, V: Into<OsString>>(
        workspace: &Workspace,
        region: &'a Region,
        variables: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<Self> {
        Ok(Self {
            program: operator(workspace)?.envs(variables),
            region,
            session: None,
        })
    }

    /// A subcommand of it, in the region.
    fn command(&self, name: &str) -> Result<Program> {
        let program = self
            .program
            .clone()
            .args([name, "--region", self.region.as_str()]);
        match self.session {
            Some(session) => session.give_to(program),
            None => Ok(program),
        }
    }

    /// Creates or updates the CloudFormation stack `name` from `template`; what it tells on the way is shown only if it
    /// fails.
    ///
    /// # Errors
    /// CloudFormation refuses, or the stack fails.
    pub(crate) fn apply(&self, name: &str, template: &Path) -> Result<()> {
        self.command("apply")?
            .args(["--stack", name, "--template"])
            .args([template])
            .run_quietly()
            .with_context(|| format!("Failed to deploy the stack `{name}`"))
    }

    /// Finds out what [`apply`](Self::apply) would change; the changes are told on standard error.
    ///
    /// # Errors
    /// CloudFormation refuses, or the stack is in a state that it cannot be changed from.
    pub(crate) fn plan(&self, name: &str, template: &Path) -> Result<Planned> {
        let command = self
            .command("apply")?
            .args(["--plan", "--stack", name, "--template"])
            .args([template]);
        answer(&command)
            .with_context(|| format!("Failed to find out what would change in the stack `{name}`"))
    }

    /// Does what was planned.
    ///
    /// # Errors
    /// The stack has changed since, or fails.
    pub(crate) fn execute(&self, plan: &ChangeSet) -> Result<()> {
        let arn = plan.0.as_str();
        self.command("apply")?
            .args(["--execute", arn])
            .capture()
            .context("Failed to change the stack")?;
        Ok(())
    }

    /// The command that deletes what was planned, and the stack if it was made for it.
    ///
    /// # Errors
    /// As for [`Session::give_to`].
    pub(crate) fn discard(&self, plan: &ChangeSet) -> Result<Program> {
        Ok(self.command("apply")?.args(["--discard", plan.0.as_str()]))
    }
}

/// What would change in a stack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
    /// What to execute or discard; `None` where nothing would change.
    pub(crate) change_set: Option<ChangeSet>,
    /// The resources that would change.
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    action: String,
    r#type: String,
    physical_id: Option<String>,
    replacement: Option<String>,
}

impl Planned {
    /// Whether a role would be created that is to have this name: as a new one, or in place of one with another name.
    pub(crate) fn creates_role(&self, name: &RoleName) -> bool {
        self.changes.iter().any(|change| {
            let is_new = change.action == "Add"
                || (change.replacement.as_deref() == Some("True")
                    && change.physical_id.as_deref() != Some(name.name()));
            is_new && change.r#type == "AWS::IAM::Role"
        })
    }
}

/// The ARN of a change set that waits for a decision.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ChangeSet(String);

/// Asks STS in `region` who the caller is, and gets the caller's keys.
///
/// # Errors
/// The operator does not build, there are no credentials, or STS does not answer or rejects them.
pub(crate) fn open_session(workspace: &Workspace, region: &Region) -> Result<Session> {
    let resolve = operator(workspace)?.args(["credentials", "--region", region.as_str()]);
    Session::open(resolve, region)
}

/// The operator, built if it is out of date. Cargo gets no AWS settings; the operator gets them all, and runs in the
/// current directory, which relative paths in them start from.
///
/// # Errors
/// It does not build.
pub(crate) fn operator(workspace: &Workspace) -> Result<Program> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let messages = Program::new(cargo)
        .called("cargo")
        .args(["build", "--quiet", "--locked", "--package", "operator"])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_folder(workspace.root())
        .quiet()
        .capture()?;
    let Some(executable) = messages.lines().find_map(executable) else {
        bail!("Cargo does not say where the operator is that it has built");
    };
    Ok(Program::new(executable)
        .called("cargo run --quiet --package operator --")
        .with_aws_settings()
        .quiet())
}

/// Where a message of cargo says that the operator is.
fn executable(message: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    message
        .executable
        .filter(|_| message.target.name == "operator")
}

/// Runs the operator for its JSON.
fn answer<T: DeserializeOwned>(command: &Program) -> Result<T> {
    let text = command.capture()?;
    serde_json::from_str(&text)
        .with_context(|| format!("The operator answered something else: `{text}`"))
}

/// The partition that an ARN names.
pub(crate) fn partition_of(arn: &str) -> Option<Partition> {
    arn.split(':').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_created_as_a_new_one_or_in_the_place_of_another() {
        let role = |change: &str| format!(r#"{{"type":"AWS::IAM::Role","resource":"R",{change}}}"#);
        let creates = |change: &str| {
            let planned: Planned =
                serde_json::from_str(&format!(r#"{{"changeSet":"arn","changes":[{change}]}}"#))
                    .unwrap();
            planned.creates_role(&"team/Reads".parse().unwrap())
        };
        for (change, expected) in [
            (r#""action":"Add""#, true),
            (
                r#""action":"Modify","physicalId":"Reads","replacement":"False""#,
                false,
            ),
            // Its path changes.
            (
                r#""action":"Modify","physicalId":"Reads","replacement":"True""#,
                false,
            ),
            // Its name does.
            (
                r#""action":"Modify","physicalId":"Other","replacement":"True""#,
                true,
            ),
            (r#""action":"Remove","physicalId":"Reads""#, false),
        ] {
            assert_eq!(creates(&role(change)), expected, "{change}");
        }
        let policy = r#"{"type":"AWS::IAM::ManagedPolicy","resource":"P","action":"Add"}"#;
        assert!(!creates(policy));
    }

    #[test]
    fn cargo_says_where_the_operator_is() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["bin"],"name":"{name}"}},"executable":{executable}}}"#
            )
        };
        let found = |name, executable| super::executable(&artifact(name, executable));
        assert_eq!(
            found("operator", r#""/t/debug/operator""#),
            Some("/t/debug/operator".into())
        );
        assert_eq!(found("operator", "null"), None);
        assert_eq!(found("other", r#""/t/debug/other""#), None);
        assert_eq!(
            executable(r#"{"reason":"build-finished","success":true}"#),
            None
        );
    }
}
