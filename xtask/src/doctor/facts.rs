//! Collects what AWS shows: read by the caller and with the given profiles, and by invoking the function.

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

/// What is deployed, read from one or more accounts.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Read by the caller.
    own: Snapshot,
    /// Read with other profiles.
    others: Vec<Snapshot>,
    /// The configuration of the function, read by the caller.
    pub(super) configuration: Part<FunctionConfiguration>,
    /// The results of invoking the function, if it was invoked.
    pub(super) evidence: Option<Evidence>,
}

/// What could be read of a role.
#[derive(Debug, Clone, Copy)]
pub(super) enum RoleView<'a> {
    /// The role.
    Role(&'a DeployedRole),
    /// No role has this name.
    Missing,
    /// Reading it failed.
    Unreadable(&'a Unreadable),
    /// There were no credentials for its account.
    NotRead,
}

/// The message if the caller is not in the Admin account.
pub(super) fn not_in_admin(environment: &Environment) -> String {
    format!(
        "cannot be read without credentials for account {}",
        environment.variables.admin_account_id
    )
}

/// Reads what is deployed, as the caller and with each of `profiles`.
///
/// # Errors
/// Fails if the operator cannot be built or returns an unexpected result.
pub(super) fn gather(
    workspace: &Workspace,
    environment: &Environment,
    grants: &Grants,
    profiles: &[String],
) -> Result<Facts> {
    let region = &environment.variables.region;
    let operator = Operator::new(workspace, region)?;
    let target_roles = grants.target_role_names()?;
    let step = Step::begin("Reading from AWS");
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
        warn_if_useless(profile, &seen, environment, grants);
        others.push(seen);
    }
    step.done("");
    let mut facts = Facts {
        own,
        others,
        configuration: Part::Absent,
        evidence: None,
    };
    if facts.is_admin(environment) && matches!(facts.function(), Part::Ok(_)) {
        let stack = facts.own.stacks.values().next().unwrap_or(&Part::Absent);
        facts.configuration = configuration::deployed(&operator, facts.function(), stack);
        let step = Step::begin("Invoking the function");
        facts.evidence = Some(invoke(&operator, environment));
        step.done("");
    }
    Ok(facts)
}

/// Warns about a profile that does not help.
fn warn_if_useless(profile: &str, seen: &Snapshot, environment: &Environment, grants: &Grants) {
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
                    "warning: profile `{profile}` belongs to account {}, which is not a target of stage `{}`",
                    caller.account, environment.stage
                ));
            }
        }
        Some(Part::Absent) | None => {}
        Some(Part::Unreadable(why)) => {
            let prefix = format!("profile `{profile}`: ");
            let message = why.message.strip_prefix(&prefix).unwrap_or(&why.message);
            console::note(&format!(
                "warning: profile `{profile}` could not be used: {message}"
            ));
        }
    }
}

/// Invokes the function until it has reported every account.
fn invoke(operator: &Operator<'_>, environment: &Environment) -> Evidence {
    let selection = environment.selection();
    let one = match &selection {
        Selection::Single(target) => Some(target),
        Selection::Fleet(_) => None,
    };
    let mut evidence = Evidence::default();
    let called = operator.invoke_to_end(&environment.function_name(), |invocation| {
        Ok(evidence.note(invocation, one))
    });
    match called {
        Ok(_) => evidence,
        Err(error) => Evidence::not_invoked(&format!("{error:#}")),
    }
}

impl Facts {
    /// The caller.
    pub(super) fn caller(&self) -> &Part<Identity> {
        self.own.caller.as_ref().unwrap_or(&Part::Absent)
    }

    /// Returns true if the caller is in the Admin account.
    pub(super) fn is_admin(&self, environment: &Environment) -> bool {
        is_of(&self.own, &environment.variables.admin_account_id)
            && self
                .partition()
                .is_none_or(|partition| partition == environment.partition())
    }

    /// The partition of the caller.
    pub(super) fn partition(&self) -> Option<Partition> {
        self.caller().ok()?.partition.parse().ok()
    }

    /// The role with the account and name of `arn`, regardless of its path.
    pub(super) fn role(&self, arn: &RoleArn) -> RoleView<'_> {
        let mut seen = RoleView::NotRead;
        let all = std::iter::once(&self.own).chain(&self.others);
        for deployed in all.filter(|deployed| is_of(deployed, &arn.account)) {
            match deployed.roles.get(&arn.role) {
                Some(Part::Ok(role)) => return RoleView::Role(role),
                Some(Part::Absent) => return RoleView::Missing,
                Some(Part::Unreadable(why)) => seen = RoleView::Unreadable(why),
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
    /// Creates facts for a test.
    pub(super) fn of(
        own: Snapshot,
        others: Vec<Snapshot>,
        configuration: Part<FunctionConfiguration>,
        evidence: Option<Evidence>,
    ) -> Self {
        Self {
            own,
            others,
            configuration,
            evidence,
        }
    }
}
