//! Reads a deployment that the Serverless Framework keeps in its bucket, for a rollback to it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use contract::FunctionConfiguration;
use hmac_sha256::Hash;
use operator_api::{DeployedStack, Part};
use serde_json::Value;

use super::{configuration, operator::Operator};
use crate::build as artifact;

/// The Framework's copy of a deployment's template (osls 4.3, `naming.js`).
const TEMPLATE: &str = "compiled-cloudformation-template.json";

/// A kept deployment.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The stack's template.
    pub(crate) template: Value,
    /// The SHA-256 of the function's archive, in hexadecimal.
    pub(crate) sha256: String,
    /// The function's configuration.
    pub(crate) configuration: Part<FunctionConfiguration>,
}

/// Reads the deployment of the function `name` in `directory`, next to the deployment that `stack` runs.
///
/// # Errors
/// The stack does not locate its code, or the deployment cannot be read.
pub(crate) fn read(
    operator: &Operator<'_>,
    stack: &DeployedStack,
    name: &str,
    directory: &str,
) -> Result<Kept> {
    let (bucket, key) = configuration::code_of(stack, name)
        .context("The stack's template does not locate its code")?;
    let key = in_directory(key, directory, TEMPLATE)
        .with_context(|| format!("`{key}` is not the code of a deployment"))?;
    let template: Value = serde_json::from_slice(&operator.fetch(bucket, &key)?)
        .context("The deployment's template is not JSON")?;
    let code = configuration::code_key(&template, name)
        .with_context(|| format!("The deployment's template has no function `{name}`"))?;
    let archive = operator.fetch(bucket, code)?;
    Ok(Kept {
        sha256: artifact::hexadecimal(&Hash::hash(&archive)),
        configuration: configuration_of(&template, name, &archive),
        template,
    })
}

/// Replaces the directory and the file name of a key: `serverless/S/dev/1-t/handler.zip` becomes `serverless/S/dev/DIRECTORY/NAME`.
fn in_directory(key: &str, directory: &str, name: &str) -> Option<String> {
    let (rest, _) = key.rsplit_once('/')?;
    let (prefix, _) = rest.rsplit_once('/')?;
    Some(format!("{prefix}/{directory}/{name}"))
}

/// The configuration of the function `name` of `template`, with `archive` as its code.
fn configuration_of(template: &Value, name: &str, archive: &[u8]) -> Part<FunctionConfiguration> {
    let function = configuration::function_in(template, name);
    let variables =
        function.and_then(|properties| properties["Environment"]["Variables"].as_object());
    let variables: BTreeMap<&str, &str> = variables
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    let read = configuration::targets_in(archive).and_then(|targets| {
        configuration::parse(
            |name| variables.get(name).map(|&value| value.to_owned()),
            targets.as_deref(),
        )
    });
    configuration::part(read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_lies_beside_the_one_that_runs() {
        let key = "serverless/S/dev/1-2026-11-22T18:00:05.000Z/handler.zip";
        assert_eq!(
            in_directory(key, "2-2026-11-22T18:00:06.000Z", TEMPLATE).as_deref(),
            Some(
                "serverless/S/dev/2-2026-11-22T18:00:06.000Z/compiled-cloudformation-template.json"
            )
        );
        assert_eq!(in_directory("handler.zip", "2-t", TEMPLATE), None);
    }

    #[test]
    fn a_damaged_archive_has_no_configuration() {
        let template = json!({"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "f", "Code": {"S3Key": "serverless/S/dev/1-t/handler.zip"},
            "Environment": {"Variables": {"TARGET_ACCOUNT_ID": "000000000002", "S3_READ_ROLE": "R"}}}}}});
        assert!(matches!(
            configuration_of(&template, "f", b"none"),
            Part::Unreadable(_)
        ));
    }
}
