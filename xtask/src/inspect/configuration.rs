//! Reads the configuration of the deployed function: its environment variables and, if it has many targets, the
//! `targets.json` in its code.
//!
//! The code comes from the Serverless Framework's deployment bucket, which everyone who deploys can read. It counts only if
//! its hash is the one that Lambda reports for the function.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use contract::{FunctionConfiguration, TargetsFile, variable};
use hmac_sha256::Hash;
use operator_api::{DeployedFunction, DeployedStack, Part, Unreadable};
use serde_json::Value;

use crate::{build as artifact, inspect::operator::Operator};

/// The output of the Serverless Framework's stacks that names their bucket (osls 4.3,
/// `core-cloudformation-template.json`).
const BUCKET_OUTPUT: &str = "ServerlessDeploymentBucketName";

/// Reads the configuration of `function`, which belongs to `stack`.
pub(crate) fn deployed(
    operator: &Operator<'_>,
    function: &Part<DeployedFunction>,
    stack: &Part<DeployedStack>,
) -> Part<FunctionConfiguration> {
    function.clone().and_then(|function| {
        let variables = function.environment.clone();
        variables.and_then(|variables| part(read(operator, &function, &variables, stack)))
    })
}

/// A configuration that could not be read is unreadable.
pub(super) fn part(configuration: Result<FunctionConfiguration>) -> Part<FunctionConfiguration> {
    match configuration {
        Ok(configuration) => Part::Ok(configuration),
        Err(error) => Part::Unreadable(Unreadable {
            code: "ConfigurationNotRead".to_owned(),
            message: format!("{error:#}"),
            hint: None,
        }),
    }
}

fn read(
    operator: &Operator<'_>,
    function: &DeployedFunction,
    variables: &BTreeMap<String, String>,
    stack: &Part<DeployedStack>,
) -> Result<FunctionConfiguration> {
    let has_one_target = variables
        .get(variable::TARGET_ACCOUNT_ID)
        .is_some_and(|account| !account.is_empty());
    let targets = if has_one_target {
        None
    } else {
        targets(operator, function, stack).with_context(|| {
            format!(
                "Failed to read the {} of the deployed function",
                TargetsFile::NAME
            )
        })?
    };
    parse(|name| variables.get(name).cloned(), targets.as_deref())
}

/// Parses the configuration of a function with these variables and this `targets.json`.
///
/// # Errors
/// It is invalid.
pub(super) fn parse(
    variable: impl Fn(&str) -> Option<String>,
    targets: Option<&str>,
) -> Result<FunctionConfiguration> {
    FunctionConfiguration::read(variable, targets).map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        anyhow!("{}", problems.collect::<Vec<_>>().join("; "))
    })
}

/// The `targets.json` in the function's code, if there is one.
fn targets(
    operator: &Operator<'_>,
    function: &DeployedFunction,
    stack: &Part<DeployedStack>,
) -> Result<Option<String>> {
    let stack = match stack {
        Part::Ok(stack) => stack,
        Part::Absent => bail!("The function does not belong to the stage's stack"),
        Part::Unreadable(why) => bail!("{}", why.message),
    };
    let name = function.arn.rsplit(':').next().unwrap_or_default();
    let (bucket, key) =
        code_of(stack, name).context("The stack's template does not locate its code")?;
    let archive = operator.fetch(bucket, key)?;
    let hash = BASE64_STANDARD.encode(Hash::hash(&archive));
    ensure!(
        function.code_sha256.as_deref() == Some(&hash),
        "The function's code differs from the stack's"
    );
    targets_in(&archive)
}

/// The text of `targets.json` in an archive, if it has one.
///
/// # Errors
/// The archive is damaged, or the file is not UTF-8.
pub(super) fn targets_in(archive: &[u8]) -> Result<Option<String>> {
    artifact::file_in(archive, TargetsFile::NAME)?
        .map(String::from_utf8)
        .transpose()
        .context("It is not UTF-8")
}

/// The bucket and key of the code of the function `name` in a stack.
pub(super) fn code_of<'a>(stack: &'a DeployedStack, name: &str) -> Option<(&'a str, &'a str)> {
    let template = stack.template.ok()?;
    let bucket = match &function_in(template, name)?["Code"]["S3Bucket"] {
        Value::String(bucket) => bucket,
        _ => stack.outputs.get(BUCKET_OUTPUT)?,
    };
    Some((bucket, code_key(template, name)?))
}

/// The properties of the function `name` in a template, which may have other functions. Case is ignored, because
/// CloudFormation ignores it in the names of stacks.
pub(crate) fn function_in<'a>(template: &'a Value, name: &str) -> Option<&'a Value> {
    let functions = template["Resources"].as_object()?.values();
    functions
        .filter(|resource| resource["Type"] == "AWS::Lambda::Function")
        .map(|resource| &resource["Properties"])
        .find(|properties| {
            let found = properties["FunctionName"].as_str();
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
}

/// The S3 key of the code of the function `name` in a template.
pub(crate) fn code_key<'a>(template: &'a Value, name: &str) -> Option<&'a str> {
    function_in(template, name)?["Code"]["S3Key"].as_str()
}

/// The service and the stage that deployed the function `name` of a stack. The Serverless Framework stores its code under
/// `serverless/SERVICE/STAGE/` in its bucket.
pub(crate) fn owner<'a>(stack: &'a DeployedStack, name: &str) -> Option<(&'a str, &'a str)> {
    let key = code_key(stack.template.ok()?, name)?;
    let mut directories = key.rsplit('/').skip(2);
    let stage = directories.next()?;
    Some((directories.next()?, stage))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{inspect::samples, sys::process::Program};

    fn stack(bucket: &Value) -> DeployedStack {
        DeployedStack {
            outputs: BTreeMap::from([(BUCKET_OUTPUT.to_owned(), "of-the-output".to_owned())]),
            template: Part::Ok(json!({"Resources": {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                // The first one is another function.
                "Another": {"Type": "AWS::Lambda::Function", "Properties": {
                    "FunctionName": "g", "Code": {"S3Bucket": "x", "S3Key": "a/b/c/d.zip"}}},
                "Function": {"Type": "AWS::Lambda::Function", "Properties": {
                    "FunctionName": "f",
                    "Code": {"S3Bucket": bucket, "S3Key": "serverless/S/dev/1/handler.zip"}}}}})),
            ..samples::stack()
        }
    }

    #[test]
    fn the_code_is_where_the_stack_says() {
        let key = "serverless/S/dev/1/handler.zip";
        let own = stack(&json!({"Ref": "ServerlessDeploymentBucket"}));
        assert_eq!(code_of(&own, "f"), Some(("of-the-output", key)));
        assert_eq!(
            code_of(&stack(&json!("shared")), "f"),
            Some(("shared", key))
        );
        assert_eq!(owner(&own, "F"), Some(("S", "dev")));
        assert_eq!(owner(&own, "h"), None);
        let without = DeployedStack {
            template: Part::Absent,
            ..own
        };
        assert_eq!(code_of(&without, "f"), None);
    }

    #[test]
    fn a_single_target_is_read_from_the_variables_without_a_request() {
        let region = "eu-central-1".parse().unwrap();
        let operator = Operator::fake(Program::new("/bin/false"), &region);
        let read = |variables: &[(&str, &str)]| {
            let variables = variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()));
            let function = DeployedFunction {
                environment: Part::Ok(variables.collect()),
                ..samples::function()
            };
            deployed(&operator, &Part::Ok(function), &Part::Absent)
        };
        let one = [
            (variable::TARGET_ACCOUNT_ID, "000000000002"),
            (variable::S3_READ_ROLE, "R"),
        ];
        assert_eq!(
            read(&one).ok().unwrap().to_environment(),
            one.map(|(name, value)| (name, value.to_owned())).into()
        );
        let Part::Unreadable(why) = read(&[]) else {
            panic!("nothing names the targets");
        };
        assert!(why.message.contains("targets.json"), "{why:?}");
        let Part::Unreadable(why) = read(&one[..1]) else {
            panic!("no role");
        };
        assert!(why.message.contains("S3_READ_ROLE"), "{why:?}");
    }
}
