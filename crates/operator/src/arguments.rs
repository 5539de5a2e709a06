//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use contract::{Region, RoleName};
use operator_api::ChangeSetArn;

use crate::{json_text::JsonText, key_value::KeyValue};

/// Send requests to AWS, with the credentials that the AWS CLI would use
///
/// The result is one JSON object on standard output; everything else goes to standard error. Exit status: 0 success,
/// 1 failure, 2 invalid flags. Credentials come from the environment, a profile (`AWS_PROFILE`), SSO, `aws login`, a
/// credential process or the machine's role. `AWS_ENDPOINT_URL`, `AWS_CA_BUNDLE` and `SSL_CERT_FILE` have effect.
#[derive(Debug, Parser)]
#[command(name = "operator", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the identity of the caller: account, ARN, user ID, partition
    Whoami(Whoami),
    /// Print the identity and the keys of the caller, for programs
    Credentials(Whoami),
    /// Create or update a CloudFormation stack through a change set
    ///
    /// To decide between the two steps, use `--plan`, then `--execute` or `--discard`.
    Apply(Apply),
    /// Delete a CloudFormation stack, if it exists
    Delete(Delete),
    /// Read the caller, roles with their policies, functions and stacks
    Inspect(Inspect),
    /// Copy an S3 object into a file
    Fetch(Fetch),
    /// Invoke a Lambda function and wait for its response
    Invoke(Invoke),
}

/// The region and the credentials of every request.
#[derive(Debug, Args)]
pub(crate) struct ConnectionFlags {
    /// The region; IAM requests go to its partition
    #[arg(long)]
    pub(crate) region: Region,
    /// A profile of the AWS configuration files; its credentials win over those in the environment
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
    /// The stack's name
    #[arg(long, value_name = "NAME", required_unless_present = "step")]
    pub(crate) stack: Option<String>,
    /// The template, JSON or YAML, at most 51,200 bytes
    #[arg(long, value_name = "FILE", required_unless_present = "step")]
    pub(crate) template: Option<PathBuf>,
    /// A parameter; without it, the template's default is used, not the deployed value
    #[arg(long = "parameter", value_name = "KEY=VALUE")]
    pub(crate) parameters: Vec<KeyValue>,
    /// A tag of the stack and of its resources
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<KeyValue>,
    /// Create the change set and print it, but do not execute it
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) second: SecondStep,
}

/// The decision on a change set that `--plan` created.
#[derive(Debug, Args)]
#[group(id = "step", multiple = false, conflicts_with_all = ["stack", "template", "parameters", "tags", "plan"])]
pub(crate) struct SecondStep {
    /// Execute a change set that `--plan` created, and wait for the stack
    #[arg(long, value_name = "ARN")]
    pub(crate) execute: Option<ChangeSetArn>,
    /// Delete a change set that `--plan` created, and its stack if that was never created
    #[arg(long, value_name = "ARN")]
    pub(crate) discard: Option<ChangeSetArn>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: String,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
    #[command(flatten)]
    pub(crate) query: Query,
}

/// The items to read; at least one.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Query {
    /// The identity of the caller
    #[arg(long)]
    pub(crate) caller: bool,
    /// A role of the caller's account, found by its name, whatever its path (repeatable)
    #[arg(long = "role", value_name = "NAME")]
    pub(crate) roles: Vec<RoleName>,
    /// A function (repeatable)
    #[arg(long = "function", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) functions: Vec<String>,
    /// A CloudFormation stack (repeatable)
    #[arg(long = "stack", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stacks: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
    /// The bucket
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) bucket: String,
    /// The key of the object
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) key: String,
    /// The file to write; an existing one is overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    #[command(flatten)]
    pub(crate) connection: ConnectionFlags,
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
