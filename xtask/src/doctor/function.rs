//! Compares the deployed function with the stage.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use contract::{AccountId, Accounts, FunctionConfiguration, Selection, Target, TargetsFile};
use hmac_sha256::Hash;
use operator_api::{DeployedFunction, Part};
use serde::Deserialize;

use super::{
    evidence::InvocationError,
    facts::{Facts, not_in_admin},
    report::{Cause, CauseId, Check, CheckId},
};
use crate::{
    render::{File, Rendered},
    sys::{files, workspace::Workspace},
};
use environment::Environment;

/// Checks that the function is deployed, runs as the execution role and has the configuration of the stage.
///
/// # Errors
/// Fails if a file of the workspace cannot be read.
pub(super) fn check(
    workspace: &Workspace,
    environment: &Environment,
    facts: &Facts,
) -> Result<Check> {
    let stage = &environment.stage;
    let name = environment.function_name();
    if !facts.is_admin(environment) {
        return Ok(Check::unknown(CheckId::Function, not_in_admin(environment)));
    }
    let function = match facts.function() {
        Part::Ok(function) => function,
        Part::Absent => {
            let cause = format!("function {name} does not exist");
            return Ok(Check::unknown(CheckId::Function, "not deployed yet")
                .because(vec![Cause::seen(CauseId::NotDeployed, cause)])
                .fix(format!("run `cargo xtask deploy --env {stage}`")));
        }
        Part::Unreadable(why) => {
            let found = why.message.lines().next().unwrap_or_default();
            return Ok(Check::unknown(CheckId::Function, found));
        }
    };
    let mut causes = Vec::new();
    let role = environment.execution_role_arn().to_string();
    if function.role.as_deref() != Some(&role) {
        let is = function.role.as_deref().unwrap_or("none");
        let cause = format!("it runs as {is}; the stage sets {role}");
        causes.push(Cause::seen(CauseId::OtherRole, cause));
    }
    if let Some(state) = function.state.as_deref().filter(|state| *state == "Failed") {
        let why = function
            .state_reason
            .as_deref()
            .unwrap_or("no reason given");
        let cause = format!("its state is {state}: {why}");
        causes.push(Cause::seen(CauseId::FunctionState, cause));
    }
    let mut differences = differences(workspace, environment, function)?;
    if let Part::Ok(deployed) = &facts.configuration {
        differences.extend(other_accounts(
            deployed,
            &environment.function_configuration(),
        ));
    }
    let other = |cause| Cause::seen(CauseId::OtherConfiguration, cause);
    causes.extend(differences.into_iter().map(other));
    let error = facts
        .evidence
        .as_ref()
        .and_then(|evidence| evidence.error.as_ref());
    if let Some(InvocationError::FunctionFailed {
        error_type,
        message,
    }) = error
    {
        let cause = format!("it returned {error_type}: {message}");
        causes.push(Cause::seen(CauseId::FunctionError, cause));
    }
    if !causes.is_empty() {
        let found = format!("{name} does not work or does not match the stage");
        return Ok(Check::failed(CheckId::Function, found, causes)
            .fix(format!("run `cargo xtask deploy --env {stage}`")));
    }
    if let (Part::Unreadable(why), Selection::Fleet(_)) =
        (&facts.configuration, environment.selection())
    {
        let found = format!(
            "cannot determine which accounts {name} lists: {}",
            why.message
        );
        return Ok(Check::unknown(CheckId::Function, found));
    }
    let code = match same_code(workspace, environment, function)? {
        None => "",
        Some(true) => ", with the handler.zip in dist",
        Some(false) => ", with another handler.zip than in dist",
    };
    Ok(Check::ok(
        CheckId::Function,
        format!("{name} matches the stage{code}"),
    ))
}

/// Returns true if the function has another target or execution role than the stage. A request that it is denied then says
/// nothing about the roles of the stage.
pub(super) fn has_other_target(
    environment: &Environment,
    function: &DeployedFunction,
    deployed: &Part<FunctionConfiguration>,
) -> bool {
    let role = environment.execution_role_arn().to_string();
    let configuration = environment.function_configuration();
    let accounts = |configuration: &FunctionConfiguration| {
        let file = configuration.targets_file();
        file.map(|file| file.accounts().clone())
    };
    let should = configuration.to_environment();
    let is_another = |name: &str| match &function.environment {
        Part::Ok(is) => is.get(name) != should.get(name),
        Part::Absent | Part::Unreadable(_) => false,
    };
    function.role.as_deref() != Some(&role)
        || contract::variable::TARGET.into_iter().any(is_another)
        || deployed
            .ok()
            .is_some_and(|deployed| accounts(deployed) != accounts(&configuration))
}

/// Describes how the accounts of the function differ from those of the stage, if both have a list.
fn other_accounts(is: &FunctionConfiguration, should: &FunctionConfiguration) -> Option<String> {
    let (is, should) = (is.targets_file()?, should.targets_file()?);
    if is == should {
        return None;
    }
    let (Accounts::Targets(is), Accounts::Targets(should)) = (is.accounts(), should.accounts())
    else {
        let name = TargetsFile::NAME;
        return Some(format!("its {name} selects other accounts than the stage"));
    };
    let by_account = |targets: &[Target]| -> BTreeMap<_, _> {
        targets.iter().cloned().map(of_account).collect()
    };
    let (is, should) = (by_account(is), by_account(should));
    let among = |some: Vec<&AccountId>| match some.len() {
        0..=5 => some
            .into_iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        many => format!("{many} accounts"),
    };
    let missing = should.keys().filter(|account| !is.contains_key(account));
    let more = is.keys().filter(|account| !should.contains_key(account));
    let another = should
        .iter()
        .filter(|&(account, target)| is.get(account).is_some_and(|other| other != target))
        .map(|(account, _)| account);
    let parts: Vec<String> = [
        ("missing ", missing.collect()),
        ("additional ", more.collect()),
        ("different ", another.collect::<Vec<_>>()),
    ]
    .into_iter()
    .filter(|(_, some)| !some.is_empty())
    .map(|(how, some)| format!("{how}{}", among(some)))
    .collect();
    Some(if parts.is_empty() {
        format!(
            "its {} differs from the stage's, but has the same accounts",
            TargetsFile::NAME
        )
    } else {
        format!(
            "it lists other accounts than the stage: {}",
            parts.join("; ")
        )
    })
}

fn of_account(target: Target) -> (AccountId, Target) {
    (target.account.clone(), target)
}

/// Describes how the settings and variables of the function differ from the stage.
fn differences(
    workspace: &Workspace,
    environment: &Environment,
    function: &DeployedFunction,
) -> Result<Vec<String>> {
    let set = &environment.variables.function;
    let shown = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
    let architecture = match set.architecture.as_str() {
        "x86_64" => "x86_64",
        _ => "arm64",
    };
    let mut found = Vec::new();
    for (what, is, should) in [
        (
            "runtime",
            shown(function.runtime.clone()),
            "provided.al2023".to_owned(),
        ),
        (
            "architecture",
            function.architectures.join(", "),
            architecture.to_owned(),
        ),
        (
            "timeout",
            shown(function.timeout.map(|seconds| seconds.to_string())),
            set.timeout.get().to_string(),
        ),
        (
            "memory",
            shown(function.memory_size.map(|megabytes| megabytes.to_string())),
            set.memory.get().to_string(),
        ),
    ] {
        if is != should {
            found.push(format!("its {what} is {is}; the stage sets {should}"));
        }
    }
    let Part::Ok(is) = &function.environment else {
        return Ok(found);
    };
    let should = rendered_environment(workspace, environment)?;
    let names: BTreeSet<&String> = is.keys().chain(should.keys()).collect();
    for name in names {
        // Do not show the values of other variables: they may be secret.
        let is_ours = contract::variable::ALL.contains(&name.as_str());
        match (is.get(name), should.get(name)) {
            (Some(is), Some(should)) if is == should => {}
            (Some(is), Some(should)) if is_ours => found.push(format!(
                "its variable {name} is {is}; the stage sets {should}"
            )),
            (Some(_), Some(_)) => found.push(format!(
                "its variable {name} has another value than the stage sets"
            )),
            (Some(_), None) => {
                found.push(format!("its variable {name} is set, but not by the stage"));
            }
            (None, _) => found.push(format!("its variable {name} is missing")),
        }
    }
    Ok(found)
}

/// The variables of the function in serverless.yml. The template may set additional ones.
fn rendered_environment(
    workspace: &Workspace,
    environment: &Environment,
) -> Result<BTreeMap<String, String>> {
    #[derive(Debug, Default, Deserialize)]
    struct Section {
        #[serde(default)]
        environment: BTreeMap<String, String>,
    }
    #[derive(Debug, Deserialize)]
    struct Serverless {
        #[serde(default)]
        provider: Section,
        functions: BTreeMap<String, Section>,
    }
    let Ok(rendered) = Rendered::of_stage(workspace, environment, File::Serverless) else {
        // Another check reports the problem of the template.
        let own = environment.function_configuration().to_environment();
        return Ok(own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect());
    };
    let read: Serverless = serde_yaml::from_str(rendered.text())?;
    let mut all = read.provider.environment;
    for function in read.functions.into_values() {
        all.extend(function.environment);
    }
    Ok(all)
}

/// Compares the deployed code with `dist/STAGE/handler.zip`. Returns `None` if there is no such file.
fn same_code(
    workspace: &Workspace,
    environment: &Environment,
    function: &DeployedFunction,
) -> Result<Option<bool>> {
    let path = workspace.dist(&environment.stage).join("handler.zip");
    let Some(bytes) = files::read_if_there(&path)? else {
        return Ok(None);
    };
    let hash = BASE64_STANDARD.encode(Hash::hash(&bytes));
    Ok(function
        .code_sha256
        .as_ref()
        .map(|deployed| *deployed == hash))
}
