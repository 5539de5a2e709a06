//! A CloudFormation change set: creates, describes, executes and deletes it.

use anyhow::{Context as _, Result, anyhow, bail};
use aws_sdk_cloudformation::{
    Client,
    operation::{
        create_change_set::builders::CreateChangeSetFluentBuilder,
        describe_change_set::DescribeChangeSetOutput,
    },
    types::{
        Capability, ChangeAction, ChangeSetStatus, ChangeSetType, OnStackFailure, Replacement,
        ResourceChange, StackStatus,
    },
};
use operator_api::{Change, ChangeSetArn, PlanKind};

use crate::{
    failure,
    stack::{self, Stack},
    wait::wait_for,
};

/// An existing change set.
#[derive(Debug)]
pub(crate) struct ChangeSet {
    pub(crate) arn: ChangeSetArn,
    /// The ARN of its stack. If there was none, the change set created it in `REVIEW_IN_PROGRESS`.
    pub(crate) stack_id: String,
    pub(crate) stack_name: String,
}

impl ChangeSet {
    /// Sends `request`, which has the template, parameters and tags.
    pub(crate) async fn create(
        request: CreateChangeSetFluentBuilder,
        kind: PlanKind,
        stack_name: &str,
    ) -> Result<Self> {
        // A failed creation then leaves no stack that would block the next one.
        let (kind, on_failure) = match kind {
            PlanKind::Create => (ChangeSetType::Create, Some(OnStackFailure::Delete)),
            PlanKind::Update => (ChangeSetType::Update, None),
        };
        let response = request
            .stack_name(stack_name)
            .change_set_type(kind)
            .set_on_stack_failure(on_failure)
            .capabilities(Capability::CapabilityNamedIam)
            .send()
            .await
            .map_err(failure::of(&format!(
                "create a change set for stack `{stack_name}`"
            )))?;
        Ok(Self {
            arn: response
                .id
                .context("the response has no change set")?
                .try_into()
                .map_err(|why| anyhow!("the change set ID {why}"))?,
            stack_id: response.stack_id.context("the response has no stack")?,
            stack_name: stack_name.to_owned(),
        })
    }

    /// Finds the change set with this ARN.
    pub(crate) async fn find(client: &Client, arn: &ChangeSetArn) -> Result<Self> {
        let found = page(client, arn, None).await?;
        Ok(Self {
            arn: arn.clone(),
            stack_id: found.stack_id.context("the response has no stack")?,
            stack_name: found.stack_name.context("the response has no stack")?,
        })
    }

    /// Waits until CloudFormation has computed the changes; `None` if there is nothing to change.
    ///
    /// # Errors
    /// CloudFormation rejects the change; the message has its reason.
    pub(crate) async fn changes(&self, client: &Client) -> Result<Option<Vec<Change>>> {
        let first = wait_for("the change set", async || {
            let page = page(client, &self.arn, None).await?;
            let status = page.status().context("the change set has no status")?;
            let pending = matches!(
                status,
                ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress
            );
            Ok((!pending).then_some(page))
        })
        .await?;
        if first.status() == Some(&ChangeSetStatus::Failed) {
            let reason = first.status_reason().unwrap_or("no reason given");
            if is_nothing_to_change(reason) {
                return Ok(None);
            }
            bail!(
                "CloudFormation cannot change stack `{}`: {reason}",
                self.stack_name
            );
        }
        let mut changes = of_page(&first);
        let mut token = first.next_token;
        while let Some(next) = token {
            let page = page(client, &self.arn, Some(next)).await?;
            changes.extend(of_page(&page));
            token = page.next_token;
        }
        Ok(Some(changes))
    }

    /// Starts the change; `token` marks its events.
    pub(crate) async fn execute(&self, client: &Client, token: &str) -> Result<()> {
        client
            .execute_change_set()
            .change_set_name(self.arn.as_str())
            .client_request_token(token)
            .send()
            .await
            .map_err(failure::of(&format!(
                "execute the change set of stack `{}`",
                self.stack_name
            )))?;
        Ok(())
    }

    /// Deletes the change set, and the stack if it was created for it.
    pub(crate) async fn discard(&self, client: &Client) -> Result<()> {
        client
            .delete_change_set()
            .change_set_name(self.arn.as_str())
            .send()
            .await
            .map_err(failure::of(&format!(
                "delete the change set of stack `{}`",
                self.stack_name
            )))?;
        let stack = Stack::find(client, &self.stack_id).await?;
        if stack.is_some_and(|stack| stack.status == StackStatus::ReviewInProgress)
            && !self.has_siblings(client).await?
        {
            stack::delete(client, &self.stack_name).await?;
        }
        Ok(())
    }

    /// Returns whether the stack has another change set.
    async fn has_siblings(&self, client: &Client) -> Result<bool> {
        let mut pages = client
            .list_change_sets()
            .stack_name(&self.stack_id)
            .into_paginator()
            .items()
            .send();
        while let Some(summary) = pages.next().await {
            let summary = summary.map_err(failure::of(&format!(
                "list the change sets of stack `{}`",
                self.stack_name
            )))?;
            let deleted = matches!(
                summary.status(),
                Some(
                    ChangeSetStatus::DeletePending
                        | ChangeSetStatus::DeleteInProgress
                        | ChangeSetStatus::DeleteComplete
                )
            );
            if summary.change_set_id() != Some(self.arn.as_str()) && !deleted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Describes a change on one line.
pub(crate) fn line(change: &Change) -> String {
    let sign = match change.action.as_str() {
        "Add" => '+',
        "Remove" => '-',
        _ => '~',
    };
    let properties = if change.properties.is_empty() {
        String::new()
    } else {
        let names: Vec<&str> = change.properties.iter().map(String::as_str).collect();
        format!(": {}", names.join(", "))
    };
    let replacement = match change.replacement.as_deref() {
        Some("True") => " (REPLACED)",
        Some("Conditional") => " (may be replaced)",
        _ => "",
    };
    format!(
        "  {sign} {:<8}{} {}{properties}{replacement}",
        change.action, change.r#type, change.resource
    )
}

fn change(change: &ResourceChange) -> Change {
    let action = change.action();
    Change {
        action: action.map_or("Modify", ChangeAction::as_str).to_owned(),
        resource: change.logical_resource_id().unwrap_or("?").to_owned(),
        physical_id: change.physical_resource_id().map(str::to_owned),
        r#type: change.resource_type().unwrap_or("?").to_owned(),
        replacement: change
            .replacement()
            .filter(|_| action == Some(&ChangeAction::Modify))
            .map(Replacement::as_str)
            .map(str::to_owned),
        properties: change
            .details()
            .iter()
            .filter_map(|detail| detail.target())
            .filter_map(|target| {
                let attribute = target.attribute()?.as_str();
                Some(target.name().unwrap_or(attribute).to_owned())
            })
            .collect(),
    }
}

async fn page(
    client: &Client,
    arn: &ChangeSetArn,
    token: Option<String>,
) -> Result<DescribeChangeSetOutput> {
    client
        .describe_change_set()
        .change_set_name(arn.as_str())
        .set_next_token(token)
        .send()
        .await
        .map_err(failure::of(&format!("describe the change set `{arn}`")))
        .map_err(Into::into)
}

fn of_page(page: &DescribeChangeSetOutput) -> Vec<Change> {
    page.changes()
        .iter()
        .filter_map(|change| change.resource_change())
        .map(change)
        .collect()
}

/// An empty change set is a failed one with one of these reasons (the AWS CLI's `cloudformation deploy` looks for the
/// same two).
fn is_nothing_to_change(reason: &str) -> bool {
    reason.contains("The submitted information didn't contain changes")
        || reason.contains("No updates are to be performed")
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{
        ResourceAttribute, ResourceChangeDetail, ResourceTargetDefinition,
    };

    use super::*;

    #[test]
    fn a_change_is_shown_to_people_and_programs() {
        let detail = |name: &str| {
            ResourceChangeDetail::builder()
                .target(
                    ResourceTargetDefinition::builder()
                        .attribute(ResourceAttribute::Properties)
                        .name(name)
                        .build(),
                )
                .build()
        };
        let change = super::change(
            &ResourceChange::builder()
                .action(ChangeAction::Modify)
                .logical_resource_id("ReadRole")
                .resource_type("AWS::IAM::Role")
                .replacement(Replacement::True)
                .details(detail("RoleName"))
                .details(detail("Path"))
                .details(detail("Path"))
                .build(),
        );
        assert_eq!(
            line(&change),
            "  ~ Modify  AWS::IAM::Role ReadRole: Path, RoleName (REPLACED)"
        );
        assert_eq!(
            serde_json::to_value(&change).unwrap(),
            serde_json::json!({
                "action": "Modify",
                "resource": "ReadRole",
                "type": "AWS::IAM::Role",
                "replacement": "True",
                "properties": ["Path", "RoleName"],
            })
        );
    }
}
