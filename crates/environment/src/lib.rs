//! Parses a stage's variables file to a valid [`Environment`], or reports every problem.
//!
//! Pure: it reads no file and prints nothing. It is a crate of its own so that it can be optimised while the generator is
//! not: the YAML parser is generic, so it is compiled with the options of the crate that uses it.

mod check;
mod collections;
mod diagnostics;
mod keys;
mod leaf;
pub mod reference;
mod rules;
mod schedule;
mod schema;
mod selection;
mod suggest;
mod syntax;
mod text;
mod tree;
mod values;
mod variables;
pub mod yaml;

use contract::{
    Access, FunctionConfiguration, LogLevel, Partition, RoleArn, RoleName, Selection, Stage, Target,
};

use serde_json::Value;

use self::{
    diagnostics::Problem,
    keys::Checker,
    tree::{Content, Node},
    values::Service,
};

pub use diagnostics::Diagnostics;
pub use suggest::closest;
pub use text::MAX_FILE_BYTES;
pub use values::{Architecture, ReservedConcurrency, Trust};
pub use variables::Variables;

/// A stage and its valid variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The stage.
    pub stage: Stage,
    /// The path of the variables file for messages: `environments/variables.dev.yml`.
    pub source: String,
    /// The variables, with defaults.
    pub variables: Variables,
    /// The accounts that the variables select.
    selection: Selection,
}

impl Environment {
    /// The partition of the stage's region, used in every ARN.
    pub fn partition(&self) -> Partition {
        self.variables.region.partition()
    }

    /// The role that the function runs as.
    pub fn execution_role_arn(&self) -> RoleArn {
        self.admin_role(&self.variables.lambda_execution_role)
    }

    /// The role that CloudFormation uses to deploy the stack, if the stage sets one.
    pub fn deployment_role_arn(&self) -> Option<RoleArn> {
        let role = self.variables.deployment_role.as_ref()?;
        Some(self.admin_role(role))
    }

    /// The access to targets without settings of their own: the stage's role and external ID. `None` if every target has
    /// its own.
    pub fn default_access(&self) -> Option<Access> {
        Some(Access::Role {
            role: self.variables.s3_read_role.clone()?,
            external_id: self.variables.external_id.clone(),
        })
    }

    fn admin_role(&self, role: &RoleName) -> RoleArn {
        RoleArn {
            partition: self.partition(),
            account: self.variables.admin_account_id.clone(),
            role: role.clone(),
        }
    }

    /// The accounts that the function lists, and its access to each.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The account of a single-account stage; `None` if the stage has many.
    pub fn target(&self) -> Option<&Target> {
        match &self.selection {
            Selection::Single(target) => Some(target),
            Selection::Fleet(_) => None,
        }
    }

    /// The function's configuration. The default log level is omitted, so a single-account stage has two variables.
    pub fn function_configuration(&self) -> FunctionConfiguration {
        let level = self.variables.function.log_level;
        FunctionConfiguration {
            selection: self.selection.clone(),
            session_policy: self.variables.session_policy,
            log_level: (level != LogLevel::default()).then_some(level),
        }
    }

    /// The name of the CloudFormation stack, as the Serverless Framework generates it.
    pub fn stack_name(&self) -> String {
        format!("{}-{}", self.variables.service, self.stage)
    }

    /// The name of the Lambda function, as the Serverless Framework generates it.
    pub fn function_name(&self) -> String {
        function_name(&self.variables.service, &self.stage)
    }
}

/// Parses and validates a stage's file; `source` is its path for messages.
///
/// # Errors
/// Every problem of the file.
pub fn parse(source: &str, stage: Stage, bytes: &[u8]) -> Result<Environment, Diagnostics> {
    let rejected = |text: &str, problems| Diagnostics::new(source, text.to_owned(), problems);
    let text = text::read(bytes)
        .map_err(|(text, problems)| Diagnostics::partial(source, text, problems))?;
    let tree = tree::read(&text)
        .map_err(|problems| Diagnostics::partial(source, text.clone(), problems))?;
    let mut problems = Checker::run::<Variables>(&text, &tree);
    problems.extend(name_too_long(&stage, tree.root.as_ref()));
    problems.extend(tree.problems);
    if !problems.is_empty() {
        return Err(rejected(&text, problems));
    }
    let value = tree.root.as_ref().map_or(Value::Null, Value::from);
    let variables: Variables = serde_json::from_value(value).map_err(|error| {
        let problem = Problem::file(format!("invalid variables: {error}"));
        let help = "write one `key: value` per line";
        rejected(&text, vec![problem.help(help)])
    })?;
    let selection = selection::selection(&variables).map_err(|error| {
        let problem = Problem::file(format!("no accounts to list: {error}"));
        let help = "set `target-account-id`, `targets` or `organization`";
        rejected(&text, vec![problem.help(help)])
    })?;
    Ok(Environment {
        stage,
        source: source.to_owned(),
        variables,
        selection,
    })
}

/// Reports a service whose function name would exceed Lambda's limit (Lambda API reference, `CreateFunction`).
fn name_too_long(stage: &Stage, root: Option<&Node>) -> Option<Problem> {
    const MAX_CHARACTERS: usize = 64;
    let Content::Map(entries) = &root?.content else {
        return None;
    };
    let (_, value) = entries
        .iter()
        .find(|(key, _)| key.word() == Some("service"))?;
    let service: Service = value.word()?.parse().ok()?;
    let name = function_name(&service, stage);
    let longest = (MAX_CHARACTERS + service.as_str().len()).saturating_sub(name.len());
    (name.len() > MAX_CHARACTERS).then(|| {
        Problem::at(
            value.span.clone(),
            "`service` makes the function's name too long",
            format!("{} characters", service.as_str().len()),
        )
        .note(format!(
            "the function's name would be `{name}`: {} characters; Lambda allows {MAX_CHARACTERS}",
            name.len()
        ))
        .help(format!(
            "for stage `{stage}`, use at most {longest} characters"
        ))
    })
}

/// The function's name, as the Serverless Framework generates it.
fn function_name(service: &Service, stage: &Stage) -> String {
    format!("{service}-{stage}-list_s3")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
mod tests;
