//! The flags, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use contract::{Region, RoleName};
use operator_api::ChangeSetArn;

use crate::{json_text::JsonText, key_value::KeyValue};

/// What the workspace asks of AWS, with the credentials that the AWS CLI would use
///
/// The answer is one JSON object on standard output; everything else goes to standard error. Exit status: 0 done,
/// 1 failed, 2 bad flags. Credentials come from the environment, a profile (`AWS_PROFILE`), SSO, `aws login`, a
/// credential process, or the machine's own role; `AWS_ENDPOINT_URL`, `AWS_CA_BUNDLE` and `SSL_CERT_FILE` are honoured.
#[derive(Debug, Parser)]
#[command(name = "operator", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whose credentials these are: account, ARN, user id, partition
    Whoami(Whoami),
    /// Say the same, and give the credentials as session keys: for a program, not for a terminal
    Credentials(Whoami),
    /// Create or update a CloudFormation stack, showing first what will change
    ///
    /// In one go; or in two, with somebody's decision between them: `--plan`, and then `--execute` or `--discard`.
    Apply(Apply),
    /// Delete a CloudFormation stack; one that does not exist is fine
    Delete(Delete),
    /// Read what is deployed: roles with their policies, functions, stacks; changes nothing
    Inspect(Inspect),
    /// Copy an object of S3 into a file
    Fetch(Fetch),
    /// Invoke a Lambda function, once, and wait for its answer
    Invoke(Invoke),
}

/// Where to ask, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// The region that is asked; IAM, which has none, is asked in its partition
    #[arg(long)]
    pub(crate) region: Region,
    /// A profile of the AWS configuration files, whose credentials are used whatever the environment holds
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) access: Access,
    /// The stack's name
    #[arg(long, value_name = "NAME", required_unless_present = "step")]
    pub(crate) stack: Option<String>,
    /// The template, JSON or YAML, at most 51,200 bytes
    #[arg(long, value_name = "FILE", required_unless_present = "step")]
    pub(crate) template: Option<PathBuf>,
    /// A parameter of the template; one left out takes the template's default, not the deployed value
    #[arg(long = "parameter", value_name = "KEY=VALUE")]
    pub(crate) parameters: Vec<KeyValue>,
    /// A tag of the stack and of its resources
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<KeyValue>,
    /// Make the change set and tell what it would change, and leave it at that
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) second: SecondStep,
}

/// What to do with a change set that `--plan` left.
#[derive(Debug, Args)]
#[group(id = "step", multiple = false, conflicts_with_all = ["stack", "template", "parameters", "tags", "plan"])]
pub(crate) struct SecondStep {
    /// Execute the change set that `--plan` made, and wait until the stack is changed
    #[arg(long, value_name = "ARN")]
    pub(crate) execute: Option<ChangeSetArn>,
    /// Delete the change set that `--plan` made, and the stack if there is nothing more to it
    #[arg(long, value_name = "ARN")]
    pub(crate) discard: Option<ChangeSetArn>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) access: Access,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: String,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) parts: Parts,
}

/// What to read; at least one.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Parts {
    /// Whose credentials these are
    #[arg(long)]
    pub(crate) caller: bool,
    /// A role of the caller's account, with or without its path; the name alone finds it (may be repeated)
    #[arg(long = "role", value_name = "NAME")]
    pub(crate) roles: Vec<RoleName>,
    /// A function (may be repeated)
    #[arg(long = "function", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) functions: Vec<String>,
    /// A CloudFormation stack (may be repeated)
    #[arg(long = "stack", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stacks: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    #[command(flatten)]
    pub(crate) access: Access,
    /// The bucket
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bucket: String,
    /// The object in it
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: String,
    /// The file; one that is there is overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    #[command(flatten)]
    pub(crate) access: Access,
    /// The function's name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) function: String,
    /// The event
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) event: JsonText,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Arguments::command().debug_assert();
    }
}
