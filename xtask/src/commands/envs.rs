//! Subcommand: list the stages.

use anyhow::Result;
use contract::Stage;
use serde::Serialize;

use crate::{
    cli, console,
    environment::{self, Environment},
    workspace::Workspace,
};

/// A stage that is not valid is listed as such: this command shows what there is, and `check` judges it.
pub(crate) fn run(workspace: &Workspace, flags: &cli::Envs) -> Result<()> {
    let rows = environment::stages(workspace)?
        .into_iter()
        .map(|stage| Row::of(&stage, environment::load(workspace, stage.as_str())))
        .collect::<Vec<_>>();
    let text = if flags.json {
        format!("{}\n", serde_json::to_string_pretty(&rows)?)
    } else {
        table(&rows)
    };
    console::result(&text)?;
    if rows.iter().any(|row| !row.valid) {
        console::note(
            "hint: `cargo xtask check` says what is wrong with the stages that are not valid",
        );
    }
    Ok(())
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    stage: String,
    valid: bool,
    #[serde(flatten)]
    facts: Option<Facts>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    region: String,
    admin_account_id: String,
    execution_role: String,
    target_account_id: String,
    s3_read_role: String,
    protected: bool,
}

impl Row {
    fn of(stage: &Stage, environment: Result<Environment>) -> Self {
        let facts = environment.ok().map(|environment| {
            let target = environment.target();
            Facts {
                region: environment.variables.region.to_string(),
                admin_account_id: environment.variables.admin_account_id.to_string(),
                execution_role: environment.variables.lambda_execution_role.to_string(),
                target_account_id: target.account.to_string(),
                s3_read_role: environment.variables.s3_read_role.to_string(),
                protected: environment.variables.protected,
            }
        });
        Self {
            stage: stage.to_string(),
            valid: facts.is_some(),
            facts,
        }
    }
}

fn table(rows: &[Row]) -> String {
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
    let lines = rows.iter().map(|row| match &row.facts {
        Some(facts) => [
            row.stage.clone(),
            facts.region.clone(),
            facts.admin_account_id.clone(),
            facts.execution_role.clone(),
            facts.target_account_id.clone(),
            facts.s3_read_role.clone(),
            if facts.protected {
                "valid, protected"
            } else {
                "valid"
            }
            .to_owned(),
        ],
        None => [&row.stage, "-", "-", "-", "-", "-", "not valid"].map(str::to_owned),
    });
    console::columns(&std::iter::once(header).chain(lines).collect::<Vec<_>>())
}
