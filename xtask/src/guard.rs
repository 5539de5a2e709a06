//! Who may deploy and remove: a caller in the stage's Admin account, who means this stage.

use anyhow::{Result, bail};

use crate::{
    cli::Confirmation,
    console::{self, Step},
    environment::Environment,
    fault::InputFault,
    operator::{self, Identity},
    workspace::Workspace,
};

/// A caller whom STS has placed in the stage's Admin account. To be had from [`require_admin`] alone.
#[derive(Debug)]
pub(crate) struct AdminCaller {
    /// Who it is.
    pub(crate) identity: Identity,
}

/// Asks STS who the caller is, and says so beside the stage.
///
/// # Errors
/// The caller is in another account or partition than the stage, or STS cannot be asked.
pub(crate) fn require_admin(
    workspace: &Workspace,
    environment: &Environment,
) -> Result<AdminCaller> {
    let region = &environment.variables.region;
    let admin = &environment.variables.admin_account_id;
    let step = Step::begin("Asking STS who you are (the first time, this builds crates/operator)");
    let identity = operator::whoami(workspace, region)?;
    step.done("");
    console::note(&format!(
        "caller:  {}\naccount: {}\nregion:  {region}\nstage:   {}",
        identity.arn, identity.account, environment.stage
    ));
    if identity.account != *admin {
        bail!(
            "You are in account {}, and the Admin account of stage `{}` is {admin} ({}): nothing was done\n\
             hint: use credentials of account {admin}, for example `AWS_PROFILE=… cargo xtask …`",
            identity.account,
            environment.stage,
            environment.source
        );
    }
    if let Some(partition) =
        operator::partition_of(&identity.arn).filter(|partition| *partition != region.partition())
    {
        bail!(
            "You are in partition {partition}, and region {region} of stage `{}` lies in {}: nothing was done",
            environment.stage,
            region.partition()
        );
    }
    Ok(AdminCaller { identity })
}

/// A protected stage wants its name typed, or `--yes`.
///
/// # Errors
/// It was not confirmed.
pub(crate) fn confirm(
    environment: &Environment,
    what: &str,
    confirmation: &Confirmation,
) -> Result<()> {
    let stage = &environment.stage;
    if !environment.variables.protected || confirmation.yes {
        return Ok(());
    }
    if !console::is_interactive() {
        return Err(InputFault(format!(
            "Stage `{stage}` is protected, and nobody can be asked here: nothing was done\nhint: add `--yes` to {what} it"
        ))
        .into());
    }
    let answer = console::ask(&format!(
        "Stage `{stage}` is protected. Type its name to {what} it:"
    ))?;
    if answer != stage.as_str() {
        bail!("`{answer}` is not `{stage}`: nothing was done");
    }
    Ok(())
}
