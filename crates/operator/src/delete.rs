//! Subcommand: delete a CloudFormation stack and wait until it is deleted.

use anyhow::Result;
use aws_sdk_cloudformation::Client;
use operator_api::{DeleteAction, Deleted};

use crate::{arguments::Delete, connection, stack};

pub(crate) async fn run(flags: Delete) -> Result<Deleted> {
    let client = Client::new(&connection::open(&flags.connection).await?);
    let action = if stack::delete(&client, &flags.stack).await? {
        DeleteAction::Deleted
    } else {
        DeleteAction::Absent
    };
    Ok(Deleted {
        stack: flags.stack,
        action,
    })
}
