//! Subcommand: package a stage as CloudFormation.

use anyhow::Result;

use crate::{
    cli,
    deploy::serverless::Package,
    sys::{console, workspace::Workspace},
};

/// Prints the path of the CloudFormation template.
pub(crate) fn run(workspace: &Workspace, flags: &cli::OneStage) -> Result<()> {
    let environment = super::load(workspace, flags)?;
    let package = Package::make(workspace, &environment)?;
    console::result(&format!(
        "{}\n",
        workspace.shown(&package.cloudformation_template())
    ))?;
    Ok(())
}
