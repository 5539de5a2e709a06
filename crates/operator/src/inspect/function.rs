//! Reads a Lambda function's configuration.
//!
//! It uses `GetFunctionConfiguration`, because fewer users are allowed `GetFunction`, which returns a link to the code.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_sdk_lambda::{Client, types::EnvironmentResponse};
use operator_api::{DeployedFunction, Part};

use super::part;
use crate::failure;

/// Reads the function with this name.
///
/// # Errors
/// It does not exist or cannot be read. Unreadable tags or variables are parts, not errors.
pub(crate) async fn read(client: &Client, name: &str) -> Result<DeployedFunction> {
    let function = client
        .get_function_configuration()
        .function_name(name)
        .send()
        .await
        .map_err(failure::of(&format!("read function `{name}`")))?;
    let arn = function
        .function_arn
        .with_context(|| format!("failed to read function `{name}`: the response has no ARN"))?;
    let tags = part::of(tags(client, name, &arn).await);
    Ok(DeployedFunction {
        arn,
        version: function.version,
        role: function.role,
        runtime: function.runtime.as_ref().map(ToString::to_string),
        architectures: function
            .architectures
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect(),
        timeout: function.timeout,
        memory_size: function.memory_size,
        layers: function
            .layers
            .unwrap_or_default()
            .into_iter()
            .filter_map(|layer| layer.arn)
            .collect(),
        code_sha256: function.code_sha256,
        last_modified: function.last_modified,
        state: function.state.as_ref().map(ToString::to_string),
        state_reason: function.state_reason,
        last_update_status: function
            .last_update_status
            .as_ref()
            .map(ToString::to_string),
        environment: environment(function.environment),
        tags,
    })
}

/// The variables, or the error that Lambda returns if it cannot decrypt them (Lambda API reference,
/// `EnvironmentResponse`).
fn environment(environment: Option<EnvironmentResponse>) -> Part<BTreeMap<String, String>> {
    let environment = environment.unwrap_or_else(|| EnvironmentResponse::builder().build());
    match environment.error {
        Some(error) => Part::Unreadable(part::embedded(error.error_code(), error.message())),
        None => Part::Ok(
            environment
                .variables
                .unwrap_or_default()
                .into_iter()
                .collect(),
        ),
    }
}

async fn tags(client: &Client, name: &str, arn: &str) -> Result<BTreeMap<String, String>> {
    let response = client
        .list_tags()
        .resource(arn)
        .send()
        .await
        .map_err(failure::of(&format!("read the tags of function `{name}`")))?;
    Ok(response.tags.unwrap_or_default().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::EnvironmentError;
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn variables_that_cannot_be_decrypted_differ_from_none() {
        assert_eq!(to_value(environment(None)).unwrap(), json!({"ok": {}}));
        let error = EnvironmentError::builder()
            .error_code("AccessDeniedException")
            .message("Lambda was unable to decrypt")
            .build();
        let response = EnvironmentResponse::builder().error(error).build();
        assert_eq!(
            to_value(environment(Some(response))).unwrap(),
            json!({"unreadable": {
                "code": "AccessDeniedException",
                "message": "Lambda was unable to decrypt",
                "hint": null,
            }})
        );
    }
}
