//! What a stack's update would change.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use aws_sdk_cloudformation::{
    Client,
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{ChangeAction, ChangeSetStatus, Replacement, ResourceChange},
};
use serde::Serialize;

use crate::{failure, patience::wait_for};

/// One resource that a change set touches.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// `Add`, `Modify`, `Remove`, …, as CloudFormation names it.
    action: String,
    /// The resource's name in the template.
    resource: String,
    r#type: String,
    /// Whether a modified resource is replaced by a new one: `True`, `False` or `Conditional`.
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
    /// The properties that change, in alphabetical order.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    properties: BTreeSet<String>,
}

impl Change {
    /// A line for a person.
    pub(crate) fn line(&self) -> String {
        let sign = match self.action.as_str() {
            "Add" => '+',
            "Remove" => '-',
            _ => '~',
        };
        let properties = if self.properties.is_empty() {
            String::new()
        } else {
            let names: Vec<&str> = self.properties.iter().map(String::as_str).collect();
            format!(": {}", names.join(", "))
        };
        let replacement = match self.replacement.as_deref() {
            Some("True") => " (is REPLACED by a new one)",
            Some("Conditional") => " (may be replaced by a new one)",
            _ => "",
        };
        format!(
            "  {sign} {:<8}{} {}{properties}{replacement}",
            self.action, self.r#type, self.resource
        )
    }

    fn from_sdk(change: &ResourceChange) -> Self {
        let action = change.action();
        Self {
            action: action.map_or("Modify", ChangeAction::as_str).to_owned(),
            resource: change.logical_resource_id().unwrap_or("?").to_owned(),
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
}

/// Waits until CloudFormation has worked out the change set; `None` when there is nothing to change.
///
/// # Errors
/// A change set that cannot be made, with the reason that CloudFormation gives.
pub(crate) async fn changes(client: &Client, id: &str) -> Result<Option<Vec<Change>>> {
    let first = wait_for("the change set", async || {
        let page = page(client, id, None).await?;
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
        bail!("CloudFormation cannot make this change: {reason}");
    }
    let mut changes = of_page(&first);
    let mut token = first.next_token;
    while let Some(next) = token {
        let page = page(client, id, Some(next)).await?;
        changes.extend(of_page(&page));
        token = page.next_token;
    }
    Ok(Some(changes))
}

async fn page(client: &Client, id: &str, token: Option<String>) -> Result<DescribeChangeSetOutput> {
    client
        .describe_change_set()
        .change_set_name(id)
        .set_next_token(token)
        .send()
        .await
        .map_err(failure::of("describe the change set"))
        .map_err(Into::into)
}

fn of_page(page: &DescribeChangeSetOutput) -> Vec<Change> {
    page.changes()
        .iter()
        .filter_map(|change| change.resource_change())
        .map(Change::from_sdk)
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
        let change = Change::from_sdk(
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
            change.line(),
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
