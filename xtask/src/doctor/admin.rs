//! The Admin account's side: who asks, and the execution role.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use contract::RoleArn;
use iam_policy::{Caller, Context, Effect, Request, Set, Statement};
use operator_api::{DeployedRole, Part};

use super::{
    evidence::Fault,
    facts::{Facts, Seen, not_in_admin},
    function,
    reasons::{listed, of_permission_reason, of_trust_reason},
    report::{Cause, CauseId, Check, Id, Status},
    verdict::{self, Policies, Reason, Verdict},
};
use crate::{policy::Grants, sys::workspace::Workspace};
use environment::Environment;

/// AWS's codes of credentials that are missing or not taken; every other code says nothing of them.
const OF_CREDENTIALS: [&str; 7] = [
    "NoCredentials",
    "CredentialsNotLoaded",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
];

/// The checks, and what they say of each role that is assumed: whether the execution role may.
#[derive(Debug)]
pub(super) struct AdminSide {
    /// In their order.
    pub(super) checks: Vec<Check>,
    /// Why the function cannot get as far as the targets' roles, by the check that says so.
    pub(super) blocked: Option<Id>,
    /// What its policies say of each role that is assumed.
    assumes: BTreeMap<RoleArn, Verdict>,
}

impl AdminSide {
    /// What the execution role's policies say of assuming `role`.
    pub(super) fn assumes(&self, role: &RoleArn) -> Option<&Verdict> {
        self.assumes.get(role)
    }
}

/// Looks at all of it.
///
/// # Errors
/// A file of the workspace cannot be read.
pub(super) fn examine(
    workspace: &Workspace,
    environment: &Environment,
    grants: &Grants,
    targets: &[RoleArn],
    facts: &Facts,
) -> Result<AdminSide> {
    let mut side = AdminSide {
        checks: vec![caller(environment, facts)],
        blocked: None,
        assumes: BTreeMap::new(),
    };
    let arn = environment.execution_role_arn();
    let seen = facts.role(&arn);
    side.checks.push(execution_role(environment, &arn, seen));
    match seen {
        Seen::Role(role) => {
            if role.arn != arn.to_string() {
                side.blocked = Some(Id::ExecutionRole);
            }
            let trust = lambda_trust(environment, grants, role, facts);
            if trust.status == Status::Failed {
                side.blocked = side.blocked.or(Some(Id::LambdaTrust));
            }
            side.checks.push(trust);
            side.permissions(environment, grants, targets, role);
        }
        Seen::Missing => {
            side.blocked = Some(Id::ExecutionRole);
            side.not_told(grants, "there is no execution role to look at");
        }
        Seen::Unreadable(why) => side.not_told(grants, &format!("not readable ({})", why.code)),
        Seen::NotAsked => side.not_told(grants, &not_in_admin(environment)),
    }
    if let Part::Ok(function) = facts.function()
        && facts.is_admin(environment)
        && function::asks_for_another(environment, function, &facts.told)
    {
        side.blocked = side.blocked.or(Some(Id::Function));
    }
    side.checks
        .push(function::check(workspace, environment, facts)?);
    Ok(side)
}

impl AdminSide {
    /// A check for each statement that the execution role should have.
    fn permissions(
        &mut self,
        environment: &Environment,
        grants: &Grants,
        targets: &[RoleArn],
        role: &DeployedRole,
    ) {
        let policies = Policies::of(role);
        let own = format!("::{}:role/", environment.variables.admin_account_id);
        let verdict = |asked: &Asked| match asked.verdict(&policies) {
            // Within one account, a trust policy that names a role is enough (IAM user guide, "Cross-account policy
            // evaluation logic").
            Verdict::Refused(reasons)
                if reasons == [Reason::NoStatement] && asked.resource.contains(&own) =>
            {
                let what = "its trust policy, which is enough within one account";
                Verdict::Unclear(BTreeSet::from([what.to_owned()]))
            }
            verdict => verdict,
        };
        for statement in expected(grants) {
            let id = id_of(&statement);
            let verdicts = requests(&statement)
                .iter()
                .map(|asked| (asked.label(), verdict(asked)))
                .collect::<Vec<_>>();
            if id == Id::AssumePermission {
                for target in targets {
                    let asked = Asked {
                        action: "sts:AssumeRole".to_owned(),
                        resource: target.to_string(),
                        context: context_of(&statement),
                    };
                    self.assumes.insert(target.clone(), verdict(&asked));
                }
            }
            self.checks
                .push(permission(environment, id, &statement, &verdicts));
        }
    }

    /// Nothing can be said of the role.
    fn not_told(&mut self, grants: &Grants, why: &str) {
        self.checks.push(Check::unknown(Id::LambdaTrust, why));
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
                Id::Caller,
                found,
                vec![Cause::seen(CauseId::WrongAccount, cause)],
            )
            .fix(format!(
                "use credentials of account {admin}: `AWS_PROFILE=… cargo xtask doctor --env {stage}`"
            ))
        }
        Part::Ok(caller) if !facts.is_admin(environment) => {
            let cause = format!(
                "region {} of stage `{stage}` lies in partition {}",
                environment.variables.region,
                environment.partition()
            );
            Check::failed(
                Id::Caller,
                &caller.arn,
                vec![Cause::seen(CauseId::WrongPartition, cause)],
            )
        }
        Part::Ok(caller) => Check::ok(Id::Caller, format!("{} in the Admin account", caller.arn)),
        Part::Absent => Check::unknown(Id::Caller, "STS does not say who you are"),
        Part::Unreadable(why) => {
            let found = why.message.lines().next().unwrap_or_default();
            let check = if OF_CREDENTIALS.contains(&why.code.as_str()) {
                let cause = Cause::seen(CauseId::NoCredentials, &why.message);
                Check::failed(Id::Caller, why.code.as_str(), vec![cause])
            } else {
                Check::unknown(Id::Caller, found)
            };
            match &why.hint {
                Some(hint) => check.fix(hint),
                None => check,
            }
        }
    }
}

fn execution_role(environment: &Environment, arn: &RoleArn, seen: Seen<'_>) -> Check {
    let stage = &environment.stage;
    let make = format!("cargo xtask roles --env {stage} --apply admin");
    match seen {
        Seen::Role(role) if role.arn == arn.to_string() => Check::ok(Id::ExecutionRole, &role.arn),
        Seen::Role(role) => {
            let cause = format!(
                "a role of that name has another path, and its ARN is {}",
                role.arn
            );
            Check::failed(
                Id::ExecutionRole,
                format!("there is no {arn}"),
                vec![Cause::seen(CauseId::RolePath, cause)],
            )
            .fix(format!(
                "write its path in {} (`path/NAME`), or make the role: {make}",
                environment.source
            ))
        }
        Seen::Missing => {
            let cause = format!(
                "account {} has no role called {}",
                arn.account,
                arn.role.name()
            );
            Check::failed(
                Id::ExecutionRole,
                format!("there is no {arn}"),
                vec![Cause::seen(CauseId::RoleMissing, cause)],
            )
            .fix(make)
        }
        Seen::Unreadable(why) => Check::unknown(
            Id::ExecutionRole,
            why.message.lines().next().unwrap_or_default(),
        ),
        Seen::NotAsked => Check::unknown(Id::ExecutionRole, not_in_admin(environment)),
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
    let refused = matches!(
        facts.evidence.as_ref().and_then(|evidence| evidence.fault.as_ref()),
        Some(Fault::NotCalled(why)) if why.contains("cannot be assumed by Lambda")
    );
    let name = &environment.variables.lambda_execution_role;
    let place = format!("in account {admin}, on role {name}, in its trust policy");
    let statement = grants.execution_role.trust_policy.statements.first();
    match verdict::of_trust(&role.trust_policy, &request) {
        Verdict::Allowed if refused => {
            let cause = "Lambda says that it cannot assume the role, whose trust policy lets it: it may have been \
                         changed a moment ago, or made anew since the deployment";
            Check::failed(
                Id::LambdaTrust,
                "Lambda could not assume the role",
                vec![Cause::possible(CauseId::NotYetConsistent, cause).likely()],
            )
            .fix(format!(
                "wait a minute, then `cargo xtask deploy --env {}`",
                environment.stage
            ))
        }
        Verdict::Allowed => Check::ok(Id::LambdaTrust, "Lambda may assume the role"),
        Verdict::Unclear(what) => Check::unknown(
            Id::LambdaTrust,
            format!("cannot tell: it depends on {}", listed(&what)),
        ),
        Verdict::Refused(reasons) => {
            let causes = reasons
                .iter()
                .map(|reason| {
                    let cause = of_trust_reason(reason, "lambda.amazonaws.com");
                    match statement.filter(|_| cause.id != CauseId::ExplicitDeny) {
                        Some(statement) => cause.mended_by(&place, statement.clone()),
                        None => cause,
                    }
                })
                .collect();
            let fix = apply_admin(environment);
            Check::failed(Id::LambdaTrust, "Lambda may not assume the role", causes).fix(fix)
        }
    }
}

/// Every statement that the execution role should have; those of one name, in several policies, as one.
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

/// The check that a statement is for, by its action.
fn id_of(statement: &Statement) -> Id {
    [
        ("sts", Id::AssumePermission),
        ("organizations", Id::OrganizationPermission),
        ("s3", Id::OwnListPermission),
        ("xray", Id::TracePermission),
    ]
    .into_iter()
    .find(|(service, _)| statement.may_match_service(service))
    .map_or(Id::LogPermission, |(_, id)| id)
}

/// Something to be allowed.
struct Asked {
    action: String,
    resource: String,
    context: Context,
}

impl Asked {
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

/// Each action of a statement on each of its resources.
fn requests(statement: &Statement) -> Vec<Asked> {
    let (Set::Only(actions), Some(Set::Only(resources))) =
        (&statement.actions, &statement.resources)
    else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for action in actions {
        for resource in resources {
            all.push(Asked {
                action: action.clone(),
                resource: match resource.strip_suffix(":*") {
                    // Any of the streams of a log group.
                    Some(group) => format!("{group}:log-stream:any"),
                    None => resource.clone(),
                },
                context: context_of(statement),
            });
        }
    }
    all
}

/// The conditions of what should be deployed, as facts: they hold where the stage is right. Whether it is, of its
/// organization, nobody asks AWS: where STS refuses, that is among the causes.
fn context_of(statement: &Statement) -> Context {
    let mut context = Context::default();
    for condition in &statement.conditions {
        context = context.with(&condition.key, condition.values.first().map(String::as_str));
    }
    context
}

fn permission(
    environment: &Environment,
    id: Id,
    statement: &Statement,
    verdicts: &[(String, Verdict)],
) -> Check {
    let arn = environment.execution_role_arn();
    let place = format!(
        "in account {}, on role {}, in a policy of its own",
        arn.account, arn.role
    );
    let mut causes: Vec<Cause> = Vec::new();
    let mut refused = BTreeSet::new();
    let mut unclear = BTreeSet::new();
    for (label, verdict) in verdicts {
        match verdict {
            Verdict::Allowed => {}
            Verdict::Unclear(what) => unclear.extend(what.iter().cloned()),
            Verdict::Refused(reasons) => {
                refused.insert(label.as_str());
                for reason in reasons {
                    let cause = of_permission_reason(reason, label);
                    if !causes.iter().any(|other| other.id == cause.id) {
                        causes.push(cause);
                    }
                }
            }
        }
    }
    if !refused.is_empty() {
        let refused: Vec<&str> = refused.into_iter().collect();
        let found = format!("the role may not {}", some_of(&refused));
        let causes = causes
            .into_iter()
            .map(|cause| match cause.id {
                CauseId::PermissionMissing | CauseId::ConditionNotMet => {
                    cause.mended_by(&place, statement.clone())
                }
                _ => cause,
            })
            .collect();
        return Check::failed(id, found, causes).fix(apply_admin(environment));
    }
    if !unclear.is_empty() {
        let found = format!("cannot tell: it depends on {}", listed(&unclear));
        return Check::unknown(id, found);
    }
    let actions: BTreeSet<String> = match &statement.actions {
        Set::Only(actions) | Set::Except(actions) => actions.clone(),
    };
    let found = match verdicts {
        [(label, _)] => format!("the role may {label}"),
        _ => match verdicts.len() / actions.len().max(1) {
            1 => format!("the role may {}", listed(&actions)),
            roles => format!("the role may {} on all {roles} roles", listed(&actions)),
        },
    };
    Check::ok(id, found)
}

/// How the execution role gets what it should have.
fn apply_admin(environment: &Environment) -> String {
    format!(
        "cargo xtask roles --env {} --apply admin, or put the statement there",
        environment.stage
    )
}

/// The first few of `all`.
fn some_of(all: &[&str]) -> String {
    const MOST: usize = 3;
    match all.len().saturating_sub(MOST) {
        0 => all.join(", "),
        more => format!("{}, and {more} more", all[..MOST].join(", ")),
    }
}
