//! Subcommand: render a stage's serverless.yml.

use anyhow::Result;

use crate::{
    cli,
    render::{File, output},
    sys::{error, workspace::Workspace},
};
use environment::Environment;

/// Renders every stage before it writes the first file, so that an error changes nothing.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Render) -> Result<()> {
    let environments = if flags.all {
        load_all(workspace)?
    } else {
        vec![super::load(workspace, &flags.stage)?]
    };
    output::put(
        workspace,
        &environments,
        &[File::Serverless],
        flags.mode.mode(),
        "render",
    )
}

fn load_all(workspace: &Workspace) -> Result<Vec<Environment>> {
    let mut environments = Vec::new();
    let mut errors = Vec::new();
    for (_, environment) in super::load_all(workspace)? {
        match environment {
            Ok(environment) => environments.push(environment),
            Err(error) if error::is_of_input(&error) => {
                errors.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    error::report_all(errors)?;
    Ok(environments)
}
