//! Checks before a change: the caller's account, the stack's owner, and confirmations.

use anyhow::{Result, bail};
use contract::{Partition, Region};
use operator_api::{DeployedStack, Part};

use crate::{
    cli::Confirmation,
    diff::Changes,
    inspect::{
        configuration,
        operator::{Operator, Query, reported},
        session::Session,
    },
    render::{self as rendering, File},
    sys::{
        console::{self, Step},
        error::InputError,
        workspace::Workspace,
    },
};
use environment::Environment;

/// A caller that STS has identified, in the partition of a stage's region.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    /// The stage that the caller was checked for.
    pub(crate) environment: &'a Environment,
    /// The caller's identity and keys, in the stage's region.
    pub(crate) session: Session,
}

/// A caller in the Admin account of a stage. Only [`require_admin`] creates one.
///
/// It carries the stage, so that a check for one stage cannot allow a change of another.
#[derive(Debug)]
pub(crate) struct AdminCaller<'a>(Caller<'a>);

impl<'a> From<AdminCaller<'a>> for Caller<'a> {
    fn from(caller: AdminCaller<'a>) -> Self {
        caller.0
    }
}

impl<'a> std::ops::Deref for AdminCaller<'a> {
    type Target = Caller<'a>;

    fn deref(&self) -> &Caller<'a> {
        &self.0
    }
}

/// Identifies the caller and requires the stage's Admin account.
///
/// # Errors
/// As for [`caller`], or the credentials are for another account.
pub(crate) fn require_admin<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<AdminCaller<'a>> {
    let admin = &environment.variables.admin_account_id;
    let caller = caller(workspace, environment)?;
    let identity = caller.session.identity();
    if identity.account != *admin {
        bail!(
            "Your credentials are for account {}, but the Admin account of stage `{}` is {admin} ({}); nothing was changed\n\
             hint: use credentials for account {admin}, for example `AWS_PROFILE=… cargo xtask …`",
            identity.account,
            environment.stage,
            environment.source
        );
    }
    Ok(AdminCaller(caller))
}

/// Identifies the caller and requires a Target account. Also returns the file of that account's role.
///
/// # Errors
/// As for [`caller`], or the stage assumes no role in the caller's account.
pub(crate) fn require_target<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<(Caller<'a>, File)> {
    let caller = caller(workspace, environment)?;
    let account = &caller.session.identity().account;
    let Some(file) = rendering::target_role_file(environment, account)? else {
        bail!(
            "Your credentials are for account {account}, where stage `{}` assumes no role ({}); nothing was changed\n\
             hint: use credentials for a Target account, for example `AWS_PROFILE=… cargo xtask …`",
            environment.stage,
            environment.source
        );
    };
    Ok((caller, file))
}

/// Gets the caller's identity from STS in the stage's region, and prints it with the stage.
///
/// # Errors
/// STS rejects the request or cannot be reached, or the region is in another partition.
pub(crate) fn caller<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<Caller<'a>> {
    let region = &environment.variables.region;
    let operator = Operator::new(workspace, region)?;
    let step = Step::begin("Getting your identity from STS");
    let session = operator.open_session()?;
    let identity = session.identity();
    step.done("");
    console::note(&format!(
        "caller:  {}\naccount: {}\nregion:  {region}\nstage:   {}",
        identity.arn, identity.account, environment.stage
    ));
    if let Some((name, other)) = other_region(region, |name| std::env::var(name).ok()) {
        console::note(&format!(
            "note: {name} is {other}, but the stage's region is used: {region} ({})",
            environment.source
        ));
    }
    require_partition(environment, &identity.arn)?;
    Ok(Caller {
        environment,
        session,
    })
}

/// Requires that `arn` is in the partition of the stage's region: roles cannot be assumed across partitions.
fn require_partition(environment: &Environment, arn: &str) -> Result<()> {
    let region = &environment.variables.region;
    let wanted = region.partition();
    let partition: Option<Partition> = arn.split(':').nth(1).and_then(|text| text.parse().ok());
    match partition {
        Some(partition) if partition == wanted => Ok(()),
        Some(partition) => bail!(
            "Your credentials are for partition {partition}, but region {region} of stage `{}` is in {wanted}; nothing was changed\n\
             hint: use credentials for partition {wanted}, or set `region` in {}",
            environment.stage,
            environment.source
        ),
        None => bail!(
            "Your credentials are for {arn}, whose partition is unknown, but region {region} of stage `{}` is in {wanted}; \
             nothing was changed\n\
             hint: use credentials for partition {wanted}",
            environment.stage
        ),
    }
}

/// The environment variable that names a region other than the stage's, and that region.
fn other_region(
    region: &Region,
    lookup: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let named = |name: &'static str| {
        let value = lookup(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    };
    named("AWS_REGION")
        .or_else(|| named("AWS_DEFAULT_REGION"))
        .filter(|(_, other)| other != region.as_str())
}

/// Requires the execution role: without it, the deployment would fail halfway. An unreadable role is only reported.
///
/// # Errors
/// The role does not exist, or it has another path.
pub(crate) fn require_execution_role(
    workspace: &Workspace,
    caller: &AdminCaller<'_>,
) -> Result<()> {
    let environment = caller.environment;
    let role = environment.execution_role_arn();
    let stage = &environment.stage;
    let create = format!("to create it, run `cargo xtask roles --env {stage} --apply admin`");
    let query = Query {
        roles: vec![role.role.clone()],
        ..Query::default()
    };
    let mut deployed = Operator::of_caller(workspace, &caller.session)?.inspect(&query)?;
    match reported(&mut deployed.roles, &role.role)? {
        Part::Ok(found) if found.arn == role.to_string() => Ok(()),
        Part::Ok(found) => bail!(
            "Execution role {role} not found; a role with that name has another path: {}; nothing was changed\n\
             hint: set `lambda-execution-role` to `path/NAME` ({})",
            found.arn,
            environment.source
        ),
        Part::Absent => {
            bail!("Execution role {role} not found; nothing was changed\nhint: {create}")
        }
        Part::Unreadable(why) => {
            console::note(&format!(
                "note: execution role {role} cannot be read ({})\nhint: if it does not exist, {create}",
                why.code
            ));
            Ok(())
        }
    }
}

/// On a protected stage, asks for its name unless `--yes` was passed. `what` is a verb, such as `deploy it`.
///
/// # Errors
/// The change was not confirmed.
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
        return Err(InputError(format!(
            "Stage `{stage}` is protected and there is no terminal to confirm on; nothing was changed\nhint: pass `--yes` to skip the prompt"
        ))
        .into());
    }
    let answer = console::ask(&format!(
        "Stage `{stage}` is protected. Type its name to {what}:"
    ))?;
    if answer != stage.as_str() {
        bail!("`{answer}` is not `{stage}`; nothing was changed");
    }
    Ok(())
}

/// On a protected stage, asks before access is broadened, or may be.
///
/// # Errors
/// The change was not confirmed.
pub(crate) fn confirm_broadening(
    environment: &Environment,
    changes: &Changes,
    allowed: bool,
) -> Result<()> {
    let stage = &environment.stage;
    let (what, reasons, question) = match (changes.broadens(), changes.unclear()) {
        ([], []) => return Ok(()),
        ([], unclear) => (
            "This may broaden access",
            unclear,
            "This may broaden access. Type `broaden` to continue:",
        ),
        (broadens, _) => (
            "This broadens access",
            broadens,
            "This broadens access. Type `broaden` to continue:",
        ),
    };
    if !environment.variables.protected || allowed {
        return Ok(());
    }
    if !console::is_interactive() {
        return Err(InputError(format!(
            "{what} on protected stage `{stage}`, and there is no terminal to confirm on; nothing was changed\n- {}\n\
             hint: to allow this, pass `--allow-broadening`",
            reasons.join("\n- ")
        ))
        .into());
    }
    let answer = console::ask(question)?;
    if answer != "broaden" {
        bail!("`{answer}` is not `broaden`; nothing was changed");
    }
    Ok(())
}

/// Like [`confirm_broadening`]. On a terminal, also asks before something is removed, or broadened on an unprotected stage.
///
/// # Errors
/// The change was not confirmed.
pub(crate) fn confirm_changes(
    environment: &Environment,
    changes: &Changes,
    confirmation: &Confirmation,
    allowed: bool,
) -> Result<()> {
    confirm_broadening(environment, changes, allowed)?;
    let protected = environment.variables.protected;
    if confirmation.yes
        || !console::is_interactive()
        || !needs_confirmation(protected, allowed, changes)
    {
        return Ok(());
    }
    let answer = console::ask("Continue? [y/N]")?;
    if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("Canceled; nothing was changed");
    }
    Ok(())
}

/// Whether [`confirm_changes`] asks, in addition to [`confirm_broadening`].
fn needs_confirmation(protected: bool, allowed: bool, changes: &Changes) -> bool {
    let broadens = !changes.broadens().is_empty() || !changes.unclear().is_empty();
    !changes.removes().is_empty() || broadens && !protected && !allowed
}

/// Requires that the stack, if it exists, belongs to the stage: service `a` in stage `b-c` and service `a-b` in stage `c`
/// have the same stack name. The Serverless Framework tags the stack with the stage, and stores the code under the names of
/// service and stage.
///
/// # Errors
/// The stack belongs to another stage, was not created by the Serverless Framework, or its owner cannot be read.
pub(crate) fn require_own_stack(
    environment: &Environment,
    stack: &Part<DeployedStack>,
) -> Result<()> {
    let name = environment.stack_name();
    let stack = match stack {
        Part::Ok(stack) => stack,
        Part::Absent => return Ok(()),
        Part::Unreadable(why) => bail!(
            "Failed to read CloudFormation stack `{name}`; nothing was changed: {}: {}\n\
             hint: use credentials that allow cloudformation:DescribeStacks and cloudformation:GetTemplate",
            why.code,
            why.message
        ),
    };
    let (service, stage) = (
        environment.variables.service.as_str(),
        environment.stage.as_str(),
    );
    let owner = configuration::owner(stack, &environment.function_name());
    let owner = match (owner, stack.tags.get("STAGE")) {
        (Some(owner), _) if owner == (service, stage) => return Ok(()),
        (Some((service, stage)), _) => format!("belongs to stage `{stage}` of service `{service}`"),
        (None, Some(tag)) if tag == stage => return Ok(()),
        (None, Some(tag)) => format!("belongs to stage `{tag}`"),
        (None, None) if matches!(stack.template, Part::Unreadable(_)) => bail!(
            "The template of CloudFormation stack `{name}` cannot be read, so its owner is unknown; nothing was changed\n\
             hint: use credentials that allow cloudformation:GetTemplate"
        ),
        (None, None) => "was not deployed by the Serverless Framework".to_owned(),
    };
    bail!(
        "CloudFormation stack `{name}` {owner}, not to stage `{stage}` of service `{service}` ({0}); nothing was changed\n\
         hint: change `service` in {0}, or rename the stage",
        environment.source
    )
}

#[cfg(test)]
mod tests {
    use operator_api::Unreadable;
    use serde_json::json;

    use super::*;
    use crate::{inspect, policy::samples};

    #[test]
    fn the_caller_must_be_in_the_partition_of_the_region() {
        let text = "admin-account-id: \"111111111111\"\nlambda-execution-role: Runs\n\
                    target-account-id: \"222222222222\"\ns3-read-role: Reads\n";
        let stage = "dev".parse().unwrap();
        let environment = environment::parse("variables.dev.yml", stage, text.as_bytes()).unwrap();
        let problem = |partition: &str| {
            let arn = format!("arn:{partition}:iam::111111111111:user/me");
            let outcome = require_partition(&environment, &arn);
            outcome.err().map(|error| error.to_string())
        };
        assert_eq!(problem("aws"), None);
        let another = problem("aws-cn").unwrap();
        assert!(
            another.starts_with("Your credentials are for partition aws-cn, but region us-east-1"),
            "{another}"
        );
        let unknown = problem("aws-mars").unwrap();
        assert!(unknown.contains("whose partition is unknown"), "{unknown}");
    }

    #[test]
    fn another_region_in_the_environment_is_reported() {
        let region: Region = "eu-central-1".parse().unwrap();
        let with = |variables: &'static [(&str, &str)]| {
            other_region(&region, |name| {
                let (_, value) = variables.iter().find(|(other, _)| *other == name)?;
                Some((*value).to_owned())
            })
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("AWS_REGION", "eu-central-1")]), None);
        assert_eq!(with(&[("AWS_REGION", "")]), None);
        // The first of the two is what the SDKs take.
        let both = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ];
        assert_eq!(with(Box::leak(Box::new(both))), None);
        assert_eq!(
            with(&[("AWS_DEFAULT_REGION", "us-east-1")]),
            Some(("AWS_DEFAULT_REGION", "us-east-1".to_owned()))
        );
    }

    #[test]
    fn what_is_removed_or_broadened_is_asked_about() {
        let of = |broadens: usize, unclear: usize, removes: usize| {
            Changes::of_sentences(broadens, unclear, removes)
        };
        for (protected, allowed, changes, asked) in [
            (false, false, of(0, 0, 0), false),
            (true, false, of(0, 0, 0), false),
            (false, false, of(1, 0, 0), true),
            (false, false, of(0, 1, 0), true),
            (false, true, of(1, 1, 0), false),
            // `confirm_broadening` has asked already.
            (true, false, of(1, 1, 0), false),
            (false, false, of(0, 0, 1), true),
            (true, false, of(0, 0, 1), true),
            (false, true, of(0, 0, 1), true),
        ] {
            assert_eq!(
                needs_confirmation(protected, allowed, &changes),
                asked,
                "{changes}"
            );
        }
    }

    #[test]
    fn a_stack_of_another_stage_is_left_alone() {
        let environment = samples::stage("");
        let stack = |key: Option<&str>, tag: Option<&str>| {
            let template = match key {
                Some(key) => json!({"Resources": {"F": {
                    "Type": "AWS::Lambda::Function", "Properties": {
                        "FunctionName": environment.function_name(), "Code": {"S3Key": key}}}}}),
                None => json!({"Resources": {}}),
            };
            let tags = tag.map(|tag| ("STAGE".to_owned(), tag.to_owned()));
            Part::Ok(DeployedStack {
                tags: tags.into_iter().collect(),
                template: Part::Ok(template),
                ..inspect::samples::stack()
            })
        };
        let own = Some("serverless/List-S3-Buckets/dev/1-t/handler.zip");
        for fine in [
            Part::Absent,
            stack(own, Some("dev")),
            stack(own, None),
            // A first deployment that failed leaves the bucket alone.
            stack(None, Some("dev")),
        ] {
            require_own_stack(&environment, &fine).unwrap();
        }
        let other = "serverless/List-S3/Buckets-dev/1-t/handler.zip";
        for (foreign, expected) in [
            (
                stack(Some(other), Some("Buckets-dev")),
                "belongs to stage `Buckets-dev` of service `List-S3`",
            ),
            (stack(None, Some("prod")), "belongs to stage `prod`"),
            (stack(None, None), "was not deployed by the Serverless"),
        ] {
            let error = require_own_stack(&environment, &foreign).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        for unknown in [
            Part::Unreadable(why.clone()),
            Part::Ok(DeployedStack {
                template: Part::Unreadable(why),
                ..inspect::samples::stack()
            }),
        ] {
            let error = require_own_stack(&environment, &unknown).unwrap_err();
            assert!(error.to_string().contains("nothing was changed"), "{error}");
        }
    }
}
