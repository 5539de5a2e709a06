//! The names that a template can use.

use std::collections::BTreeMap;

use serde::Serialize;

use super::accounts::Accounts;
use crate::policy;
use environment::{Environment, ReservedConcurrency};

/// The names that a template can use, with this stage's values. Listed in docs/templates.md.
///
/// Every name is always defined; values that the stage does not set are `none`.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    stage: String,
    /// The path of the variables file, relative to the workspace.
    source: String,
    service: String,
    region: String,
    partition: &'static str,
    architecture: &'static str,
    admin_account_id: String,
    execution_role_arn: String,
    execution_role_name: String,
    execution_role_path: String,
    deployment_role_arn: Option<String>,
    #[serde(flatten)]
    accounts: Accounts,
    function_name: String,
    /// The ARN of the function's log group, without the `:*` suffix for its streams.
    log_group_arn: String,
    /// The function's environment variables, by name.
    environment: BTreeMap<&'static str, String>,
    memory: u32,
    timeout: u32,
    log_retention_days: u32,
    tracing: &'static str,
    schedule: Option<String>,
    reserved_concurrency: Option<u32>,
    tags: BTreeMap<String, String>,
}

impl Context {
    pub(super) fn of(environment: &Environment) -> Self {
        let variables = &environment.variables;
        let function = &variables.function;
        let partition = environment.partition();
        Self {
            stage: environment.stage.to_string(),
            source: environment.source.clone(),
            service: variables.service.to_string(),
            region: variables.region.to_string(),
            partition: partition.as_str(),
            architecture: function.architecture.as_str(),
            admin_account_id: variables.admin_account_id.to_string(),
            execution_role_arn: environment.execution_role_arn().to_string(),
            deployment_role_arn: environment.deployment_role_arn().map(|arn| arn.to_string()),
            execution_role_name: variables.lambda_execution_role.name().to_owned(),
            execution_role_path: variables.lambda_execution_role.path(),
            accounts: Accounts::of(environment),
            log_group_arn: policy::log_group_arn(environment),
            function_name: environment.function_name(),
            environment: environment.function_configuration().to_environment(),
            memory: function.memory.get(),
            timeout: function.timeout.get(),
            log_retention_days: function.log_retention_days.get(),
            tracing: function.tracing.aws_name(),
            schedule: function.schedule.as_ref().map(ToString::to_string),
            reserved_concurrency: function.reserved_concurrency.map(ReservedConcurrency::get),
            tags: variables
                .tags
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
        }
    }
}
