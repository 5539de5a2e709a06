//! Who may deploy and remove: a caller in the stage's Admin account, who means this stage.

use anyhow::{Result, bail};
use contract::{Partition, Region};
use operator_api::{DeployedStack, Part};

use crate::{
    cli::Confirmation,
    diff::Changes,
    inspect::{
        configuration,
        operator::{Operator, Query},
        session::Session,
    },
    render::{self as rendering, File},
    sys::{
        console::{self, Step},
        fault::InputFault,
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

/// As [`caller`], for what is done in the Admin account.
///
/// # Errors
/// As for [`caller`], and the caller is in another account than the stage's Admin account.
pub(crate) fn require_admin<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<AdminCaller<'a>> {
    let admin = &environment.variables.admin_account_id;
    let caller = caller(workspace, environment)?;
    let identity = caller.session.identity();
    if identity.account != *admin {
        bail!(
            "You are in account {}, and the Admin account of stage `{}` is {admin} ({}): nothing was done\n\
             hint: use credentials of account {admin}, for example `AWS_PROFILE=… cargo xtask …`",
            identity.account,
            environment.stage,
            environment.source
        );
    }
    Ok(AdminCaller(caller))
}

/// As [`caller`], for what is done in a Target account; with the file of the role that belongs there.
///
/// # Errors
/// As for [`caller`], and no role of the stage belongs into the caller's account.
pub(crate) fn require_target<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<(Caller<'a>, File)> {
    let caller = caller(workspace, environment)?;
    let account = &caller.session.identity().account;
    let Some(file) = rendering::target_role_file(environment, account)? else {
        bail!(
            "You are in account {account}, in which the function of stage `{}` assumes no role ({}): nothing was done\n\
             hint: use credentials of a Target account, for example `AWS_PROFILE=… cargo xtask …`",
            environment.stage,
            environment.source
        );
    };
    Ok((caller, file))
}

/// Asks STS in the stage's region who the caller is, in whichever account, and says so beside the stage.
///
/// # Errors
/// STS cannot be asked there, or the caller is in another partition than the region.
pub(crate) fn caller<'a>(
    workspace: &Workspace,
    environment: &'a Environment,
) -> Result<Caller<'a>> {
    let region = &environment.variables.region;
    let operator = Operator::new(workspace, region)?;
    let step = Step::begin("Asking STS who you are");
    let session = operator.open_session()?;
    let identity = session.identity();
    step.done("");
    console::note(&format!(
        "caller:  {}\naccount: {}\nregion:  {region}\nstage:   {}",
        identity.arn, identity.account, environment.stage
    ));
    if let Some((name, other)) = other_region(region, |name| std::env::var(name).ok()) {
        console::note(&format!(
            "note: {name} says {other}; the stage's own region is used, {region} ({})",
            environment.source
        ));
    }
    require_partition(environment, &identity.arn)?;
    Ok(Caller {
        environment,
        session,
    })
}

/// Who is called `arn` is in the partition of the stage's region: no role of another one can be assumed.
fn require_partition(environment: &Environment, arn: &str) -> Result<()> {
    let region = &environment.variables.region;
    let wanted = region.partition();
    let partition: Option<Partition> = arn.split(':').nth(1).and_then(|text| text.parse().ok());
    match partition {
        Some(partition) if partition == wanted => Ok(()),
        Some(partition) => bail!(
            "You are in partition {partition}, and region {region} of stage `{}` lies in {wanted}: nothing was done\n\
             hint: use credentials of partition {wanted}, or set `region` in {}",
            environment.stage,
            environment.source
        ),
        None => bail!(
            "You are {arn}, an ARN that names no partition that is known, and region {region} of stage `{}` lies in {wanted}: \
             nothing was done\n\
             hint: use credentials of partition {wanted}",
            environment.stage
        ),
    }
}

/// The variable by which the caller's environment names another region than the stage's, and that region.
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

/// The role that the function is to run as must be there: without it the deployment would fail halfway. Where it may not be read, that is said, and AWS has the last word.
///
/// # Errors
/// There is no such role, or it has another path than the stage says.
pub(crate) fn require_execution_role(
    workspace: &Workspace,
    caller: &AdminCaller<'_>,
) -> Result<()> {
    let environment = caller.environment;
    let role = environment.execution_role_arn();
    let stage = &environment.stage;
    let create = format!(
        "`cargo xtask roles --env {stage} --apply admin` creates it, as the stage describes it"
    );
    let query = Query {
        roles: vec![role.role.clone()],
        ..Query::default()
    };
    let deployed = Operator::of_caller(workspace, &caller.session)?.inspect(&query)?;
    match deployed.roles.get(&role.role) {
        Some(Part::Ok(found)) if found.arn == role.to_string() => Ok(()),
        Some(Part::Ok(found)) => bail!(
            "The function is to run as {role}, and the role of that name is {}: nothing was done\n\
             hint: write the role's path in `lambda-execution-role` ({})",
            found.arn,
            environment.source
        ),
        Some(Part::Absent) => bail!(
            "The function is to run as {role}, and there is no such role: nothing was done\nhint: {create}"
        ),
        Some(Part::Unreadable(why)) => {
            console::note(&format!(
                "note: whether {role} exists cannot be seen ({}); if it does not, {create}",
                why.code
            ));
            Ok(())
        }
        None => bail!("The operator does not say whether {role} exists"),
    }
}

/// A protected stage wants its name typed, or `--yes`. `what` is done to it.
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

/// On a protected stage, what broadens access is confirmed by itself; and so is what may do so, where that cannot be told.
///
/// # Errors
/// It was not confirmed.
pub(crate) fn confirm_broadening(
    environment: &Environment,
    changes: &Changes,
    allowed: bool,
) -> Result<()> {
    let stage = &environment.stage;
    let (what, reasons, question) = match (changes.broadens(), changes.unclear()) {
        ([], []) => return Ok(()),
        ([], unclear) => (
            "Whether this broadens access cannot be told",
            unclear,
            "Go on, although this may broaden access? Type `broaden` to do so:",
        ),
        (broadens, _) => (
            "This broadens access",
            broadens,
            "Broaden access so? Type `broaden` to go on:",
        ),
    };
    if !environment.variables.protected || allowed {
        return Ok(());
    }
    if !console::is_interactive() {
        return Err(InputFault(format!(
            "{what} on the protected stage `{stage}`, and nobody can be asked here: nothing was changed\n- {}\n\
             hint: add `--allow-broadening` if that is meant",
            reasons.join("\n- ")
        ))
        .into());
    }
    let answer = console::ask(question)?;
    if answer != "broaden" {
        bail!("`{answer}` is not `broaden`: nothing was changed");
    }
    Ok(())
}

/// As [`confirm_broadening`]; and on a terminal, whatever is removed, or broadened on a stage that is not protected, wants
/// a yes.
///
/// # Errors
/// It was not confirmed.
pub(crate) fn confirm_changes(
    environment: &Environment,
    changes: &Changes,
    confirmation: &Confirmation,
    allowed: bool,
) -> Result<()> {
    confirm_broadening(environment, changes, allowed)?;
    let protected = environment.variables.protected;
    if confirmation.yes || !console::is_interactive() || !wants_a_yes(protected, allowed, changes) {
        return Ok(());
    }
    let answer = console::ask("Continue? [y/N]")?;
    if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("Cancelled: nothing was changed");
    }
    Ok(())
}

/// Whether a person is asked for a yes, besides what [`confirm_broadening`] asks.
fn wants_a_yes(protected: bool, allowed: bool, changes: &Changes) -> bool {
    let broadens = !changes.broadens().is_empty() || !changes.unclear().is_empty();
    !changes.removes().is_empty() || broadens && !protected && !allowed
}

/// The stage's stack, if there is one, must be of the stage: the stack of service `a` in stage `b-c` has the name of the
/// stack of service `a-b` in stage `c`. The Serverless Framework puts the stage into a tag, and service and stage into the
/// path of the code.
///
/// # Errors
/// The stack is of another stage, or was not made by the Serverless Framework.
pub(crate) fn require_own_stack(
    environment: &Environment,
    stack: &Part<DeployedStack>,
) -> Result<()> {
    let Part::Ok(stack) = stack else {
        return Ok(());
    };
    let (service, stage) = (
        environment.variables.service.as_str(),
        environment.stage.as_str(),
    );
    let owner = match (configuration::owner(stack), stack.tags.get("STAGE")) {
        (Some(owner), _) if owner == (service, stage) => return Ok(()),
        (Some((service, stage)), _) => format!("belongs to stage `{stage}` of service `{service}`"),
        (None, Some(tag)) if tag == stage => return Ok(()),
        (None, Some(tag)) => format!("belongs to stage `{tag}`"),
        (None, None) => "was not deployed by the Serverless Framework".to_owned(),
    };
    bail!(
        "CloudFormation stack `{}` {owner}, not to stage `{stage}` of service `{service}` ({}); nothing was changed\n\
         hint: set another `service` in {}, or rename the stage",
        environment.stack_name(),
        environment.source,
        environment.source
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{inspect, policy::samples};

    #[test]
    fn the_partition_of_who_asks_is_known_and_the_regions() {
        let text = "admin-account-id: \"111111111111\"\nlambda-execution-role: Runs\n\
                    target-account-id: \"222222222222\"\ns3-read-role: Reads\n";
        let stage = "dev".parse().unwrap();
        let environment = environment::parse("variables.dev.yml", stage, text.as_bytes()).unwrap();
        let refused = |partition: &str| {
            let arn = format!("arn:{partition}:iam::111111111111:user/me");
            let outcome = require_partition(&environment, &arn);
            outcome.err().map(|error| error.to_string())
        };
        assert_eq!(refused("aws"), None);
        let another = refused("aws-cn").unwrap();
        assert!(
            another.starts_with("You are in partition aws-cn, and region us-east-1"),
            "{another}"
        );
        let unknown = refused("aws-mars").unwrap();
        assert!(
            unknown.contains("an ARN that names no partition that is known"),
            "{unknown}"
        );
    }

    #[test]
    fn another_region_in_the_environment_is_seen() {
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
            // What broadens access there is asked about by itself.
            (true, false, of(1, 1, 0), false),
            (false, false, of(0, 0, 1), true),
            (true, false, of(0, 0, 1), true),
            (false, true, of(0, 0, 1), true),
        ] {
            assert_eq!(
                wants_a_yes(protected, allowed, &changes),
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
                    "Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": key}}}}}),
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
        for (foreign, told) in [
            (
                stack(Some(other), Some("Buckets-dev")),
                "belongs to stage `Buckets-dev` of service `List-S3`",
            ),
            (stack(None, Some("prod")), "belongs to stage `prod`"),
            (stack(None, None), "was not deployed by the Serverless"),
        ] {
            let error = require_own_stack(&environment, &foreign).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
