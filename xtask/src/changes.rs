//! What a deployment would change, against what is deployed; first of all, what of it broadens access.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use contract::variable;
use serde_json::Value;

use crate::{
    artifact,
    deployed::{self, Access, Part, Question},
    environment::Environment,
    files,
    framework::Package,
    generated,
    workspace::Workspace,
};

/// What a deployment would change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    broadens: Vec<String>,
    compared: Vec<Compared>,
}

/// One thing, as it is deployed and as it would be.
#[derive(Debug)]
struct Compared {
    what: String,
    how: How,
}

#[derive(Debug)]
enum How {
    Same,
    /// It is not there yet.
    New,
    Changed {
        /// As a person reads it; ends with a line break.
        diff: String,
    },
    /// What is deployed cannot be seen.
    Unknown {
        why: String,
    },
}

impl Changes {
    /// Compares `package` with what is deployed, as far as the caller may see it.
    ///
    /// # Errors
    /// The operator cannot be asked, or the package's own files cannot be read.
    pub(crate) fn of(
        workspace: &Workspace,
        package: &Package,
        environment: &Environment,
    ) -> Result<Self> {
        let stack = environment.stack_name();
        let function = environment.function_name();
        let question = Question {
            stacks: vec![stack.clone()],
            functions: vec![function.clone()],
            ..Question::default()
        };
        let deployed = deployed::inspect(workspace, Access::of_caller(environment), &question)?;
        let mut changes = Self::default();

        let packaged = files::read(&package.cloudformation_template())?;
        let packaged: Value =
            serde_json::from_slice(&packaged).context("The packaged template is not JSON")?;
        let stack_there = &deployed.stacks[&stack];
        let template = match stack_there {
            Part::Ok(stack) => &stack.template,
            Part::Absent => &Part::Absent,
            Part::Unreadable(why) => &Part::Unreadable(why.clone()),
        };
        if let Some(old) = template.ok() {
            changes.broadens.extend(function_broadens(old, &packaged));
        }
        changes.compare(
            &format!("CloudFormation stack {stack}"),
            template,
            &template_text(&packaged),
            template_text,
        );

        let code = format!("{}\n", package.artifact.sha256);
        let deployed_code = match &deployed.functions[&function] {
            Part::Ok(function) => match &function.code_sha256 {
                Some(hash) => Part::Ok(hash.clone()),
                None => Part::Absent,
            },
            Part::Absent => Part::Absent,
            Part::Unreadable(why) => Part::Unreadable(why.clone()),
        };
        changes.compare(
            "code (sha256 of handler.zip)",
            &deployed_code,
            &code,
            |hash| format!("{}\n", hexadecimal(hash)),
        );
        Ok(changes)
    }

    /// What broadens access, a sentence each.
    pub(crate) fn broadens(&self) -> &[String] {
        &self.broadens
    }

    fn compare<T>(&mut self, what: &str, old: &Part<T>, new: &str, text: impl Fn(&T) -> String) {
        let how = match old {
            Part::Absent => How::New,
            Part::Unreadable(why) => How::Unknown {
                why: format!("{}: {}", why.code, why.message),
            },
            Part::Ok(old) => {
                let old = text(old);
                if old == new {
                    How::Same
                } else {
                    How::Changed {
                        diff: generated::diff(what, &old, new),
                    }
                }
            }
        };
        self.compared.push(Compared {
            what: what.to_owned(),
            how,
        });
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.broadens.is_empty() {
            writeln!(f, "Broadens access:")?;
            for sentence in &self.broadens {
                writeln!(f, "  ! {sentence}")?;
            }
            writeln!(f)?;
        }
        for Compared { what, how } in &self.compared {
            match how {
                How::Same => writeln!(f, "unchanged    {what}")?,
                How::New => writeln!(f, "new          {what}: nothing is deployed yet")?,
                How::Unknown { why } => writeln!(f, "cannot tell  {what}: {why}")?,
                How::Changed { diff } => write!(f, "changed      {what}\n{diff}")?,
            }
        }
        Ok(())
    }
}

/// What of the function's own configuration lets it reach more than before.
fn function_broadens(old: &Value, new: &Value) -> Vec<String> {
    let old = FunctionSide::of(old);
    let new = FunctionSide::of(new);
    let mut sentences = Vec::new();
    let (was, is) = (
        old.variable(variable::TARGET_ACCOUNT_ID),
        new.variable(variable::TARGET_ACCOUNT_ID),
    );
    if let Some(account) = is.filter(|_| was != is) {
        sentences.push(format!("the function lists another account, {account}"));
    }
    if was.is_some() && is.is_none() {
        sentences.push("the function lists many accounts instead of one".to_owned());
    }
    if old.variable(variable::EXTERNAL_ID).is_some()
        && new.variable(variable::EXTERNAL_ID).is_none()
        && is.is_some()
    {
        sentences.push("the function no longer passes an external ID".to_owned());
    }
    let off = |side: &FunctionSide| side.variable(variable::SESSION_POLICY) == Some("off");
    if off(&new) && !off(&old) {
        sentences.push(
            "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)"
                .to_owned(),
        );
    }
    if let (Some(was), Some(is)) = (&old.role, &new.role)
        && was != is
    {
        sentences.push(format!("the function runs as another role, {is}"));
    }
    sentences
}

/// What a stack's template says of its function.
#[derive(Debug, Default)]
struct FunctionSide {
    role: Option<String>,
    variables: BTreeMap<String, String>,
}

impl FunctionSide {
    fn of(template: &Value) -> Self {
        let resources = template["Resources"].as_object();
        let function = resources
            .into_iter()
            .flat_map(serde_json::Map::values)
            .find(|resource| resource["Type"] == "AWS::Lambda::Function");
        let Some(function) = function else {
            return Self::default();
        };
        let properties = &function["Properties"];
        let variables = properties["Environment"]["Variables"].as_object();
        Self {
            role: properties["Role"].as_str().map(ToOwned::to_owned),
            variables: variables
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// A template as text that two can be compared by: the keys sorted, and without the time of the packaging, which the
/// Framework puts into the code's key.
fn template_text(template: &Value) -> String {
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
                if let Some(folder) = from_the_end.and_then(|index| parts.get_mut(index)) {
                    *folder = "…";
                }
                *key = parts.join("/");
            }
            map.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// A hash as Lambda tells it, in base64, as the build tells it.
fn hexadecimal(base64: &str) -> String {
    match BASE64_STANDARD.decode(base64) {
        Ok(hash) => artifact::hexadecimal(&hash),
        Err(_) => base64.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deployed::Unreadable;

    fn template(variables: &Value, role: &str, time: &str) -> Value {
        json!({"Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "ListUnderscores3LambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
                "Role": role,
                "Environment": {"Variables": variables},
                "Code": {"S3Key": format!("serverless/S/dev/{time}/handler.zip")}}}}})
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
    fn what_lets_the_function_reach_more_is_told() {
        let seed = json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit"});
        let told = |variables: Value, role: &str| {
            function_broadens(&template(&seed, "r", "t"), &template(&variables, role, "t"))
        };
        assert_eq!(told(seed.clone(), "r"), Vec::<String>::new());
        let more_narrow = json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit", "LOG_LEVEL": "debug"});
        assert_eq!(told(more_narrow, "r"), Vec::<String>::new());
        for (variables, role, sentence) in [
            (
                json!({"TARGET_ACCOUNT_ID": "000000000003", "EXTERNAL_ID": "audit"}),
                "r",
                "the function lists another account, 000000000003",
            ),
            (
                json!({"TARGET_ACCOUNT_ID": "000000000002"}),
                "r",
                "the function no longer passes an external ID",
            ),
            (
                json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit", "SESSION_POLICY": "off"}),
                "r",
                "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)",
            ),
            (
                json!({}),
                "r",
                "the function lists many accounts instead of one",
            ),
            (
                seed.clone(),
                "other",
                "the function runs as another role, other",
            ),
        ] {
            assert_eq!(told(variables, role), [sentence]);
        }
    }

    #[test]
    fn what_is_not_deployed_or_not_to_be_seen_is_said_and_broadenings_come_first() {
        let mut changes = Changes::default();
        let text = |text: &String| text.clone();
        changes.compare("same", &Part::Ok("a\n".to_owned()), "a\n", text);
        changes.compare("new", &Part::Absent, "a\n", text);
        changes.compare("other", &Part::Ok("a\n".to_owned()), "b\n", text);
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        changes.compare("hidden", &Part::Unreadable(why), "a\n", text);
        changes.broadens.push("everything".to_owned());
        let told = changes.to_string();
        assert!(
            told.starts_with("Broadens access:\n  ! everything\n\n"),
            "{told}"
        );
        for line in [
            "unchanged    same\n",
            "new          new: nothing is deployed yet\n",
            "changed      other\n",
            "\n-a\n+b\n",
            "cannot tell  hidden: AccessDenied: no\n",
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
    }

    #[test]
    fn a_hash_in_base64_is_the_builds() {
        assert_eq!(hexadecimal("AAEC/w=="), "000102ff");
        assert_eq!(hexadecimal("no base64"), "no base64");
    }
}
