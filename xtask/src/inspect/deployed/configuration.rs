//! What the deployed function is told: by its variables and, of many targets, by the `targets.json` in its code.
//!
//! The code is read from the Framework's deployment bucket, which keeps what it has deployed: whoever deploys may read
//! there. It counts only where its hash is the one that Lambda tells of the function.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use contract::{FunctionConfiguration, TargetsFile, variable};
use hmac_sha256::Hash;
use serde_json::Value;

use super::{Access, Function, Part, Stack, Unreadable, fetch};
use crate::{
    build as artifact,
    sys::{files, workspace::Workspace},
};

/// The output of the Framework's stacks that names their bucket (osls 4.3, `core-cloudformation-template.json`).
const BUCKET_OUTPUT: &str = "ServerlessDeploymentBucketName";

/// What `function`, which `stack` is the stack of, is told.
pub(crate) fn configuration(
    workspace: &Workspace,
    access: Access<'_>,
    function: &Part<Function>,
    stack: &Part<Stack>,
) -> Part<FunctionConfiguration> {
    let function = match function {
        Part::Ok(function) => function,
        Part::Absent => return Part::Absent,
        Part::Unreadable(why) => return Part::Unreadable(why.clone()),
    };
    let variables = match &function.environment {
        Part::Ok(variables) => variables,
        Part::Absent => return Part::Absent,
        Part::Unreadable(why) => return Part::Unreadable(why.clone()),
    };
    let names_one = variables
        .get(variable::TARGET_ACCOUNT_ID)
        .is_some_and(|account| !account.is_empty());
    let targets = if names_one {
        Ok(None)
    } else {
        targets(workspace, access, function, stack)
    };
    let read = targets.and_then(|targets| {
        FunctionConfiguration::read(|name| variables.get(name).cloned(), targets.as_deref())
            .map_err(|faults| {
                let faults = faults.iter().map(ToString::to_string);
                anyhow::anyhow!("{}", faults.collect::<Vec<_>>().join("; "))
            })
    });
    match read {
        Ok(configuration) => Part::Ok(configuration),
        Err(error) => Part::Unreadable(Unreadable {
            code: "ConfigurationNotRead".to_owned(),
            message: format!("{error:#}"),
            hint: None,
        }),
    }
}

/// The text of `targets.json` in the function's code, where there is one.
fn targets(
    workspace: &Workspace,
    access: Access<'_>,
    function: &Function,
    stack: &Part<Stack>,
) -> Result<Option<String>> {
    let read = || -> Result<Option<String>> {
        let stack = match stack {
            Part::Ok(stack) => stack,
            Part::Absent => bail!("The function is not of the stage's stack"),
            Part::Unreadable(why) => bail!("{}", why.message),
        };
        let (bucket, key) = code_of(stack).context("The stack does not tell where its code is")?;
        let copy = tempfile::NamedTempFile::new()?;
        fetch(workspace, access, bucket, key, copy.path())?;
        let archive = files::read(copy.path())?;
        let hash = BASE64_STANDARD.encode(Hash::hash(&archive));
        ensure!(
            function.code_sha256.as_deref() == Some(&hash),
            "The function's code is another than the stack's"
        );
        artifact::file_in(&archive, TargetsFile::NAME)?
            .map(String::from_utf8)
            .transpose()
            .context("It is no text")
    };
    read().with_context(|| {
        format!(
            "Failed to read the {} of the deployed function",
            TargetsFile::NAME
        )
    })
}

/// The bucket and the key of the code of a stack's function.
fn code_of(stack: &Stack) -> Option<(&str, &str)> {
    let template = stack.template.ok()?;
    let code = template["Resources"]
        .as_object()?
        .values()
        .find(|resource| resource["Type"] == "AWS::Lambda::Function")
        .map(|function| &function["Properties"]["Code"])?;
    let bucket = match &code["S3Bucket"] {
        Value::String(bucket) => bucket,
        _ => stack.outputs.get(BUCKET_OUTPUT)?,
    };
    Some((bucket, code["S3Key"].as_str()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn stack(bucket: &Value) -> Stack {
        Stack {
            status: "UPDATE_COMPLETE".to_owned(),
            created: None,
            outputs: BTreeMap::from([(BUCKET_OUTPUT.to_owned(), "of-the-output".to_owned())]),
            template: Part::Ok(json!({"Resources": {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                "Function": {"Type": "AWS::Lambda::Function", "Properties": {
                    "Code": {"S3Bucket": bucket, "S3Key": "serverless/S/dev/1/handler.zip"}}}}})),
        }
    }

    #[test]
    fn the_code_is_where_the_stack_says() {
        let key = "serverless/S/dev/1/handler.zip";
        let own = stack(&json!({"Ref": "ServerlessDeploymentBucket"}));
        assert_eq!(code_of(&own), Some(("of-the-output", key)));
        assert_eq!(code_of(&stack(&json!("shared"))), Some(("shared", key)));
        let without = Stack {
            template: Part::Absent,
            ..own
        };
        assert_eq!(code_of(&without), None);
    }

    #[test]
    fn one_target_stands_in_the_variables_and_nobody_is_asked() {
        let function = |variables: &[(&str, &str)]| Function {
            role: None,
            runtime: None,
            architectures: Vec::new(),
            timeout: None,
            memory_size: None,
            layers: Vec::new(),
            code_sha256: None,
            state: None,
            state_reason: None,
            environment: Part::Ok(
                variables
                    .iter()
                    .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            ),
        };
        let workspace = Workspace::locate(Some(env!("CARGO_MANIFEST_DIR").as_ref())).unwrap();
        let region = "eu-central-1".parse().unwrap();
        let access = Access {
            region: &region,
            whom: crate::inspect::deployed::Whom::Anybody,
        };
        let read = |variables: &[(&str, &str)]| {
            configuration(
                &workspace,
                access,
                &Part::Ok(function(variables)),
                &Part::Absent,
            )
        };
        let one = [
            (variable::TARGET_ACCOUNT_ID, "000000000002"),
            (variable::S3_READ_ROLE, "R"),
        ];
        let configuration = read(&one);
        assert_eq!(
            configuration.ok().unwrap().to_environment(),
            one.map(|(name, value)| (name, value.to_owned())).into()
        );
        let Part::Unreadable(why) = read(&[]) else {
            panic!("nothing tells of the targets");
        };
        assert!(why.message.contains("targets.json"), "{why:?}");
        let Part::Unreadable(why) = read(&one[..1]) else {
            panic!("no role");
        };
        assert!(why.message.contains("S3_READ_ROLE"), "{why:?}");
    }
}
