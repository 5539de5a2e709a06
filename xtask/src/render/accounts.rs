//! The template names for the accounts that a stage lists.

use contract::{
    Accounts as Form, Organization as Found, Partition, Selection, Target, UnitId, Units,
};
use serde::Serialize;

use environment::Environment;

/// The accounts of a stage. The names of the single-account form are `none` if the stage has many accounts; `targets` contains a
/// single account too.
#[derive(Debug, Serialize)]
pub(super) struct Accounts {
    target_account_id: Option<String>,
    target_role_arn: Option<String>,
    target_role_name: Option<String>,
    target_role_path: Option<String>,
    external_id: Option<String>,
    /// Every account in the variables file, in its order; empty for an organization.
    targets: Vec<TargetNames>,
    organization: Option<Organization>,
}

/// An account. Without a role, the function lists it with the execution role's credentials.
#[derive(Debug, Serialize)]
struct TargetNames {
    account_id: String,
    name: Option<String>,
    role_arn: Option<String>,
    role_name: Option<String>,
    role_path: Option<String>,
    external_id: Option<String>,
    region: Option<String>,
}

/// The accounts of an organization.
#[derive(Debug, Serialize)]
struct Organization {
    /// `None` for the whole organization.
    units: Option<Vec<String>>,
    exclude: Vec<String>,
    /// The roles to assume, as a policy's resource: an ARN with `*` as the account.
    role_arn: String,
    role_name: String,
    role_path: String,
    external_id: Option<String>,
}

impl Accounts {
    pub(super) fn of(environment: &Environment) -> Self {
        let partition = environment.partition();
        let account = |target| TargetNames::of(target, partition);
        let (targets, organization) = match environment.selection() {
            Selection::Single(target) => (vec![account(target)], None),
            Selection::Fleet(file) => match file.accounts() {
                Form::Targets(targets) => (targets.iter().map(account).collect(), None),
                Form::Organization(found) => (Vec::new(), Some(Organization::of(found, partition))),
            },
        };
        let one = environment.target().map(account);
        let one = one.as_ref();
        Self {
            target_account_id: one.map(|one| one.account_id.clone()),
            target_role_arn: one.and_then(|one| one.role_arn.clone()),
            target_role_name: one.and_then(|one| one.role_name.clone()),
            target_role_path: one.and_then(|one| one.role_path.clone()),
            external_id: one.and_then(|one| one.external_id.clone()),
            targets,
            organization,
        }
    }
}

impl TargetNames {
    fn of(target: &Target, partition: Partition) -> Self {
        let role = target.role();
        Self {
            account_id: target.account.to_string(),
            name: target.name.as_ref().map(ToString::to_string),
            role_arn: target.role_arn(partition).map(|arn| arn.to_string()),
            role_name: role.map(|role| role.name().to_owned()),
            role_path: role.map(contract::RoleName::path),
            external_id: target.external_id().map(ToString::to_string),
            region: target.region.as_ref().map(ToString::to_string),
        }
    }
}

impl Organization {
    fn of(found: &Found, partition: Partition) -> Self {
        Self {
            units: match &found.units {
                Units::All => None,
                Units::Some(units) => Some(units.iter().map(UnitId::to_string).collect()),
            },
            exclude: found.exclude.iter().map(ToString::to_string).collect(),
            role_arn: format!("arn:{partition}:iam::*:role/{}", found.role),
            role_name: found.role.name().to_owned(),
            role_path: found.role.path(),
            external_id: found.external_id.as_ref().map(ToString::to_string),
        }
    }
}
