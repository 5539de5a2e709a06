//! Rolls a stage back to a previous deployment.

use anyhow::{Context, Result, bail};
use operator_api::Part;
use serde_json::Value;

use crate::{
    cli,
    deploy::{
        guard::{self, AdminCaller},
        serverless::{Deployment, Framework},
        smoke,
    },
    diff::{
        Changes,
        release::{self, Release},
    },
    inspect::{
        configuration,
        kept::{self, Kept},
        operator::Operator,
    },
    sys::{console, error::InputError, workspace::Workspace},
};
use environment::Environment;

/// Rolls back to the deployment that `flags` name, or to the one before the current one. The Serverless Framework keeps its
/// last deployments in the deployment bucket, by timestamp.
///
/// # Errors
/// There is no such deployment, the changes are not confirmed, or the rollback or the smoke invocation fails.
pub(crate) fn roll_back(
    workspace: &Workspace,
    caller: &AdminCaller<'_>,
    flags: &cli::Rollback,
) -> Result<()> {
    let environment = caller.environment;
    let framework = Framework::lock(workspace, caller)?;
    let (stack, function) = release::deployed_parts(workspace, environment, &caller.session)?;
    guard::require_own_stack(environment, &stack)?;
    let Part::Ok(running) = &stack else {
        bail!(
            "Nothing of stage `{}` is deployed in {}: there is no CloudFormation stack `{}`; nothing was changed",
            environment.stage,
            environment.variables.region,
            environment.stack_name()
        );
    };
    let name = environment.function_name();
    let deployments = framework.deployments()?;
    let template = running.template.ok();
    let current = template.and_then(|template| timestamp_of_code(template, &name));
    let chosen = match flags.to {
        Some(timestamp) => named(environment, &deployments, timestamp)?,
        None => before(environment, &deployments, current)?,
    };
    console::note(&format!(
        "Rolling back to the deployment of {} ({})",
        chosen.date, chosen.timestamp
    ));
    guard::confirm(environment, "roll it back", &flags.confirmation)?;
    let operator = Operator::of_caller(workspace, &caller.session)?;
    let Kept {
        template,
        sha256,
        configuration,
    } = kept::read(&operator, running, &name, &chosen.directory())
        .with_context(|| format!("Failed to read deployment {}", chosen.timestamp))?;
    let release = Release { template, sha256 };
    let changes = Changes::of_rollback(
        &operator,
        environment,
        (&stack, &function),
        &release,
        &configuration,
    );
    console::note(changes.to_string().trim_end());
    let allowed = flags.allow_broadening;
    guard::confirm_changes(environment, &changes, &flags.confirmation, allowed)?;
    smoke::around(workspace, caller, &flags.smoke, || {
        framework.roll_back(chosen)?;
        release.require(workspace, environment, &caller.session)?;
        console::note(&format!(
            "Rolled back {name}; dist/{} is unchanged",
            environment.stage
        ));
        Ok(())
    })
}

/// The timestamp of the deployment that a template belongs to, in milliseconds since 1970, from the key of its function's
/// code: `serverless/SERVICE/STAGE/1795370405000-2026-11-22T18:00:05.000Z/handler.zip`.
fn timestamp_of_code(template: &Value, function: &str) -> Option<u64> {
    let key = configuration::code_key(template, function)?;
    let directory = key.rsplit('/').nth(1)?;
    directory.split('-').next()?.parse().ok()
}

/// The deployment with this timestamp.
fn named<'a>(
    environment: &Environment,
    deployments: &'a [Deployment],
    timestamp: u64,
) -> Result<&'a Deployment> {
    deployments
        .iter()
        .find(|deployment| deployment.timestamp == timestamp)
        .ok_or_else(|| {
            InputError(format!(
                "Deployment {timestamp} of stage `{}` not found\nhint: use one of these:\n{}",
                environment.stage,
                list(deployments)
            ))
            .into()
        })
}

/// The newest deployment that is older than the current one.
fn before<'a>(
    environment: &Environment,
    deployments: &'a [Deployment],
    current: Option<u64>,
) -> Result<&'a Deployment> {
    let Some(current) = current else {
        bail!(
            "The current deployment of stage `{0}` in {1} is unknown: stack `{2}` does not locate its code\n\
             hint: to roll back to one of these, run `cargo xtask rollback --env {0} --to TIMESTAMP`:\n{3}",
            environment.stage,
            environment.variables.region,
            environment.stack_name(),
            list(deployments)
        );
    };
    let older = deployments
        .iter()
        .rev()
        .find(|deployment| deployment.timestamp < current);
    if let Some(older) = older {
        return Ok(older);
    }
    let stage = &environment.stage;
    let mut others = deployments.to_vec();
    others.retain(|deployment| deployment.timestamp != current);
    if others.is_empty() {
        bail!(
            "There is no deployment to roll back to: the Serverless Framework keeps only the current one of stage `{stage}` ({current})"
        );
    }
    bail!(
        "There is no deployment to roll back to: stage `{stage}` has none that is older than the current one ({current})\n\
         hint: to roll back to one of the others, run `cargo xtask rollback --env {stage} --to TIMESTAMP`:\n{}",
        list(&others)
    )
}

fn list(deployments: &[Deployment]) -> String {
    let lines = deployments
        .iter()
        .map(|deployment| format!("  {} ({})", deployment.timestamp, deployment.date));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_other_deployments_are_listed_if_none_is_older() {
        let text = include_bytes!("../../../environments/variables.dev.yml");
        let dev = environment::parse("x", "dev".parse().unwrap(), text).unwrap();
        let deployments = [100, 200, 300].map(|timestamp| Deployment {
            timestamp,
            date: format!("date {timestamp}"),
        });
        let chosen = before(&dev, &deployments, Some(300)).unwrap();
        assert_eq!(chosen.timestamp, 200);
        // The clock went back before the last deployment.
        let error = before(&dev, &deployments, Some(100))
            .unwrap_err()
            .to_string();
        for part in ["--to TIMESTAMP", "\n  200 (date 200)\n  300 (date 300)"] {
            assert!(error.contains(part), "{error}");
        }
        let error = before(&dev, &deployments[..1], Some(100)).unwrap_err();
        assert!(
            error.to_string().contains("keeps only the current one"),
            "{error}"
        );
    }

    #[test]
    fn the_current_deployment_is_the_one_whose_code_the_stack_uses() {
        let template = json!({"Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f", "Code": {
                "S3Key": "serverless/List-S3-Buckets/dev/1795370405000-2026-11-22T18:00:05.000Z/handler.zip"}}}}});
        assert_eq!(timestamp_of_code(&template, "f"), Some(1_795_370_405_000));
        assert_eq!(timestamp_of_code(&json!({"Resources": {}}), "f"), None);
        assert_eq!(timestamp_of_code(&Value::Null, "f"), None);
    }
}
