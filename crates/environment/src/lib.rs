//! A stage's variables file, parsed: an [`Environment`] is valid, or every problem of the file is told at once.
//!
//! Pure: it reads no file and prints nothing. A crate of its own, so that it can be built optimised while the generator
//! is not: the YAML parser is generic, and would be built as unoptimised as whoever uses it.

mod check;
mod diagnostics;
mod keys;
mod leaf;
mod schedule;
pub mod schema;
mod selection;
mod suggest;
mod syntax;
mod text;
mod tree;
mod values;
mod variables;
pub mod yaml;

use std::collections::HashSet;

use contract::{
    Access, FunctionConfiguration, LogLevel, Partition, RoleArn, RoleName, Selection, Stage, Target,
};

use self::{
    check::Checker,
    diagnostics::{Lines, Problem},
    tree::{Content, Node},
    values::Service,
};

pub use diagnostics::Diagnostics;
pub use suggest::closest;
pub use text::LARGEST;
pub use values::{Architecture, ReservedConcurrency, Trust};
pub use variables::Variables;

/// A stage with its variables, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The stage.
    pub stage: Stage,
    /// The file it was read from, as a person reads it: `environments/variables.dev.yml`.
    pub source: String,
    /// What the file says, the defaults filled in.
    pub variables: Variables,
    /// Which accounts that comes to.
    selection: Selection,
}

impl Environment {
    /// The partition of every ARN: the region's.
    pub fn partition(&self) -> Partition {
        self.variables.region.partition()
    }

    /// The role that the function runs as.
    pub fn execution_role_arn(&self) -> RoleArn {
        self.admin_role(&self.variables.lambda_execution_role)
    }

    /// The role that CloudFormation provisions the stack with, where the stage names one.
    pub fn deployment_role_arn(&self) -> Option<RoleArn> {
        let role = self.variables.deployment_role.as_ref()?;
        Some(self.admin_role(role))
    }

    /// What a target is assumed with that says nothing of its own: the stage's role and external ID. `None` where each
    /// says so itself.
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

    /// Which accounts the function lists, and how it gets in.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The one account of the seed's form; `None` where the stage has many.
    pub fn target(&self) -> Option<&Target> {
        match &self.selection {
            Selection::One(target) => Some(target),
            Selection::Many(_) => None,
        }
    }

    /// What the function is told. A log level that is the default is left out: the seed's form has two variables.
    pub fn function_configuration(&self) -> FunctionConfiguration {
        let level = self.variables.function.log_level;
        FunctionConfiguration {
            selection: self.selection.clone(),
            session_policy: self.variables.session_policy,
            log_level: (level != LogLevel::default()).then_some(level),
        }
    }

    /// The name of the CloudFormation stack, as the Serverless Framework makes it.
    pub fn stack_name(&self) -> String {
        format!("{}-{}", self.variables.service, self.stage)
    }

    /// The name of the Lambda function, as the Serverless Framework makes it.
    pub fn function_name(&self) -> String {
        function_name(&self.variables.service, &self.stage)
    }
}

/// Checks the bytes of a stage's file; `source` is how a person calls it.
///
/// # Errors
/// Every problem of the file.
pub fn parse(source: &str, stage: Stage, bytes: &[u8]) -> Result<Environment, Diagnostics> {
    let refused = |text: &str, problems| Diagnostics::new(source, text.to_owned(), problems);
    let text = text::read(bytes).map_err(|problem| refused("", vec![*problem]))?;
    let tree = tree::read(&text.parsed);
    let found = Checker::run::<Variables>(&text.shown, &tree);
    let too_long = name_too_long(&stage, tree.root.as_ref());
    let lines = Lines::in_text(&text.shown);
    let mut problems = text.unreadable;
    // A character that could not be read is no ground to judge the rest of its line by, nor is a tab to judge how far
    // its line is indented.
    let unreadable: HashSet<usize> = problems
        .iter()
        .map(|problem| problem.line(&lines))
        .collect();
    let tabbed: HashSet<usize> = text.tabbed.iter().map(|tab| lines.of(tab.start)).collect();
    let of_the_tree = tree.problems.into_iter();
    let found = of_the_tree
        .filter(|problem| !tabbed.contains(&problem.line(&lines)))
        .chain(text.tabs)
        .chain(found)
        .chain(too_long);
    problems.extend(found.filter(|problem| !unreadable.contains(&problem.line(&lines))));
    if !problems.is_empty() {
        return Err(refused(&text.shown, problems));
    }
    let variables = serde_yaml::from_str(&text.shown)
        .map_err(|error| refused(&text.shown, vec![unread(&text.shown, &error)]))?;
    let selection = selection::selection(&variables).map_err(|fault| {
        let problem = Problem::file(format!("no accounts to list: {fault}"));
        let help = "name them by `target-account-id`, `targets` or `organization`";
        refused(&text.shown, vec![problem.help(help)])
    })?;
    Ok(Environment {
        stage,
        source: source.to_owned(),
        variables,
        selection,
    })
}

/// The function is named after the service and the stage, and Lambda limits that name (Lambda API reference,
/// `CreateFunction`).
fn name_too_long(stage: &Stage, root: Option<&Node>) -> Option<Problem> {
    const LONGEST: usize = 64;
    let Content::Map(entries) = &root?.content else {
        return None;
    };
    let (_, value) = entries
        .iter()
        .find(|(key, _)| key.word() == Some("service"))?;
    let service: Service = value.word()?.parse().ok()?;
    let name = function_name(&service, stage);
    let longest = (LONGEST + service.as_str().len()).saturating_sub(name.len());
    (name.len() > LONGEST).then(|| {
        Problem::at(
            value.span.clone(),
            "`service` is too long for the function's name",
            format!("{} characters", service.as_str().len()),
        )
        .note(format!(
            "the function would be called `{name}`: {} characters, and Lambda allows {LONGEST}",
            name.len()
        ))
        .help(format!(
            "with the stage `{stage}`, a service may have {longest} characters"
        ))
    })
}

/// As the Serverless Framework makes it.
fn function_name(service: &Service, stage: &Stage) -> String {
    format!("{service}-{stage}-list_s3")
}

/// Two YAML readers do not agree on the file: `serde_yaml` refuses what the check found to be right.
fn unread(text: &str, error: &serde_yaml::Error) -> Problem {
    let title = format!("not YAML to every reader: {error}");
    let help = "write one `key: value` a line, as in the shipped files";
    match error.location() {
        Some(location) => {
            let at = text.floor_char_boundary(location.index());
            // Such a line holds a comment or nothing: a tab before a key is found by the check.
            let help = if text[at..].starts_with('\t') {
                "the line begins with a tab: write spaces instead, or nothing before the line's end"
            } else {
                help
            };
            Problem::at(at..at, title, "here").help(help)
        }
        None => Problem::file(title).help(help),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
mod tests;
