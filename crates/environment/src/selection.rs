//! Derives the selected accounts from the variables.

use contract::{Access, Accounts, Organization, Selection, Target, TargetsFile, Units};

use super::variables::{OrganizationVariables, TargetVariables, Variables};

/// Returns the accounts that the variables select.
///
/// # Errors
/// What [`rules`](super::rules) have reported already.
pub(super) fn selection(variables: &Variables) -> Result<Selection, String> {
    let forms = (
        &variables.target_account_id,
        &variables.targets,
        &variables.organization,
    );
    let accounts = match forms {
        (Some(account), None, None) => {
            return Ok(Selection::Single(Target {
                account: account.clone(),
                name: None,
                access: Access::Role {
                    role: variables.s3_read_role.clone().ok_or_else(no_role)?,
                    external_id: variables.external_id.clone(),
                },
                region: None,
            }));
        }
        (None, Some(targets), None) => {
            let targets = targets.iter().map(|own| target(own, variables));
            Accounts::Targets(targets.collect::<Result<_, _>>()?)
        }
        (None, None, Some(organization)) => {
            Accounts::Organization(of_organization(organization, variables)?)
        }
        _ => {
            return Err(
                "expected one of `target-account-id`, `targets` and `organization`".to_owned(),
            );
        }
    };
    TargetsFile::new(variables.function.concurrency, accounts)
        .map(Selection::Fleet)
        .map_err(|error| error.to_string())
}

fn target(own: &TargetVariables, variables: &Variables) -> Result<Target, String> {
    let access = if own.role.is_none() && own.account_id == variables.admin_account_id {
        Access::Own
    } else {
        let role = own.role.as_ref().or(variables.s3_read_role.as_ref());
        let external_id = own.external_id.as_ref().or(variables.external_id.as_ref());
        Access::Role {
            role: role.cloned().ok_or_else(no_role)?,
            external_id: external_id.cloned(),
        }
    };
    Ok(Target {
        account: own.account_id.clone(),
        name: own.name.clone(),
        access,
        region: own.region.clone(),
    })
}

fn of_organization(
    own: &OrganizationVariables,
    variables: &Variables,
) -> Result<Organization, String> {
    let role = own.role.as_ref().or(variables.s3_read_role.as_ref());
    Ok(Organization {
        admin: variables.admin_account_id.clone(),
        units: match &own.units {
            Some(units) => Units::Some(units.clone()),
            None => Units::All,
        },
        exclude: own.exclude.clone(),
        role: role.cloned().ok_or_else(no_role)?,
        external_id: variables.external_id.clone(),
    })
}

fn no_role() -> String {
    "`s3-read-role` is missing".to_owned()
}
