//! Asks AWS, through `crates/operator`: the SDK is compiled into that binary and not into this one, which starts fast.

use std::path::Path;

use anyhow::{Context, Result};
use contract::{AccountId, Partition, Region};
use serde::Deserialize;

use crate::{process::Program, workspace::Workspace};

/// Who the caller is, as STS says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Identity {
    /// The account that the credentials belong to.
    pub(crate) account: AccountId,
    /// The user or role behind them.
    pub(crate) arn: String,
}

/// Asks STS in `region` who the caller is.
///
/// # Errors
/// There are no credentials, or STS does not answer or refuses them.
pub(crate) fn whoami(workspace: &Workspace, region: &Region) -> Result<Identity> {
    let answer = operator(workspace)
        .args(["whoami", "--region", region.as_str()])
        .quiet()
        .capture();
    let answer = answer.context("Failed to find out who you are")?;
    serde_json::from_str(&answer)
        .with_context(|| format!("The operator answered something else: `{answer}`"))
}

/// Creates or updates the CloudFormation stack `name` from `template`.
///
/// # Errors
/// CloudFormation refuses, or the stack fails.
pub(crate) fn apply(program: Program, region: &Region, name: &str, template: &Path) -> Result<()> {
    program
        .args([
            "apply",
            "--region",
            region.as_str(),
            "--stack",
            name,
            "--template",
        ])
        .args([template])
        .run_quietly()
        .with_context(|| format!("Failed to deploy the stack `{name}`"))
}

/// The operator, built when it is stale.
pub(crate) fn operator(workspace: &Workspace) -> Program {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Program::new(cargo)
        .called("cargo")
        .args(["run", "--quiet", "--locked", "--package", "operator", "--"])
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_folder(workspace.root())
}

/// The partition that an ARN names.
pub(crate) fn partition_of(arn: &str) -> Option<Partition> {
    arn.split(':').nth(1)?.parse().ok()
}
