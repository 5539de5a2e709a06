//! The additional names that the roles' templates can use.

use serde::Serialize;

use super::File;
use crate::policy::{Assumes, Grants, TargetAccounts, TargetRole};
use environment::{Environment, Trust};

/// The names that a role's template can use in addition to those of [`Context`](super::context::Context), which they override.
///
/// Every name is always defined; missing values are `none` or an empty list.
#[derive(Debug, Default, Serialize)]
pub(super) struct RoleContext {
    /// The file's name, without `.yml`.
    file: String,
    /// `role` or `account`.
    trust: &'static str,
    organization_id: Option<String>,
    /// `NAME` or `path/NAME`.
    permissions_boundary: Option<String>,
    /// The ARN of the Admin account's permissions boundary.
    permissions_boundary_arn: Option<String>,
    /// The roles in the inline policy.
    assume_role_arns: Vec<String>,
    /// The roles that exceed the inline policy's quota, one list for each managed policy.
    more_assume_role_arns: Vec<Vec<String>>,
    /// The role in every account of an organization.
    organization_role_arn: Option<String>,
    organization_actions: Vec<&'static str>,
    lists_own_account: bool,
    #[serde(flatten)]
    target: Option<TargetContext>,
}

/// The values that differ between the files of Target roles.
#[derive(Debug, Serialize)]
struct TargetContext {
    /// The account, if the file is for a single account.
    target_account_id: Option<String>,
    target_role_arn: Option<String>,
    target_role_name: String,
    target_role_path: String,
    external_id: Option<String>,
}

impl RoleContext {
    pub(super) fn of_admin(environment: &Environment, grants: &Grants) -> Self {
        let (inline, managed, pattern) = match &grants.assumes {
            Assumes::Roles { inline, managed } => (inline.clone(), managed.clone(), None),
            Assumes::Organization { pattern, .. } => {
                (Vec::new(), Vec::new(), Some(pattern.clone()))
            }
        };
        Self {
            assume_role_arns: inline,
            more_assume_role_arns: managed,
            organization_role_arn: pattern,
            organization_actions: grants.organization_actions.clone(),
            lists_own_account: grants.lists_own_account,
            ..Self::of_both(environment, &File::AdminRole)
        }
    }

    pub(super) fn of_target(environment: &Environment, file: &File, target: &TargetRole) -> Self {
        let account = match (file, &target.accounts) {
            (File::TargetRoleOf(account), _) => Some(account),
            (_, TargetAccounts::These(accounts)) if accounts.len() == 1 => Some(&accounts[0].0),
            _ => None,
        };
        let role = &target.role;
        let partition = environment.partition();
        Self {
            target: Some(TargetContext {
                target_account_id: account.map(ToString::to_string),
                target_role_arn: account.map(|account| {
                    format!(
                        "arn:{partition}:iam::{account}:role{}{}",
                        role.path, role.name
                    )
                }),
                target_role_name: role.name.clone(),
                target_role_path: role.path.clone(),
                external_id: target.external_id.as_ref().map(ToString::to_string),
            }),
            ..Self::of_both(environment, file)
        }
    }

    fn of_both(environment: &Environment, file: &File) -> Self {
        let variables = &environment.variables;
        let path = file.path();
        let name = path.rsplit('/').next().unwrap_or_default();
        let boundary = variables.permissions_boundary.as_ref();
        let (partition, admin) = (environment.partition(), &variables.admin_account_id);
        Self {
            file: name.trim_end_matches(".yml").to_owned(),
            trust: match variables.trust {
                Trust::Role => "role",
                Trust::Account => "account",
            },
            organization_id: variables.organization_id.as_ref().map(ToString::to_string),
            permissions_boundary: boundary.map(ToString::to_string),
            permissions_boundary_arn: boundary
                .map(|policy| format!("arn:{partition}:iam::{admin}:policy/{policy}")),
            ..Self::default()
        }
    }
}
