//! The flags, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use contract::Region;

use crate::key_value::KeyValue;

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
    /// Create or update a CloudFormation stack, showing first what will change
    Apply(Apply),
    /// Delete a CloudFormation stack; one that does not exist is fine
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Whoami {
    /// The region whose STS is asked
    #[arg(long)]
    pub(crate) region: Region,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The stack's region
    #[arg(long)]
    pub(crate) region: Region,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: String,
    /// The template, JSON or YAML, at most 51,200 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) template: PathBuf,
    /// A parameter of the template; one left out takes the template's default, not the deployed value
    #[arg(long = "parameter", value_name = "KEY=VALUE")]
    pub(crate) parameters: Vec<KeyValue>,
    /// A tag of the stack and of its resources
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<KeyValue>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The stack's region
    #[arg(long)]
    pub(crate) region: Region,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: String,
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
