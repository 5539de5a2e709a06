//! What AWS shows: read as the caller, as whoever else may read a Target account's roles, and by calling the function.

use anyhow::Result;
use contract::{AccountId, FunctionConfiguration, Partition, RoleArn, Selection};
use operator_api::{
    DeployedFunction, DeployedRole, DeployedStack, Identity, Part, Snapshot, Unreadable,
};

use super::evidence::Evidence;
use crate::{
    inspect::{
        configuration,
        operator::{Operator, Query},
    },
    policy::{Grants, TargetAccounts},
    sys::{
        console::{self, Step},
        workspace::Workspace,
    },
};
use environment::Environment;

/// What is deployed, seen from one or several accounts.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Seen by the caller.
    own: Snapshot,
    /// Seen with other profiles.
    others: Vec<Snapshot>,
    /// What the function is told, seen by the caller.
    pub(super) told: Part<FunctionConfiguration>,
    /// What calling the function showed; nothing where it was not called.
    pub(super) evidence: Option<Evidence>,
}

/// A role, as far as it can be seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    /// It is there.
    Role(&'a DeployedRole),
    /// There is none of that name.
    Missing,
    /// It may not be read.
    Unreadable(&'a Unreadable),
    /// Nobody of that account was asked.
    NotAsked,
}

/// Why nothing of the Admin account is seen.
pub(super) fn not_in_admin(environment: &Environment) -> String {
    format!(
        "not visible without credentials of account {}",
        environment.variables.admin_account_id
    )
}

/// Asks AWS: as the caller, and with each of `profiles`.
///
/// # Errors
/// The operator does not build, or answers something else than it should.
pub(super) fn gather(
    workspace: &Workspace,
    environment: &Environment,
    grants: &Grants,
    profiles: &[String],
) -> Result<Facts> {
    let region = &environment.variables.region;
    let operator = Operator::new(workspace, region)?;
    let target_roles = grants.target_role_names()?;
    let step = Step::begin("Asking AWS");
    let mut roles = target_roles.clone();
    roles.push(environment.variables.lambda_execution_role.clone());
    roles.sort();
    roles.dedup();
    let query = Query {
        roles,
        functions: vec![environment.function_name()],
        stacks: vec![environment.stack_name()],
    };
    let own = operator.inspect(&query)?;
    let mut others = Vec::new();
    for profile in profiles {
        let query = Query {
            roles: target_roles.clone(),
            ..Query::default()
        };
        let seen = Operator::of_profile(workspace, region, profile)?.inspect(&query)?;
        warn_of(profile, &seen, environment, grants);
        others.push(seen);
    }
    step.done("");
    let mut facts = Facts {
        own,
        others,
        told: Part::Absent,
        evidence: None,
    };
    if facts.is_admin(environment) && matches!(facts.function(), Part::Ok(_)) {
        let stack = facts.own.stacks.values().next().unwrap_or(&Part::Absent);
        facts.told = configuration::deployed(&operator, facts.function(), stack);
        let step = Step::begin("Calling the function");
        facts.evidence = Some(call(&operator, environment));
        step.done("");
    }
    Ok(facts)
}

/// Says so where a profile is of no use.
fn warn_of(profile: &str, seen: &Snapshot, environment: &Environment, grants: &Grants) {
    match &seen.caller {
        Some(Part::Ok(caller)) => {
            let is_target = grants.target_roles.iter().any(|role| match &role.accounts {
                TargetAccounts::These(accounts) => accounts
                    .iter()
                    .any(|(account, _)| *account == caller.account),
                TargetAccounts::Organization(_) => true,
            });
            if !is_target {
                console::note(&format!(
                    "warning: profile `{profile}` is of account {}, which is no target of stage `{}`",
                    caller.account, environment.stage
                ));
            }
        }
        Some(Part::Absent) | None => {}
        Some(Part::Unreadable(why)) => console::note(&format!(
            "warning: profile `{profile}` is of no use: {}",
            why.message
        )),
    }
}

/// Calls the function until it has told of every account.
fn call(operator: &Operator<'_>, environment: &Environment) -> Evidence {
    let selection = environment.selection();
    let one = match &selection {
        Selection::One(target) => Some(target),
        Selection::Many(_) => None,
    };
    let mut evidence = Evidence::default();
    let called = operator.invoke_to_end(&environment.function_name(), |invocation| {
        Ok(evidence.note(invocation, one))
    });
    match called {
        Ok(_) => evidence,
        Err(error) => Evidence::not_called(&format!("{error:#}")),
    }
}

impl Facts {
    /// Who asked.
    pub(super) fn caller(&self) -> &Part<Identity> {
        self.own.caller.as_ref().unwrap_or(&Part::Absent)
    }

    /// Whether who asked is in the Admin account.
    pub(super) fn is_admin(&self, environment: &Environment) -> bool {
        is_of(&self.own, &environment.variables.admin_account_id)
            && self
                .partition()
                .is_none_or(|partition| partition == environment.partition())
    }

    /// The partition of who asked.
    pub(super) fn partition(&self) -> Option<Partition> {
        self.caller().ok()?.partition.parse().ok()
    }

    /// The role of that ARN's account and name, whatever its path.
    pub(super) fn role(&self, arn: &RoleArn) -> Seen<'_> {
        let mut seen = Seen::NotAsked;
        let all = std::iter::once(&self.own).chain(&self.others);
        for deployed in all.filter(|deployed| is_of(deployed, &arn.account)) {
            match deployed.roles.get(&arn.role) {
                Some(Part::Ok(role)) => return Seen::Role(role),
                Some(Part::Absent) => return Seen::Missing,
                Some(Part::Unreadable(why)) => seen = Seen::Unreadable(why),
                None => {}
            }
        }
        seen
    }

    /// The function.
    pub(super) fn function(&self) -> &Part<DeployedFunction> {
        self.own.functions.values().next().unwrap_or(&Part::Absent)
    }

    /// The function's stack.
    pub(super) fn stack(&self) -> Option<&DeployedStack> {
        match self.own.stacks.values().next()? {
            Part::Ok(stack) => Some(stack),
            Part::Absent | Part::Unreadable(_) => None,
        }
    }
}

fn is_of(deployed: &Snapshot, account: &AccountId) -> bool {
    matches!(&deployed.caller, Some(Part::Ok(caller)) if caller.account == *account)
}

#[cfg(test)]
impl Facts {
    /// What a test says is deployed.
    pub(super) fn of(
        own: Snapshot,
        others: Vec<Snapshot>,
        told: Part<FunctionConfiguration>,
        evidence: Option<Evidence>,
    ) -> Self {
        Self {
            own,
            others,
            told,
            evidence,
        }
    }
}
