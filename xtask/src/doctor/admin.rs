//! Checks of the Admin account: the caller and the execution role.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use contract::RoleArn;
use iam_policy::{Caller, Context, Effect, Request, Set, Statement};
use operator_api::{DeployedRole, Part};

use super::{
    evidence::InvocationError,
    facts::{Facts, RoleView, not_in_admin},
    function,
    reasons::{joined, permission_cause, trust_cause},
    report::{Cause, CauseId, Check, CheckId, Status},
    verdict::{self, Policies, Reason, Verdict},
};
use crate::{policy::Grants, sys::workspace::Workspace};
use environment::Environment;

/// The error codes for missing or rejected credentials.
const CREDENTIAL_ERRORS: [&str; 7] = [
    "NoCredentials",
    "CredentialsNotLoaded",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
];

/// The checks, and what they mean for the target roles.
#[derive(Debug)]
pub(super) struct AdminChecks {
    pub(super) checks: Vec<Check>,
    /// The failed check that keeps the function from assuming any target role.
    pub(super) blocked: Option<CheckId>,
    /// The verdict of its policies on assuming each target role.
    assumes: BTreeMap<RoleArn, Verdict>,
}

impl AdminChecks {
    /// The verdict of the policies of the execution role on assuming `role`.
    pub(super) fn assumes(&self, role: &RoleArn) -> Option<&Verdict> {
        self.assumes.get(role)
    }
}

/// Checks the Admin account.
///
/// # Errors
/// Fails if a file of the workspace cannot be read.
pub(super) fn examine(
    workspace: &Workspace,
    environment: &Environment,
    grants: &Grants,
    targets: &[RoleArn],
    facts: &Facts,
) -> Result<AdminChecks> {
    let mut side = AdminChecks {
        checks: vec![caller(environment, facts)],
        blocked: None,
        assumes: BTreeMap::new(),
    };
    let arn = environment.execution_role_arn();
    let seen = facts.role(&arn);
    side.checks.push(execution_role(environment, &arn, seen));
    match seen {
        RoleView::Role(role) => {
            if role.arn != arn.to_string() {
                side.blocked = Some(CheckId::ExecutionRole);
            }
            let trust = lambda_trust(environment, grants, role, facts);
            if trust.status == Status::Failed {
                side.blocked = side.blocked.or(Some(CheckId::LambdaTrust));
            }
            side.checks.push(trust);
            side.permissions(environment, grants, targets, role);
        }
        RoleView::Missing => {
            side.blocked = Some(CheckId::ExecutionRole);
            side.add_unknown(grants, "the execution role does not exist");
        }
        RoleView::Unreadable(why) => {
            side.add_unknown(grants, &format!("cannot be read ({})", why.code));
        }
        RoleView::NotRead => side.add_unknown(grants, &not_in_admin(environment)),
    }
    if let Part::Ok(function) = facts.function()
        && facts.is_admin(environment)
        && function::has_other_target(environment, function, &facts.configuration)
    {
        side.blocked = side.blocked.or(Some(CheckId::Function));
    }
    side.checks
        .push(function::check(workspace, environment, facts)?);
    Ok(side)
}

impl AdminChecks {
    /// Adds a check for each statement that the execution role should have.
    fn permissions(
        &mut self,
        environment: &Environment,
        grants: &Grants,
        targets: &[RoleArn],
        role: &DeployedRole,
    ) {
        let policies = Policies::of(role);
        let own = format!("::{}:role/", environment.variables.admin_account_id);
        let verdict = |permission: &Permission| match permission.verdict(&policies) {
            // Within one account, a trust policy that lists the role is sufficient (IAM user guide, "Cross-account policy
            // evaluation logic").
            Verdict::Denied(reasons)
                if reasons == [Reason::NoStatement] && permission.resource.contains(&own) =>
            {
                let what = "the trust policy of the role, which is sufficient within one account";
                Verdict::Unclear(BTreeSet::from([what.to_owned()]))
            }
            verdict => verdict,
        };
        for statement in expected(grants) {
            let id = id_of(&statement);
            let verdicts = permissions_of(&statement)
                .iter()
                .map(|permission| (permission.label(), verdict(permission)))
                .collect::<Vec<_>>();
            if id == CheckId::AssumePermission {
                for target in targets {
                    let permission = Permission {
                        action: "sts:AssumeRole".to_owned(),
                        resource: target.to_string(),
                        context: context_of(&statement),
                    };
                    self.assumes.insert(target.clone(), verdict(&permission));
                }
            }
            self.checks
                .push(permission(environment, id, &statement, &verdicts));
        }
    }

    /// Adds the checks as unknown.
    fn add_unknown(&mut self, grants: &Grants, why: &str) {
        self.checks.push(Check::unknown(CheckId::LambdaTrust, why));
        for statement in expected(grants) {
            self.checks.push(Check::unknown(id_of(&statement), why));
        }
    }
}

fn caller(environment: &Environment, facts: &Facts) -> Check {
    let admin = &environment.variables.admin_account_id;
    let stage = &environment.stage;
    match facts.caller() {
        Part::Ok(caller) if caller.account != *admin => {
            let found = format!("{} is in account {}", caller.arn, caller.account);
            let cause = format!("the Admin account of stage `{stage}` is {admin}");
            Check::failed(
                CheckId::Caller,
                found,
                vec![Cause::seen(CauseId::WrongAccount, cause)],
            )
            .fix(format!(
                "use credentials for account {admin}: `AWS_PROFILE=… cargo xtask doctor --env {stage}`"
            ))
        }
        Part::Ok(caller) if !facts.is_admin(environment) => {
            let cause = format!(
                "region {} of stage `{stage}` belongs to partition {}",
                environment.variables.region,
                environment.partition()
            );
            Check::failed(
                CheckId::Caller,
                &caller.arn,
                vec![Cause::seen(CauseId::WrongPartition, cause)],
            )
        }
        Part::Ok(caller) => Check::ok(
            CheckId::Caller,
            format!("{} in the Admin account", caller.arn),
        ),
        Part::Absent => Check::unknown(CheckId::Caller, "STS did not return the caller identity"),
        Part::Unreadable(why) => {
            let found = why.message.lines().next().unwrap_or_default();
            let check = if CREDENTIAL_ERRORS.contains(&why.code.as_str()) {
                let cause = Cause::seen(CauseId::NoCredentials, &why.message);
                Check::failed(CheckId::Caller, why.code.as_str(), vec![cause])
            } else {
                Check::unknown(CheckId::Caller, found)
            };
            match &why.hint {
                Some(hint) => check.fix(hint),
                None => check,
            }
        }
    }
}

fn execution_role(environment: &Environment, arn: &RoleArn, seen: RoleView<'_>) -> Check {
    let stage = &environment.stage;
    let create = format!("run `cargo xtask roles --env {stage} --apply admin`");
    match seen {
        RoleView::Role(role) if role.arn == arn.to_string() => {
            Check::ok(CheckId::ExecutionRole, &role.arn)
        }
        RoleView::Role(role) => {
            let cause = format!("the role with this name has another path: {}", role.arn);
            Check::failed(
                CheckId::ExecutionRole,
                format!("{arn} does not exist"),
                vec![Cause::seen(CauseId::RolePath, cause)],
            )
            .fix(format!(
                "set `lambda-execution-role` in {} to `path/NAME`, or create the role: {create}",
                environment.source
            ))
        }
        RoleView::Missing => {
            let cause = format!(
                "account {} has no role named {}",
                arn.account,
                arn.role.name()
            );
            Check::failed(
                CheckId::ExecutionRole,
                format!("{arn} does not exist"),
                vec![Cause::seen(CauseId::RoleMissing, cause)],
            )
            .fix(create)
        }
        RoleView::Unreadable(why) => Check::unknown(
            CheckId::ExecutionRole,
            why.message.lines().next().unwrap_or_default(),
        ),
        RoleView::NotRead => Check::unknown(CheckId::ExecutionRole, not_in_admin(environment)),
    }
}

fn lambda_trust(
    environment: &Environment,
    grants: &Grants,
    role: &DeployedRole,
    facts: &Facts,
) -> Check {
    let admin = environment.variables.admin_account_id.as_str();
    let request = Request {
        action: "sts:AssumeRole",
        resource: None,
        caller: Some(Caller::Service("lambda.amazonaws.com")),
        context: Context::default().with("aws:SourceAccount", Some(admin)),
    };
    let denied = matches!(
        facts.evidence.as_ref().and_then(|evidence| evidence.error.as_ref()),
        Some(InvocationError::NotInvoked(why)) if why.contains("cannot be assumed by Lambda")
    );
    let name = &environment.variables.lambda_execution_role;
    let place = format!("in account {admin}, on role {name}, in its trust policy");
    let statement = grants.execution_role.trust_policy.statements.first();
    match verdict::of_trust(&role.trust_policy, &request) {
        Verdict::Allowed if denied => {
            let cause = "Lambda cannot assume the role although its trust policy allows it: the policy may have been changed a \
                         moment ago, or the role re-created since the deployment";
            Check::failed(
                CheckId::LambdaTrust,
                "Lambda could not assume the role",
                vec![Cause::possible(CauseId::NotYetConsistent, cause).likely()],
            )
            .fix(format!(
                "wait a minute, then run `cargo xtask deploy --env {}`",
                environment.stage
            ))
        }
        Verdict::Allowed => Check::ok(CheckId::LambdaTrust, "Lambda can assume the role"),
        Verdict::Unclear(what) => Check::unknown(
            CheckId::LambdaTrust,
            format!("depends on {}", joined(&what)),
        ),
        Verdict::Denied(reasons) => {
            let causes = reasons
                .iter()
                .map(|reason| {
                    let cause = trust_cause(reason, "lambda.amazonaws.com");
                    match statement.filter(|_| cause.id != CauseId::ExplicitDeny) {
                        Some(statement) => cause.fixed_by(&place, statement.clone()),
                        None => cause,
                    }
                })
                .collect();
            let fix = apply_admin(environment);
            Check::failed(
                CheckId::LambdaTrust,
                "Lambda cannot assume the role",
                causes,
            )
            .fix(fix)
        }
    }
}

/// The statements that the execution role should have. Statements with the same `Sid` in several policies are merged.
fn expected(grants: &Grants) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    for statement in grants.execution_role.all_permissions().statements {
        if statement.effect != Effect::Allow {
            continue;
        }
        match all.iter_mut().find(|one| one.sid == statement.sid) {
            Some(Statement {
                resources: Some(Set::Only(resources)),
                ..
            }) => {
                if let Some(Set::Only(more)) = statement.resources {
                    resources.extend(more);
                }
            }
            _ => all.push(statement),
        }
    }
    all
}

/// The check for a statement, by its action.
fn id_of(statement: &Statement) -> CheckId {
    [
        ("sts", CheckId::AssumePermission),
        ("organizations", CheckId::OrganizationPermission),
        ("s3", CheckId::OwnListPermission),
        ("xray", CheckId::TracePermission),
    ]
    .into_iter()
    .find(|(service, _)| statement.may_match_service(service))
    .map_or(CheckId::LogPermission, |(_, id)| id)
}

/// A permission that the role needs.
struct Permission {
    action: String,
    resource: String,
    context: Context,
}

impl Permission {
    fn label(&self) -> String {
        match self.resource.as_str() {
            "*" => self.action.clone(),
            resource => format!("{} on {resource}", self.action),
        }
    }

    fn verdict(&self, policies: &Policies) -> Verdict {
        let request = Request {
            action: &self.action,
            resource: Some(&self.resource),
            caller: None,
            context: self.context.clone(),
        };
        policies.verdict(&[request])
    }
}

/// The permissions that a statement gives: each action on each resource.
fn permissions_of(statement: &Statement) -> Vec<Permission> {
    let (Set::Only(actions), Some(Set::Only(resources))) =
        (&statement.actions, &statement.resources)
    else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for action in actions {
        for resource in resources {
            all.push(Permission {
                action: action.clone(),
                resource: match resource.strip_suffix(":*") {
                    // Any stream of the log group.
                    Some(group) => format!("{group}:log-stream:any"),
                    None => resource.clone(),
                },
                context: context_of(statement),
            });
        }
    }
    all
}

/// The request context in which the conditions of a statement are met. The organization may differ from `organization-id`,
/// which is one of the causes if STS denies a request.
fn context_of(statement: &Statement) -> Context {
    let mut context = Context::default();
    for condition in &statement.conditions {
        context = context.with(&condition.key, condition.values.first().map(String::as_str));
    }
    context
}

fn permission(
    environment: &Environment,
    id: CheckId,
    statement: &Statement,
    verdicts: &[(String, Verdict)],
) -> Check {
    let arn = environment.execution_role_arn();
    let place = format!(
        "in account {}, on role {}, in one of its policies",
        arn.account, arn.role
    );
    let mut causes: Vec<Cause> = Vec::new();
    let mut denied = BTreeSet::new();
    let mut unclear = BTreeSet::new();
    for (label, verdict) in verdicts {
        match verdict {
            Verdict::Allowed => {}
            Verdict::Unclear(what) => unclear.extend(what.iter().cloned()),
            Verdict::Denied(reasons) => {
                denied.insert(label.as_str());
                for reason in reasons {
                    let cause = permission_cause(reason, label);
                    if !causes.iter().any(|other| other.id == cause.id) {
                        causes.push(cause);
                    }
                }
            }
        }
    }
    if !denied.is_empty() {
        let denied: Vec<&str> = denied.into_iter().collect();
        let found = format!("the role is not allowed {}", some_of(&denied));
        let causes = causes
            .into_iter()
            .map(|cause| match cause.id {
                CauseId::PermissionMissing | CauseId::ConditionNotMet => {
                    cause.fixed_by(&place, statement.clone())
                }
                _ => cause,
            })
            .collect();
        return Check::failed(id, found, causes).fix(apply_admin(environment));
    }
    if !unclear.is_empty() {
        let found = format!("depends on {}", joined(&unclear));
        return Check::unknown(id, found);
    }
    let actions: BTreeSet<String> = match &statement.actions {
        Set::Only(actions) | Set::Except(actions) => actions.clone(),
    };
    let found = match verdicts {
        [(label, _)] => format!("the role is allowed {label}"),
        _ => match verdicts.len() / actions.len().max(1) {
            1 => format!("the role is allowed {}", joined(&actions)),
            roles => format!(
                "the role is allowed {} on all {roles} roles",
                joined(&actions)
            ),
        },
    };
    Check::ok(id, found)
}

/// The fix for the execution role.
fn apply_admin(environment: &Environment) -> String {
    format!(
        "run `cargo xtask roles --env {} --apply admin`, or add the statement yourself",
        environment.stage
    )
}

/// Joins the first few.
fn some_of(all: &[&str]) -> String {
    const MAX_SHOWN: usize = 3;
    match all.len().saturating_sub(MAX_SHOWN) {
        0 => all.join(", "),
        more => format!("{}, and {more} more", all[..MAX_SHOWN].join(", ")),
    }
}
