//! Lists the stages of a workspace as a table or as JSON.

use anyhow::Result;
use contract::{Accounts, Selection, Target, Units};
use serde::Serialize;

use super::plan;
use crate::sys::console;
use environment::Environment;

/// A stage. Invalid stages are listed too; `check` reports their problems.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    stage: String,
    pub(crate) valid: bool,
    #[serde(flatten)]
    facts: Option<Facts>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    region: String,
    admin_account_id: String,
    execution_role: String,
    #[serde(flatten)]
    listed: Listed,
    protected: bool,
    #[serde(skip)]
    columns: [String; 2],
}

/// The accounts of the variables file, with defaults filled in.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Listed {
    One {
        target_account_id: String,
        s3_read_role: String,
    },
    Targets {
        targets: Vec<TargetFacts>,
    },
    Organization {
        organization: Organization,
    },
}

/// An account. Without a role, the function lists it with the execution role's credentials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetFacts {
    account_id: String,
    name: Option<String>,
    role: Option<String>,
    external_id: Option<String>,
    region: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Organization {
    /// `None` for the whole organization.
    units: Option<Vec<String>>,
    exclude: Vec<String>,
    role: String,
    external_id: Option<String>,
}

impl Listed {
    fn of(selection: &Selection) -> Self {
        match selection {
            Selection::Single(target) => Self::One {
                target_account_id: target.account.to_string(),
                s3_read_role: target.role().map_or_else(String::new, ToString::to_string),
            },
            Selection::Fleet(file) => match file.accounts() {
                Accounts::Targets(targets) => Self::Targets {
                    targets: targets.iter().map(TargetFacts::of).collect(),
                },
                Accounts::Organization(found) => Self::Organization {
                    organization: Organization {
                        units: match &found.units {
                            Units::All => None,
                            Units::Some(ids) => Some(ids.iter().map(ToString::to_string).collect()),
                        },
                        exclude: found.exclude.iter().map(ToString::to_string).collect(),
                        role: found.role.to_string(),
                        external_id: found.external_id.as_ref().map(ToString::to_string),
                    },
                },
            },
        }
    }
}

impl TargetFacts {
    fn of(target: &Target) -> Self {
        Self {
            account_id: target.account.to_string(),
            name: target.name.as_ref().map(ToString::to_string),
            role: target.role().map(ToString::to_string),
            external_id: target.external_id().map(ToString::to_string),
            region: target.region.as_ref().map(ToString::to_string),
        }
    }
}

impl Row {
    pub(crate) fn of(stage: String, environment: Result<Environment>) -> Self {
        let facts = environment.ok().map(|environment| {
            let selection = environment.selection();
            Facts {
                region: environment.variables.region.to_string(),
                admin_account_id: environment.variables.admin_account_id.to_string(),
                execution_role: environment.variables.lambda_execution_role.to_string(),
                listed: Listed::of(selection),
                protected: environment.variables.protected,
                columns: [plan::count(selection), plan::roles(selection)],
            }
        });
        Self {
            stage,
            valid: facts.is_some(),
            facts,
        }
    }
}

/// Formats the rows under a header.
pub(crate) fn table(rows: &[Row]) -> String {
    let header = [
        "STAGE",
        "REGION",
        "ADMIN",
        "EXECUTION ROLE",
        "TARGET",
        "READ ROLE",
        "STATE",
    ]
    .map(str::to_owned);
    let lines = rows.iter().map(|row| {
        // It may not be a valid stage name.
        let name = row.stage.escape_debug().to_string();
        let Some(facts) = &row.facts else {
            return [&name, "-", "-", "-", "-", "-", "not valid"].map(str::to_owned);
        };
        let state = if facts.protected {
            "valid, protected"
        } else {
            "valid"
        };
        let [target, role] = facts.columns.clone();
        [
            name,
            facts.region.clone(),
            facts.admin_account_id.clone(),
            facts.execution_role.clone(),
            target,
            role,
            state.to_owned(),
        ]
    });
    console::columns(&std::iter::once(header).chain(lines).collect::<Vec<_>>())
}
