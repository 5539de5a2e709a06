//! Deploys a stage's role with CloudFormation. A change set shows the changes first, and the role is read back afterwards,
//! because CloudFormation does not detect all manual edits.

use std::{thread, time::Duration};

use anyhow::{Context, Result, bail};
use contract::{AccountId, RoleName};
use operator_api::{ChangeSetArn, DeployedRole, Part};

use crate::{
    cli::{self, Side},
    deploy::guard,
    diff::Changes,
    inspect::{
        operator::{self, Operator, Query, reported},
        session::Session,
    },
    render::{self as rendering, File, Rendered},
    sys::{
        console,
        error::AlreadyReported,
        interrupt::{self, Undo},
        workspace::Workspace,
    },
};
use environment::Environment;

/// How often a changed role is read until it is as rendered: IAM is eventually consistent (IAM user guide, "Changes that I
/// make are not always immediately visible").
const MAX_READS: u32 = 5;
/// The delay between two reads.
const READ_DELAY: Duration = Duration::from_secs(2);

/// Renders the role of `side`, shows the changes in the caller's account, and deploys it.
///
/// # Errors
/// The role does not belong in the caller's account, another role has its name, CloudFormation fails, the changes are not
/// confirmed, or the role differs from the rendered one afterwards.
pub(crate) fn role(
    workspace: &Workspace,
    environment: &Environment,
    side: Side,
    flags: &cli::Roles,
) -> Result<()> {
    let confirmation = &flags.confirmation;
    let (file, caller) = match side {
        Side::Admin => {
            // Reports template errors before STS is asked.
            Rendered::of_stage(workspace, environment, File::AdminRole)?;
            let caller = guard::require_admin(workspace, environment)?;
            (File::AdminRole, caller.into())
        }
        Side::Target => {
            let (caller, file) = guard::require_target(workspace, environment)?;
            (file, caller)
        }
    };
    let rendered = Rendered::of_stage(workspace, environment, file)?;
    guard::confirm(environment, "change its roles", confirmation)?;
    let session = &caller.session;
    let account = &session.identity().account;
    let it = Applied {
        workspace,
        environment,
        session,
        side,
        name: role_name(environment, side, account)?,
        stack: stack_name(environment, side),
        rendered: &rendered,
    };
    let (before, has_stack) = it.look()?;
    let is_there = matches!(before, Part::Ok(_));
    if is_there && !has_stack {
        bail!(it.is_not_ours());
    }
    let changes = Changes::of_role(account, before, &rendered)?;
    console::note(changes.to_string().trim_end());
    guard::confirm_broadening(environment, &changes, flags.allow_broadening)?;
    let template = rendered.write(workspace, environment)?;
    console::note(&format!(
        "{} → stack {} in account {account}",
        workspace.shown(&template),
        it.stack
    ));
    let operator = Operator::of_caller(workspace, session)?;
    let planned = operator.plan(&it.stack, &template)?;
    let Some(change_set) = &planned.change_set else {
        return it.verify(1);
    };
    if is_there && operator::creates_role(&planned, &it.name) {
        discard(&operator, change_set)?;
        bail!(it.is_not_ours());
    }
    if !confirmation.yes && console::is_interactive() && !agreed(&operator, change_set, account)? {
        console::note("Canceled; nothing was changed");
        return Err(AlreadyReported.into());
    }
    operator.execute(change_set)?;
    it.verify(MAX_READS)
}

/// A role and its stack.
struct Applied<'a> {
    workspace: &'a Workspace,
    environment: &'a Environment,
    session: &'a Session,
    side: Side,
    name: RoleName,
    stack: String,
    rendered: &'a Rendered,
}

impl Applied<'_> {
    /// Reads the role, and whether the stack has been created.
    fn look(&self) -> Result<(Part<DeployedRole>, bool)> {
        let query = Query {
            roles: vec![self.name.clone()],
            stacks: vec![self.stack.clone()],
            ..Query::default()
        };
        let mut deployed = Operator::of_caller(self.workspace, self.session)?.inspect(&query)?;
        let has_stack = match reported(&mut deployed.stacks, &self.stack)? {
            Part::Ok(stack) => stack.status != "REVIEW_IN_PROGRESS",
            Part::Absent => false,
            // CloudFormation will report the reason.
            Part::Unreadable(_) => true,
        };
        Ok((reported(&mut deployed.roles, &self.name)?, has_stack))
    }

    /// Compares the deployed role with the rendered one, up to `reads` times.
    fn verify(&self, reads: u32) -> Result<()> {
        let account = &self.session.identity().account;
        let what = format!("role {} in account {account}", self.name);
        for read in 1.. {
            let (role, _) = self.look()?;
            let changes = Changes::of_role(account, role, self.rendered)?;
            match changes.is_same() {
                Some(true) => break,
                Some(false) if read < reads => thread::sleep(READ_DELAY),
                Some(false) => {
                    console::note(changes.to_string().trim_end());
                    bail!(
                        "CloudFormation has no changes, but {what} differs from the rendered one\n\
                         hint: {}; or delete stack `{}`, run this command again, and deploy the roles that trust this role again",
                        self.by_hand(),
                        self.stack
                    );
                }
                None => bail!(
                    "Failed to verify {what}: {}\n\
                     hint: use credentials that are allowed to read roles and their policies (`iam:Get*`, `iam:List*`)",
                    changes.unclear().join("; ")
                ),
            }
        }
        console::note(&format!("Verified {what}"));
        Ok(())
    }

    /// The commands that change a role without CloudFormation.
    fn by_hand(&self) -> String {
        let name = self.name.name();
        format!(
            "`cargo xtask roles --env {} --policy json` prints the policies; to set them by hand, use `aws iam \
             update-assume-role-policy --role-name {name} --policy-document …` and `aws iam put-role-policy --role-name \
             {name} --policy-name list-s3-buckets --policy-document …`",
            self.environment.stage
        )
    }

    fn is_not_ours(&self) -> String {
        let Self { name, stack, .. } = self;
        let account = &self.session.identity().account;
        let region = self.session.region();
        let (file, logical) = match self.side {
            Side::Admin => ("admin", "ExecutionRole"),
            Side::Target => ("target", "ReadRole"),
        };
        format!(
            "Role {name} in account {account} does not belong to stack `{stack}`; nothing was changed\n\
             hint: to import it into the stack, add `DeletionPolicy: Retain` to {logical} in a copy of \
             dist/{stage}/roles/{file}.yml, import it with `aws cloudformation create-change-set --stack-name {stack} \
             --change-set-name import --change-set-type IMPORT --region {region} --capabilities CAPABILITY_NAMED_IAM \
             --template-body file://COPY --resources-to-import ResourceType=AWS::IAM::Role,LogicalResourceId={logical},\
             ResourceIdentifier={{RoleName={plain}}}` and `aws cloudformation execute-change-set --stack-name {stack} \
             --change-set-name import --region {region}`, then run this command again\n\
             hint: to manage it outside of the stack, {by_hand}\n\
             hint: to use another role, change the name in {source}",
            stage = self.environment.stage,
            plain = name.name(),
            by_hand = self.by_hand(),
            source = self.environment.source,
        )
    }
}

/// Asks for confirmation, and deletes the change set if it is not given.
fn agreed(operator: &Operator<'_>, change_set: &ChangeSetArn, account: &AccountId) -> Result<bool> {
    let discarding = operator.discard(change_set)?;
    let on_interrupt = Undo::Call(Box::new(move || {
        console::note(if discarding.succeeds_apart() {
            "Canceled; nothing was changed"
        } else {
            "Canceled; nothing was changed, but the change set still exists"
        });
    }));
    let pending = interrupt::on_interrupt(on_interrupt)?;
    let answer = console::ask(&format!("Deploy these changes to account {account}? [y/N]"));
    drop(pending);
    let agreed = answer
        .as_ref()
        .is_ok_and(|answer| matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"));
    if !agreed {
        discard(operator, change_set)?;
    }
    answer?;
    Ok(agreed)
}

/// Deletes the change set, and its stack if it was created for it.
fn discard(operator: &Operator<'_>, change_set: &ChangeSetArn) -> Result<()> {
    operator
        .discard(change_set)?
        .run_quietly()
        .context("Failed to delete the change set")
}

/// The role of `side` in the caller's account.
fn role_name(environment: &Environment, side: Side, account: &AccountId) -> Result<RoleName> {
    match side {
        Side::Admin => Ok(environment.variables.lambda_execution_role.clone()),
        Side::Target => {
            let grants = rendering::grants(environment)?;
            let target = grants.target_role_in(account);
            let target = target
                .with_context(|| format!("The stage assumes no role in account {account}"))?;
            Ok(target.role.full_name()?)
        }
    }
}

/// The name of a role's stack, the same in every account.
pub(crate) fn stack_name(environment: &Environment, side: Side) -> String {
    let side = match side {
        Side::Admin => "admin",
        Side::Target => "target",
    };
    format!("{}-{side}-role", environment.stack_name())
}
