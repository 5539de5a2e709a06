//! Asks AWS, through `crates/operator`: the SDK is compiled into that binary and not into this one, which starts fast.
//!
//! Here is what is asked about the caller, and what is changed; what is deployed is read in [`deployed`](crate::deployed).

use std::{ffi::OsString, path::Path};

use anyhow::{Context, Result};
use contract::{AccountId, Partition, Region};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{process::Program, workspace::Workspace};

/// The operator, asking in one region: with the credentials of whoever runs this, or with those that
/// [`with_environment`](Self::with_environment) gives.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    program: Program,
    region: Region,
}

impl Operator {
    /// The operator in `region`.
    pub(crate) fn new(workspace: &Workspace, region: &Region) -> Self {
        Self {
            program: operator(workspace).quiet(),
            region: region.clone(),
        }
    }

    /// With these environment variables; those without a value are taken away.
    pub(crate) fn with_environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Self {
        self.program = self.program.envs(variables);
        self
    }

    /// A subcommand of it, in the region.
    fn command(&self, name: &str) -> Program {
        self.program
            .clone()
            .args([name, "--region", self.region.as_str()])
    }

    /// Asks STS who the caller is.
    ///
    /// # Errors
    /// There are no credentials, or STS does not answer or refuses them.
    pub(crate) fn whoami(&self) -> Result<Identity> {
        answer(&self.command("whoami")).with_context(|| {
            format!(
                "Failed to find out who you are: STS was asked in {}",
                self.region
            )
        })
    }

    /// Creates or updates the CloudFormation stack `name` from `template`; what it tells on the way is shown only if it
    /// fails.
    ///
    /// # Errors
    /// CloudFormation refuses, or the stack fails.
    pub(crate) fn apply(&self, name: &str, template: &Path) -> Result<()> {
        self.command("apply")
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
            .command("apply")
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
        self.command("apply")
            .args(["--execute", arn])
            .capture()
            .context("Failed to change the stack")?;
        Ok(())
    }

    /// Leaves what was planned undone, and tidies up.
    ///
    /// # Errors
    /// CloudFormation cannot be asked.
    pub(crate) fn discard(&self, plan: &ChangeSet) -> Result<()> {
        let arn = plan.0.as_str();
        self.command("apply")
            .args(["--discard", arn])
            .capture()
            .context("Failed to delete the change set")?;
        Ok(())
    }
}

/// Who the caller is, as STS says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Identity {
    /// The account that the credentials belong to.
    pub(crate) account: AccountId,
    /// The user or role behind them.
    pub(crate) arn: String,
}

/// What would change in a stack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Planned {
    /// What to execute or discard; `None` where nothing would change.
    pub(crate) change_set: Option<ChangeSet>,
}

/// The ARN of a change set that waits for a decision.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ChangeSet(String);

/// The operator, built when it is stale.
pub(crate) fn operator(workspace: &Workspace) -> Program {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Program::new(cargo)
        .called("cargo")
        .args(["run", "--quiet", "--locked", "--package", "operator", "--"])
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_folder(workspace.root())
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
