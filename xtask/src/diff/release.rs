//! Compares a version of a stage with what runs.
//!
//! The Serverless Framework compares a package with the newest deployment in its bucket. After a rollback, a failed
//! update, or a change by hand, that is not the deployment that runs. So this module looks at the stack and the function
//! themselves: the stack's template, the function's code, and the settings that Lambda reports.
//!
//! Not compared, because neither shows it: what the Serverless Framework does besides the template, such as a stack policy.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use operator_api::{DeployedFunction, DeployedStack, Part};
use serde_json::{Value, json};

use crate::{
    build as artifact,
    inspect::{
        configuration,
        operator::{Operator, Query, reported},
        session::Session,
    },
    sys::workspace::Workspace,
};
use environment::Environment;

/// The states of a stack whose last operation did what it was asked to (CloudFormation user guide, "Stack status codes").
const SETTLED: [&str; 3] = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"];

/// A version of a stage's function: a package, or a deployment that the Serverless Framework keeps.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// The stack's template.
    pub(crate) template: Value,
    /// The SHA-256 of the function's archive, in hexadecimal.
    pub(crate) sha256: String,
}

/// One aspect of a release, as it is deployed and as it would be. Both texts end with a line break.
#[derive(Debug)]
pub(crate) struct Aspect {
    /// Its description, for messages: `CloudFormation stack List-S3-Buckets-dev`.
    pub(crate) what: String,
    pub(crate) deployed: Part<String>,
    pub(crate) released: String,
}

/// The result of comparing a release with what runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// The release runs.
    Release,
    /// Something else runs, or nothing; a sentence for each difference.
    Other(Vec<String>),
    /// No difference was found, but not everything could be read; a sentence for each reason.
    Unknown(Vec<String>),
}

impl Release {
    /// The role that the function `name` runs as.
    pub(crate) fn role(&self, name: &str) -> Option<String> {
        let settings = settings(&self.template, name);
        Some(settings.get("Role")?.as_str()?.to_owned())
    }

    /// Reads what runs of the stage, and compares.
    ///
    /// # Errors
    /// The operator cannot be asked.
    pub(crate) fn compare(
        &self,
        workspace: &Workspace,
        environment: &Environment,
        session: &Session,
    ) -> Result<Running> {
        let (stack, function) = deployed_parts(workspace, environment, session)?;
        Ok(self.running(environment, &stack, &function))
    }

    /// Requires that the release runs: CloudFormation has reported success, which says nothing of what was changed outside
    /// it.
    ///
    /// # Errors
    /// Something else runs, or what runs is unknown.
    pub(crate) fn require(
        &self,
        workspace: &Workspace,
        environment: &Environment,
        session: &Session,
    ) -> Result<()> {
        let stage = &environment.stage;
        match self.compare(workspace, environment, session)? {
            Running::Release => Ok(()),
            Running::Other(differences) => bail!(
                "The deployment of stage `{stage}` is complete, but what runs differs from it:\n- {}\n\
                 hint: to see the differences, run `cargo xtask diff --env {stage}`\n\
                 hint: if another deployment ran at the same time, deploy again\n\
                 hint: CloudFormation does not revert settings that were changed outside it; change them back in Lambda, \
                 or run `cargo xtask remove --env {stage}` and deploy again",
                differences.join("\n- ")
            ),
            Running::Unknown(reasons) => bail!(
                "The deployment of stage `{stage}` is complete, but it could not be verified:\n- {}\n\
                 hint: use credentials that allow cloudformation:DescribeStacks, cloudformation:GetTemplate and \
                 lambda:GetFunctionConfiguration",
                reasons.join("\n- ")
            ),
        }
    }

    /// Compares with `stack` and `function`, as they were read.
    fn running(
        &self,
        environment: &Environment,
        stack: &Part<DeployedStack>,
        function: &Part<DeployedFunction>,
    ) -> Running {
        let mut different = Vec::new();
        let mut unknown = Vec::new();
        if let Part::Ok(stack) = stack
            && !SETTLED.contains(&stack.status.as_str())
        {
            different.push(format!(
                "CloudFormation stack {} is in status {}",
                environment.stack_name(),
                stack.status
            ));
        }
        for aspect in self.aspects(environment, stack, function) {
            match aspect.deployed {
                Part::Ok(deployed) if deployed == aspect.released => {}
                Part::Ok(_) => different.push(format!("{} differs", aspect.what)),
                Part::Absent => different.push(format!("{} does not exist", aspect.what)),
                Part::Unreadable(why) => {
                    unknown.push(format!("{}: {}: {}", aspect.what, why.code, why.message));
                }
            }
        }
        if !different.is_empty() {
            Running::Other(different)
        } else if unknown.is_empty() {
            Running::Release
        } else {
            Running::Unknown(unknown)
        }
    }

    /// Everything that is compared.
    pub(crate) fn aspects(
        &self,
        environment: &Environment,
        stack: &Part<DeployedStack>,
        function: &Part<DeployedFunction>,
    ) -> [Aspect; 3] {
        let name = environment.function_name();
        let released = settings(&self.template, &name);
        let code = |function: DeployedFunction| {
            let hash = function.code_sha256.map_or(Part::Absent, Part::Ok);
            hash.and_then(|hash| Part::Ok(format!("{}\n", hexadecimal(&hash))))
        };
        [
            Aspect {
                what: format!("CloudFormation stack {}", environment.stack_name()),
                deployed: stack.clone().and_then(|stack| {
                    stack
                        .template
                        .and_then(|template| Part::Ok(template_text(&template)))
                }),
                released: template_text(&self.template),
            },
            Aspect {
                what: "code (sha256 of handler.zip)".to_owned(),
                deployed: function.clone().and_then(code),
                released: format!("{}\n", self.sha256),
            },
            Aspect {
                what: format!("settings of function {name}"),
                deployed: function
                    .clone()
                    .and_then(|function| deployed_settings(&function, &released)),
                released: settings_text(&released),
            },
        ]
    }
}

/// Reads the stack and the function of a stage.
///
/// # Errors
/// The operator fails, or does not report them.
pub(crate) fn deployed_parts(
    workspace: &Workspace,
    environment: &Environment,
    session: &Session,
) -> Result<(Part<DeployedStack>, Part<DeployedFunction>)> {
    let (stack, function) = (environment.stack_name(), environment.function_name());
    let query = Query {
        stacks: vec![stack.clone()],
        functions: vec![function.clone()],
        ..Query::default()
    };
    let mut deployed = Operator::of_caller(workspace, session)?.inspect(&query)?;
    Ok((
        reported(&mut deployed.stacks, &stack)?,
        reported(&mut deployed.functions, &function)?,
    ))
}

/// The settings of a function by name, in the words of its CloudFormation resource.
type Settings = BTreeMap<String, Value>;

/// The prefix of an environment variable's name in [`Settings`].
const VARIABLE: &str = "Environment.";

/// The settings of the function `name` in a template. Those that only CloudFormation can resolve are `Value::Null`.
fn settings(template: &Value, name: &str) -> Settings {
    let Some(function) = configuration::function_in(template, name) else {
        return Settings::new();
    };
    let literal = |value: &Value| match value {
        Value::Object(_) => Value::Null,
        Value::Array(items) if items.iter().any(Value::is_object) => Value::Null,
        value => value.clone(),
    };
    let mut settings = Settings::new();
    for (key, default) in [
        ("Role", Value::Null),
        ("Runtime", Value::Null),
        ("Architectures", json!(["x86_64"])),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("Layers", json!([])),
    ] {
        let value = function.get(key).map_or(default, literal);
        settings.insert(key.to_owned(), value);
    }
    let variables = function["Environment"]["Variables"].as_object();
    for (name, value) in variables.into_iter().flatten() {
        settings.insert(format!("{VARIABLE}{name}"), literal(value));
    }
    settings
}

/// The settings of the deployed function, as text; those that the release does not say are left out.
fn deployed_settings(function: &DeployedFunction, released: &Settings) -> Part<String> {
    let variables = match &function.environment {
        Part::Ok(variables) => variables,
        Part::Absent => &BTreeMap::new(),
        Part::Unreadable(why) => return Part::Unreadable(why.clone()),
    };
    let mut settings = Settings::from([
        ("Role".to_owned(), json!(function.role)),
        ("Runtime".to_owned(), json!(function.runtime)),
        ("Architectures".to_owned(), json!(function.architectures)),
        ("Timeout".to_owned(), json!(function.timeout)),
        ("MemorySize".to_owned(), json!(function.memory_size)),
        ("Layers".to_owned(), json!(function.layers)),
    ]);
    for (name, value) in variables {
        settings.insert(format!("{VARIABLE}{name}"), json!(value));
    }
    for (name, value) in &mut settings {
        if released.get(name).is_some_and(Value::is_null) {
            *value = Value::Null;
        }
    }
    Part::Ok(settings_text(&settings))
}

fn settings_text(settings: &Settings) -> String {
    let mut text = String::new();
    for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// A template as text that two can be compared by: the keys sorted, and without the time of the packaging, which the
/// Framework puts into the code's key.
pub(crate) fn template_text(template: &Value) -> String {
    let mut template = template.clone();
    without_times(&mut template);
    let mut text = serde_json::to_string_pretty(&template).unwrap_or_default();
    text.push('\n');
    text
}

/// `serverless/SERVICE/STAGE/1795370405000-2026-11-22T18:00:05.000Z/handler.zip` becomes
/// `serverless/SERVICE/STAGE/…/handler.zip`.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(key)) = map.get_mut("S3Key") {
                let mut parts: Vec<&str> = key.split('/').collect();
                let from_the_end = parts.len().checked_sub(2);
                if let Some(directory) = from_the_end.and_then(|index| parts.get_mut(index)) {
                    *directory = "…";
                }
                *key = parts.join("/");
            }
            map.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Converts a hash from base64, Lambda's encoding, to hexadecimal, the build's.
fn hexadecimal(base64: &str) -> String {
    match BASE64_STANDARD.decode(base64) {
        Ok(hash) => artifact::hexadecimal(&hash),
        Err(_) => base64.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use operator_api::Unreadable;

    use super::*;
    use crate::{inspect, policy::samples};

    const HASH: &str = "AAEC/w==";

    fn template(variables: &Value, role: &str, time: &str) -> Value {
        json!({"Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "ListUnderscores3LambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
                "FunctionName": "List-S3-Buckets-dev-list_s3",
                "Role": role,
                "MemorySize": 256,
                "Environment": {"Variables": variables},
                "Code": {"S3Key": format!("serverless/S/dev/{time}/handler.zip")}}}}})
    }

    fn release() -> Release {
        let variables = json!({"TARGET_ACCOUNT_ID": "000000000002", "TABLE": {"Ref": "Table"}});
        Release {
            template: template(&variables, "r", "1795370405000-2026-11-22T18:00:05.000Z"),
            sha256: "000102ff".to_owned(),
        }
    }

    /// What runs after the release was deployed.
    fn deployed() -> (DeployedStack, DeployedFunction) {
        let variables = json!({"TARGET_ACCOUNT_ID": "000000000002", "TABLE": {"Ref": "Table"}});
        let stack = DeployedStack {
            template: Part::Ok(template(
                &variables,
                "r",
                "1795370999000-2026-11-22T18:09:59.000Z",
            )),
            ..inspect::samples::stack()
        };
        let variables = [("TARGET_ACCOUNT_ID", "000000000002"), ("TABLE", "resolved")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let function = DeployedFunction {
            role: Some("r".to_owned()),
            runtime: Some("provided.al2023".to_owned()),
            architectures: vec!["x86_64".to_owned()],
            timeout: Some(3),
            memory_size: Some(256),
            code_sha256: Some(HASH.to_owned()),
            state: Some("Active".to_owned()),
            environment: Part::Ok(variables.into()),
            ..inspect::samples::function()
        };
        (stack, function)
    }

    type Change = fn(&mut DeployedStack, &mut DeployedFunction);

    fn running(of: impl FnOnce(&mut DeployedStack, &mut DeployedFunction)) -> Running {
        let (mut stack, mut function) = deployed();
        of(&mut stack, &mut function);
        let environment = samples::stage("");
        release().running(&environment, &Part::Ok(stack), &Part::Ok(function))
    }

    #[test]
    fn a_release_runs_only_if_nothing_differs() {
        assert_eq!(running(|_, _| {}), Running::Release);
        let settings = "settings of function List-S3-Buckets-dev-list_s3 differs";
        let cases: [(&str, Change); 8] = [
            (
                "CloudFormation stack List-S3-Buckets-dev is in status UPDATE_ROLLBACK_COMPLETE",
                |stack, _| stack.status = "UPDATE_ROLLBACK_COMPLETE".to_owned(),
            ),
            (
                "CloudFormation stack List-S3-Buckets-dev differs",
                |stack, _| stack.template = Part::Ok(template(&json!({}), "r", "1-t")),
            ),
            (
                "CloudFormation stack List-S3-Buckets-dev does not exist",
                |stack, _| stack.template = Part::Absent,
            ),
            ("code (sha256 of handler.zip) differs", |_, function| {
                function.code_sha256 = Some("AAEC/g==".to_owned());
            }),
            (settings, |_, function| function.memory_size = Some(512)),
            (settings, |_, function| function.role = Some("s".to_owned())),
            (settings, |_, function| {
                function.layers = vec!["arn:aws:lambda:us-east-1:1:layer:l:1".to_owned()];
            }),
            (settings, |_, function| {
                let variables = [
                    ("TARGET_ACCOUNT_ID", "000000000002"),
                    ("TABLE", "resolved"),
                    ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/w"),
                ];
                let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                function.environment = Part::Ok(variables.into());
            }),
        ];
        for (difference, change) in cases {
            let Running::Other(differences) = running(change) else {
                panic!("{difference}");
            };
            assert_eq!(differences, [difference]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_what_runs() {
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        let hidden = running(|stack, _| stack.template = Part::Unreadable(why.clone()));
        assert_eq!(
            hidden,
            Running::Unknown(vec![
                "CloudFormation stack List-S3-Buckets-dev: AccessDenied: no".to_owned()
            ])
        );
        let environment = samples::stage("");
        let none = release().running(&environment, &Part::Absent, &Part::Absent);
        assert!(matches!(none, Running::Other(differences) if differences.len() == 3));
    }

    #[test]
    fn the_time_of_the_packaging_is_no_difference() {
        let variables = json!({"TARGET_ACCOUNT_ID": "000000000002"});
        let one = template(&variables, "r", "1795370405000-2026-11-22T18:00:05.000Z");
        let other = template(&variables, "r", "1795370999000-2026-11-22T18:09:59.000Z");
        assert_eq!(template_text(&one), template_text(&other));
        assert!(template_text(&one).contains("serverless/S/dev/…/handler.zip"));
        let another = template(&variables, "s", "1795370999000-2026-11-22T18:09:59.000Z");
        assert_ne!(template_text(&one), template_text(&another));
    }

    #[test]
    fn a_hash_in_base64_is_the_builds() {
        assert_eq!(hexadecimal(HASH), "000102ff");
        assert_eq!(hexadecimal("no base64"), "no base64");
    }
}
