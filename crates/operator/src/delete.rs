//! Subcommand: delete a CloudFormation stack and wait until it is gone.

use anyhow::{Result, bail};
use aws_sdk_cloudformation::{Client, types::StackStatus};
use serde::Serialize;

use crate::{
    arguments::Delete,
    connection, failure,
    stack::{self, Stack},
    terminal::progress,
};

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
    Ok(Deleted {
        action: delete(&client, &flags.stack).await?,
        stack: flags.stack,
    })
}

/// Deletes the stack of this name, in whatever state it is.
///
/// # Errors
/// A stack that cannot be deleted, with the reasons that its resources give.
pub(crate) async fn delete(client: &Client, name: &str) -> Result<Action> {
    // By id from here on: a deleted stack is not found by its name.
    let Some(Stack { id, .. }) = Stack::find(client, name).await? else {
        progress(&format!("stack `{name}`: there is none"));
        return Ok(Action::Absent);
    };
    let token = stack::request_token();
    client
        .delete_stack()
        .stack_name(&id)
        .client_request_token(&token)
        .send()
        .await
        .map_err(failure::of(&format!("delete stack `{name}`")))?;
    let after = Stack::settled(client, &id).await?;
    if after.status != StackStatus::DeleteComplete {
        let reasons = stack::reasons(client, &id, &token).await?;
        bail!(stack::failed(name, &after.status, &reasons));
    }
    progress(&format!("stack `{name}`: deleted"));
    Ok(Action::Deleted)
}
