//! A CloudFormation stack: finds, watches and deletes it.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use aws_sdk_cloudformation::{
    Client,
    error::ProvideErrorMetadata,
    types::{self, ResourceStatus, StackEvent, StackStatus},
};
use contract::printable;

use crate::{failure, terminal::progress, wait::wait_for};

/// A stack as CloudFormation describes it.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The ARN, which, unlike the name, finds the stack after its deletion.
    pub(crate) id: String,
    pub(crate) status: StackStatus,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Finds the stack with this name or ID.
    pub(crate) async fn find(client: &Client, name_or_id: &str) -> Result<Option<Self>> {
        describe(client, name_or_id)
            .await?
            .map(Self::from_sdk)
            .transpose()
    }

    fn from_sdk(stack: types::Stack) -> Result<Self> {
        Ok(Self {
            id: stack.stack_id.context("the stack has no ID")?,
            status: stack.stack_status.context("the stack has no status")?,
            outputs: stack
                .outputs
                .unwrap_or_default()
                .into_iter()
                .filter_map(|output| Some((output.output_key?, output.output_value?)))
                .collect(),
        })
    }

    /// Waits until the operation on the stack with this ID has ended.
    pub(crate) async fn settled(client: &Client, id: &str) -> Result<Self> {
        wait_for(&format!("stack `{id}`"), async || {
            let stack = Self::find(client, id)
                .await?
                .with_context(|| format!("stack `{id}` no longer exists"))?;
            Ok(stack.is_settled().then_some(stack))
        })
        .await
    }

    /// Returns whether the last operation has ended, successfully or not.
    pub(crate) fn is_settled(&self) -> bool {
        !self.status.as_str().ends_with("_IN_PROGRESS")
    }
}

/// Describes the stack with this name or ID, if it exists.
pub(crate) async fn describe(client: &Client, name_or_id: &str) -> Result<Option<types::Stack>> {
    let result = client.describe_stacks().stack_name(name_or_id).send().await;
    match result {
        Ok(response) => Ok(response.stacks.unwrap_or_default().into_iter().next()),
        Err(error) if is_missing(error.as_service_error()) => Ok(None),
        Err(error) => Err(failure::of(&format!("describe stack `{name_or_id}`"))(error).into()),
    }
}

/// CloudFormation has no error code for a stack that does not exist (CloudFormation API reference,
/// `DescribeStacks`: a validation error).
fn is_missing(error: Option<&impl ProvideErrorMetadata>) -> bool {
    error.is_some_and(|error| {
        error.code() == Some("ValidationError")
            && error
                .message()
                .is_some_and(|message| message.contains("does not exist"))
    })
}

/// Deletes the stack with this name, whatever its status; `false` if there is none.
///
/// # Errors
/// The stack cannot be deleted; the message lists the reasons that its resources give.
pub(crate) async fn delete(client: &Client, name: &str) -> Result<bool> {
    // By ID from here on, because a deleted stack is not found by its name.
    let Some(Stack { id, .. }) = Stack::find(client, name).await? else {
        progress(&format!("stack `{name}` does not exist"));
        return Ok(false);
    };
    let token = request_token();
    client
        .delete_stack()
        .stack_name(&id)
        .client_request_token(&token)
        .send()
        .await
        .map_err(failure::of(&format!("delete stack `{name}`")))?;
    let after = Stack::settled(client, &id).await?;
    if after.status != StackStatus::DeleteComplete {
        let reasons = reasons(client, &id, &token).await?;
        bail!(failed(name, &after.status, &reasons));
    }
    progress(&format!("stack `{name}`: deleted"));
    Ok(true)
}

/// The reasons of each resource for the failure of the operation with this request token, oldest first.
///
/// # Errors
/// The events cannot be read.
pub(crate) async fn reasons(client: &Client, id: &str, token: &str) -> Result<Vec<String>> {
    let mut pages = client
        .describe_stack_events()
        .stack_name(id)
        .into_paginator()
        .send();
    let mut reasons = Vec::new();
    'newest_first: while let Some(page) = pages.next().await {
        let page = page.map_err(failure::of(&format!("read the events of stack `{id}`")))?;
        for event in page.stack_events() {
            if event.client_request_token() != Some(token) {
                break 'newest_first;
            }
            reasons.extend(reason(event));
        }
    }
    reasons.reverse();
    Ok(reasons)
}

/// The reason for a failure; `None` if the resource was only cancelled because another one failed.
fn reason(event: &StackEvent) -> Option<String> {
    let status = event.resource_status()?;
    let reason = event.resource_status_reason()?;
    let failed = matches!(
        status,
        ResourceStatus::CreateFailed
            | ResourceStatus::UpdateFailed
            | ResourceStatus::DeleteFailed
            | ResourceStatus::RollbackFailed
            | ResourceStatus::UpdateRollbackFailed
    );
    let stopped = reason.contains("cancelled");
    let resource = event.logical_resource_id().unwrap_or("the stack");
    (failed && !stopped).then(|| {
        format!(
            "{resource} ({}): {status}: {}",
            event.resource_type().unwrap_or("?"),
            printable(reason)
        )
    })
}

/// The message for an operation that failed.
pub(crate) fn failed(name: &str, status: &StackStatus, reasons: &[String]) -> String {
    let mut message = match status {
        StackStatus::DeleteComplete => {
            format!("stack `{name}` could not be created and was deleted")
        }
        StackStatus::UpdateRollbackComplete => {
            format!("stack `{name}` could not be updated and was rolled back")
        }
        status => format!("stack `{name}` ended in {status}"),
    };
    for reason in reasons {
        message += "\n  ";
        message += reason;
    }
    message
}

/// A name for a change set or a token for events: unique enough for one stack, and readable in the console.
pub(crate) fn request_token() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("operator-{}", now.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(status: ResourceStatus, reason: &str) -> StackEvent {
        StackEvent::builder()
            .logical_resource_id("ReadRole")
            .resource_type("AWS::IAM::Role")
            .resource_status(status)
            .resource_status_reason(reason)
            .build()
    }

    #[test]
    fn only_the_first_causes_are_reasons() {
        assert_eq!(
            reason(&event(ResourceStatus::CreateFailed, "Invalid principal")).unwrap(),
            "ReadRole (AWS::IAM::Role): CREATE_FAILED: Invalid principal"
        );
        let stopped = event(ResourceStatus::CreateFailed, "Resource creation cancelled");
        assert_eq!(reason(&stopped), None);
        let started = event(ResourceStatus::CreateInProgress, "User Initiated");
        assert_eq!(reason(&started), None);
    }

    #[test]
    fn a_failure_names_every_reason() {
        let message = failed(
            "roles",
            &StackStatus::DeleteComplete,
            &["A: no".to_owned(), "B: no".to_owned()],
        );
        assert!(message.contains("could not be created"), "{message}");
        assert!(message.ends_with("\n  A: no\n  B: no"), "{message}");
    }
}
