//! Subcommand: delete a CloudFormation stack and wait until it is gone.

use anyhow::Result;
use aws_sdk_cloudformation::Client;
use serde::Serialize;

use crate::{arguments::Delete, connection, stack};

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Deleted {
    stack: String,
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Deleted,
    /// There was none.
    Absent,
}

pub(crate) async fn run(flags: Delete) -> Result<Deleted> {
    let client = Client::new(&connection::open(&flags.access).await?);
    let action = if stack::delete(&client, &flags.stack).await? {
        Action::Deleted
    } else {
        Action::Absent
    };
    Ok(Deleted {
        stack: flags.stack,
        action,
    })
}
