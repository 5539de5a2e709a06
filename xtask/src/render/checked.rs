//! Reads the rendered serverless.yml back, like the Serverless Framework will, and compares it with the environment.
//!
//! Users edit the templates. Whatever they change, a stage is never deployed with another account, role, region or configuration
//! than its variables file sets, and all YAML parsers read the same values.

use std::{borrow::Cow, collections::BTreeMap};

use contract::variable;
use environment::yaml::{Event, Events, ScalarStyle};
use serde::{Deserialize, de::DeserializeOwned};
use serde_yaml::Value;

use environment::Environment;

/// A problem in rendered text.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) what: String,
    /// The line in the rendered text, from 1, if known.
    pub(super) line: Option<usize>,
    pub(super) hint: Cow<'static, str>,
}

/// The parts of serverless.yml that the variables file determines.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a map")]
struct Serverless {
    service: String,
    #[serde(default)]
    use_dotenv: bool,
    provider: Provider,
    package: Package,
    functions: BTreeMap<String, Function>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a map")]
struct Provider {
    name: String,
    region: String,
    stage: String,
    runtime: String,
    architecture: String,
    stack_name: Option<String>,
    profile: Option<String>,
    /// An earlier name of `iam.deploymentRole`.
    cfn_role: Option<String>,
    #[serde(default)]
    iam: Iam,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a map")]
struct Iam {
    deployment_role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a map")]
struct Package {
    artifact: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a map")]
struct Function {
    name: Option<String>,
    role: String,
    memory_size: u32,
    timeout: u32,
    /// These would override those of the provider and the package.
    runtime: Option<String>,
    architecture: Option<String>,
    package: Option<Value>,
    image: Option<Value>,
    /// Missing if the accounts are in `targets.json`.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// Parses a CloudFormation template.
///
/// # Errors
/// The text is not valid YAML, or is ambiguous.
pub(super) fn cloudformation(text: &str) -> Result<serde_json::Value, Problem> {
    #[derive(Debug, Deserialize)]
    struct Template {
        #[serde(rename = "Resources")]
        _resources: serde_yaml::Mapping,
    }
    refuse_ambiguity(text, Dollars::CloudFormation)?;
    let value = without_repeated_keys(text)?;
    if !value.get("Resources").is_some_and(Value::is_mapping) {
        read::<Template>(text)?;
    }
    read_value(value, text)
}

/// # Errors
/// The text is not valid YAML, is ambiguous, or differs from the environment.
pub(super) fn serverless(text: &str, environment: &Environment) -> Result<(), Problem> {
    refuse_ambiguity(text, Dollars::Framework)?;
    let read: Serverless = read_value(without_repeated_keys(text)?, text)?;
    agree(&read, environment)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_yaml::from_str(text).map_err(|error| unreadable(&error))
}

/// Deserializes `value`, which was parsed from `text`. On an error, parses `text` again to find the line.
fn read_value<T: DeserializeOwned>(value: Value, text: &str) -> Result<T, Problem> {
    serde_yaml::from_value(value).or_else(|_| read(text))
}

fn unreadable(error: &serde_yaml::Error) -> Problem {
    Problem {
        line: error.location().map(|location| location.line()),
        what: format!("invalid output: {error}"),
        hint: "keep the keys that every stage needs; compare with the original template".into(),
    }
}

/// Checks each value that the variables file determines.
fn agree(read: &Serverless, environment: &Environment) -> Result<(), Problem> {
    let variables = &environment.variables;
    let [(name, function)] = read.functions.iter().collect::<Vec<_>>()[..] else {
        return differs(
            "functions",
            &read
                .functions
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", "),
            "list_s3",
        );
    };
    let region = variables.region.to_string();
    let role = environment.execution_role_arn().to_string();
    let deployment_role = environment
        .deployment_role_arn()
        .map_or_else(String::new, |role| role.to_string());
    for (key, is, must) in [
        ("functions", name.as_str(), "list_s3"),
        ("service", &read.service, variables.service.as_str()),
        ("provider.name", &read.provider.name, "aws"),
        ("provider.region", &read.provider.region, &region),
        (
            "provider.stage",
            &read.provider.stage,
            environment.stage.as_str(),
        ),
        (
            "provider.runtime",
            &read.provider.runtime,
            "provided.al2023",
        ),
        (
            "provider.architecture",
            &read.provider.architecture,
            variables.function.architecture.as_str(),
        ),
        ("package.artifact", &read.package.artifact, "handler.zip"),
        ("functions.list_s3.role", &function.role, &role),
        (
            "functions.list_s3.memorySize",
            &function.memory_size.to_string(),
            &variables.function.memory.get().to_string(),
        ),
        (
            "functions.list_s3.timeout",
            &function.timeout.to_string(),
            &variables.function.timeout.get().to_string(),
        ),
        // Empty if there is none.
        (
            "provider.iam.deploymentRole",
            read.provider.iam.deployment_role.as_deref().unwrap_or(""),
            &deployment_role,
        ),
        (
            "provider.cfnRole",
            read.provider.cfn_role.as_deref().unwrap_or(""),
            "",
        ),
        (
            "functions.list_s3.runtime",
            function.runtime.as_deref().unwrap_or(""),
            "",
        ),
        (
            "functions.list_s3.architecture",
            function.architecture.as_deref().unwrap_or(""),
            "",
        ),
        // The names of the stack and the function derive from service and stage; roles and logs depend on them.
        (
            "provider.stackName",
            read.provider.stack_name.as_deref().unwrap_or(""),
            "",
        ),
        (
            "functions.list_s3.name",
            function.name.as_deref().unwrap_or(""),
            "",
        ),
        // The guard decides which credentials deploy.
        (
            "provider.profile",
            read.provider.profile.as_deref().unwrap_or(""),
            "",
        ),
    ] {
        if is != must {
            return differs(key, is, must);
        }
    }
    agree_on_variables(read, function, environment)?;
    // The code comes from the package.
    for (key, value) in [("package", &function.package), ("image", &function.image)] {
        if value.is_some() {
            return differs(&format!("functions.list_s3.{key}"), "set", "");
        }
    }
    // It would load other credentials than the guard's.
    if read.use_dotenv {
        return differs("useDotenv", "true", "");
    }
    Ok(())
}

/// Checks that the function's environment variables are exactly its configuration.
fn agree_on_variables(
    read: &Serverless,
    function: &Function,
    environment: &Environment,
) -> Result<(), Problem> {
    let configuration = environment.function_configuration().to_environment();
    for (name, must) in &configuration {
        let is = function.environment.get(*name).map_or("", String::as_str);
        if is != must {
            return differs(&format!("functions.list_s3.environment.{name}"), is, must);
        }
    }
    // The function would read these too, but the stage does not set them.
    for (place, variables) in [
        ("functions.list_s3", &function.environment),
        ("provider", &read.provider.environment),
    ] {
        let unasked = |name: &&String| {
            variable::ALL.contains(&name.as_str()) && !configuration.contains_key(name.as_str())
        };
        if let Some(name) = variables.keys().find(unasked) {
            return differs(&format!("{place}.environment.{name}"), &variables[name], "");
        }
    }
    Ok(())
}

/// Reports that `key` differs from the variables file, which does not set it if `must` is empty.
fn differs(key: &str, is: &str, must: &str) -> Result<(), Problem> {
    let what = match (is, must) {
        ("", must) => format!("`{key}` is missing; the variables file sets it to `{must}`"),
        (is, "") => format!("`{key}` is `{is}`, which the variables file does not set"),
        (is, must) => {
            format!("`{key}` is `{is}`; the variables file sets it to `{must}`")
        }
    };
    Err(Problem {
        what,
        line: None,
        hint: "use the template's name for the value instead of the value itself".into(),
    })
}

/// Parses the text. Rejects duplicate keys: js-yaml rejects them, and other parsers take the last one.
fn without_repeated_keys(text: &str) -> Result<Value, Problem> {
    serde_yaml::from_str(text).map_err(|error| Problem {
        hint: "remove the duplicate; YAML parsers differ in which value they take".into(),
        ..unreadable(&error)
    })
}

/// The owner of the `${…}` syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dollars {
    /// The Serverless Framework's variables, rejected everywhere.
    Framework,
    /// `Fn::Sub`.
    CloudFormation,
}

/// Rejects text that YAML 1.1 and 1.2 parsers read differently.
fn refuse_ambiguity(text: &str, dollars: Dollars) -> Result<(), Problem> {
    for event in Events::of(text) {
        let (event, span) = event.map_err(|error| Problem {
            what: format!("invalid YAML: {}", error.info()),
            line: Some(error.marker().line()),
            hint: "write values as `{{ name }}`, which quotes and escapes them".into(),
        })?;
        let line = Some(span.start.line());
        match event {
            Event::Scalar(value, ..) if dollars == Dollars::Framework && value.contains("${") => {
                return Err(Problem {
                    what: format!(
                        "`{value}` contains `${{`, the Serverless Framework's variable syntax"
                    ),
                    line,
                    hint: "set the value in the variables file".into(),
                });
            }
            Event::Scalar(value, style, _, tag)
                if tag.is_some() || (style == ScalarStyle::Plain && !is_unambiguous(&value)) =>
            {
                return Err(Problem {
                    what: format!("`{value}` is not quoted and is ambiguous in YAML"),
                    line,
                    hint: "quote it, or write it as `{{ name }}`, which quotes it".into(),
                });
            }
            Event::Alias(_) => {
                return Err(Problem {
                    what: "YAML aliases are not supported".to_owned(),
                    line,
                    hint: "repeat the value instead".into(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns whether all YAML parsers read a plain scalar the same way: a word without a meaning in any version of YAML, `true` or
/// `false`, or a number without a leading zero, point or exponent.
fn is_unambiguous(value: &str) -> bool {
    // Other words for true, false and null in YAML 1.1 (yaml.org/type/bool.html, yaml.org/type/null.html).
    const MISREAD: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "null", "~", ""];
    let is_word = value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && value
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "._-/: ".contains(character))
        && !MISREAD.iter().any(|word| value.eq_ignore_ascii_case(word))
        && (!value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false")
            || matches!(value, "true" | "false"));
    let is_number = value
        .parse::<u32>()
        .is_ok_and(|number| number.to_string() == *value);
    is_word || is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_reader_reads_alike_may_be_unquoted() {
        for value in [
            "aws",
            "provided.al2023",
            "list_s3",
            "TARGET_ACCOUNT_ID",
            "256",
            "0",
            "true",
            "handler.zip",
        ] {
            assert!(is_unambiguous(value), "{value}");
        }
        for value in [
            "",
            "~",
            "null",
            "No",
            "on",
            "y",
            "True",
            "012",
            "012345678901",
            "1_000",
            "1e3",
            "0x1f",
            "1.5",
            "12:30",
            "-1",
            ".5",
            "é",
        ] {
            assert!(!is_unambiguous(value), "{value}");
        }
    }

    #[test]
    fn the_framework_s_own_variables_are_refused_even_in_quotes() {
        let text = "a: \"${env:SECRET}\"\n";
        let problem = refuse_ambiguity(text, Dollars::Framework).unwrap_err();
        assert!(problem.what.contains("${"), "{problem:?}");
        assert_eq!(problem.line, Some(1));
        refuse_ambiguity(text, Dollars::CloudFormation).unwrap();
    }
}
