//! A change set: what a stack's creation or update would change, and the way to do it.

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
    patience::wait_for,
    stack::{self, Stack},
};

/// A change set that exists.
#[derive(Debug)]
pub(crate) struct ChangeSet {
    pub(crate) arn: ChangeSetArn,
    /// The ARN of its stack, which exists from the change set on; in `REVIEW_IN_PROGRESS` if it did not before.
    pub(crate) stack_id: String,
    pub(crate) stack_name: String,
}

impl ChangeSet {
    /// Sends `request` (stack, template, parameters, tags) as a change set of this `kind`.
    pub(crate) async fn create(
        request: CreateChangeSetFluentBuilder,
        kind: PlanKind,
        stack_name: &str,
    ) -> Result<Self> {
        // A first creation that fails leaves no stack behind that would stand in the way of the next.
        let (kind, on_failure) = match kind {
            PlanKind::Create => (ChangeSetType::Create, Some(OnStackFailure::Delete)),
            PlanKind::Update => (ChangeSetType::Update, None),
        };
        let answer = request
            .stack_name(stack_name)
            .change_set_type(kind)
            .set_on_stack_failure(on_failure)
            .capabilities(Capability::CapabilityNamedIam)
            .send()
            .await
            .map_err(failure::of(&format!(
                "make a change set for stack `{stack_name}`"
            )))?;
        Ok(Self {
            arn: answer
                .id
                .context("a change set without an ID")?
                .try_into()
                .map_err(|why| anyhow!("the ID of the change set {why}"))?,
            stack_id: answer.stack_id.context("a change set without a stack")?,
            stack_name: stack_name.to_owned(),
        })
    }

    /// The change set with this ARN.
    pub(crate) async fn find(client: &Client, arn: &ChangeSetArn) -> Result<Self> {
        let found = page(client, arn, None).await?;
        Ok(Self {
            arn: arn.clone(),
            stack_id: found.stack_id.context("a change set without a stack")?,
            stack_name: found.stack_name.context("a change set without a stack")?,
        })
    }

    /// Waits until CloudFormation has worked it out; `None` when there is nothing to change.
    ///
    /// # Errors
    /// A change that cannot be made, with the reason that CloudFormation gives.
    pub(crate) async fn changes(&self, client: &Client) -> Result<Option<Vec<Change>>> {
        let first = wait_for("the change set", async || {
            let page = page(client, &self.arn, None).await?;
            let status = page.status().context("a change set without a status")?;
            let pending = matches!(
                status,
                ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress
            );
            Ok((!pending).then_some(page))
        })
        .await?;
        if first.status() == Some(&ChangeSetStatus::Failed) {
            let reason = first.status_reason().unwrap_or("no reason given");
            if says_nothing_to_change(reason) {
                return Ok(None);
            }
            bail!(
                "CloudFormation cannot make this change of stack `{}`: {reason}",
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

    /// Lets CloudFormation begin; `token` marks the events that follow.
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

    /// Deletes it, and the stack too where that is a name and nothing more.
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

    /// Whether somebody has made another change set for the same stack.
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

/// A line for a person.
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
        Some("True") => " (is REPLACED by a new one)",
        Some("Conditional") => " (may be replaced by a new one)",
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

/// An empty change set is a failed one, told by its reason alone (the AWS CLI's `cloudformation deploy` looks for the
/// same two texts).
fn says_nothing_to_change(reason: &str) -> bool {
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
    fn a_change_is_told_to_people_and_programs() {
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
            "  ~ Modify  AWS::IAM::Role ReadRole: Path, RoleName (is REPLACED by a new one)"
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
