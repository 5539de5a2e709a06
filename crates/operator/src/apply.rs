//! Subcommand: create or update a CloudFormation stack through a change set.
//!
//! A change set rather than `CreateStack`/`UpdateStack`: what will change is told before it does, and "nothing to
//! change" is an answer instead of an error.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_cloudformation::{
    Client,
    types::{
        Capability, ChangeSetType, OnStackFailure, Parameter, ResourceStatus, StackStatus, Tag,
    },
};
use serde::Serialize;

use crate::{
    arguments::Apply,
    change_set::{self, Change},
    connection,
    delete::delete,
    failure, files,
    key_value::KeyValue,
    stack::{self, Stack},
    terminal::progress,
};

/// CloudFormation's limit for a template in the request; a longer one must lie in S3 (CloudFormation user guide,
/// "Understand CloudFormation quotas").
const LONGEST_TEMPLATE: usize = 51_200;

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    stack: String,
    action: Action,
    changes: Vec<Change>,
    outputs: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Created,
    Updated,
    Unchanged,
}

/// What the stack's present state allows.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Create,
    Update,
    /// A creation that failed and was rolled back: only a deletion leads on from there.
    DeleteAndCreate,
}

pub(crate) async fn run(flags: Apply) -> Result<Applied> {
    let template = read(&flags.template)?;
    let client = Client::new(&connection::open(&flags.region).await?);
    let name = &flags.stack;

    let before = Stack::find(&client, name).await?;
    let kind = match way(name, before.as_ref().map(|stack| &stack.status))? {
        Way::Create => ChangeSetType::Create,
        Way::Update => ChangeSetType::Update,
        Way::DeleteAndCreate => {
            progress(&format!(
                "stack `{name}`: its creation had failed; deleting what is left"
            ));
            delete_leftover(&client, name).await?;
            ChangeSetType::Create
        }
    };
    let token = stack::request_token();
    let change_set = ChangeSet::create(&client, &flags, template, kind, &token).await?;

    let Some(changes) = change_set::changes(&client, &change_set.id).await? else {
        progress(&format!("stack `{name}`: nothing to change"));
        change_set.delete(&client).await?;
        return Ok(Applied {
            stack: flags.stack,
            action: Action::Unchanged,
            changes: Vec::new(),
            outputs: before.map(|stack| stack.outputs).unwrap_or_default(),
        });
    };
    progress(&format!("stack `{name}` in {}:", flags.region));
    for change in &changes {
        progress(&change.line());
    }
    if changes.is_empty() {
        progress("  ~ only outputs, tags or other things outside the resources");
    }

    change_set.execute(&client, &token).await?;
    let after = Stack::settled(&client, &change_set.stack_id).await?;
    let action = match after.status {
        StackStatus::CreateComplete => Action::Created,
        StackStatus::UpdateComplete => Action::Updated,
        status => {
            let reasons = stack::reasons(&client, &change_set.stack_id, &token).await?;
            bail!(stack::failed(name, &status, &reasons));
        }
    };
    progress(&format!("stack `{name}`: {}", after.status));
    Ok(Applied {
        stack: flags.stack,
        action,
        changes,
        outputs: after.outputs,
    })
}

/// How to get from the stack's status to the new template (CloudFormation user guide, "Understand CloudFormation stack
/// creation events" and "Stack status codes").
fn way(name: &str, status: Option<&StackStatus>) -> Result<Way> {
    let Some(status) = status else {
        return Ok(Way::Create);
    };
    match status {
        // A change set that was made and never executed: the stack is a name and nothing more.
        StackStatus::ReviewInProgress => Ok(Way::Create),
        StackStatus::RollbackComplete => Ok(Way::DeleteAndCreate),
        StackStatus::CreateComplete
        | StackStatus::UpdateComplete
        | StackStatus::UpdateRollbackComplete
        | StackStatus::ImportComplete
        | StackStatus::ImportRollbackComplete => Ok(Way::Update),
        StackStatus::CreateFailed | StackStatus::RollbackFailed | StackStatus::DeleteFailed => {
            bail!(
                "stack `{name}` is in {status}: some of its resources are left; look at its events, then delete it \
             (`operator delete --stack {name}`) and try again"
            )
        }
        StackStatus::UpdateRollbackFailed => bail!(
            "stack `{name}` is in {status}: mend what its events complain of, then \
             `aws cloudformation continue-update-rollback --stack-name {name}`"
        ),
        status if status.as_str().ends_with("_IN_PROGRESS") => bail!(
            "stack `{name}` is in {status}: somebody is changing it at this moment; try again when it is done"
        ),
        status => bail!("stack `{name}` is in {status}, from which it cannot be updated"),
    }
}

/// Deletes a stack whose creation was rolled back, provided that the roll-back left nothing (a resource may be kept by
/// its `DeletionPolicy`).
async fn delete_leftover(client: &Client, name: &str) -> Result<()> {
    let mut pages = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .items()
        .send();
    while let Some(resource) = pages.next().await {
        let resource =
            resource.map_err(failure::of(&format!("list what is left of stack `{name}`")))?;
        ensure!(
            resource.resource_status() == Some(&ResourceStatus::DeleteComplete),
            "stack `{name}` is in ROLLBACK_COMPLETE, and its resource {} is left; delete the stack yourself \
             (`operator delete --stack {name}`) and try again",
            resource.logical_resource_id().unwrap_or("?"),
        );
    }
    delete(client, name).await?;
    Ok(())
}

struct ChangeSet {
    id: String,
    stack_id: String,
}

impl ChangeSet {
    async fn create(
        client: &Client,
        flags: &Apply,
        template: String,
        kind: ChangeSetType,
        name: &str,
    ) -> Result<Self> {
        // A first creation that fails leaves no stack behind that would stand in the way of the next.
        let on_failure = (kind == ChangeSetType::Create).then_some(OnStackFailure::Delete);
        let answer = client
            .create_change_set()
            .stack_name(&flags.stack)
            .change_set_name(name)
            .change_set_type(kind)
            .set_on_stack_failure(on_failure)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(flags.parameters.iter().map(parameter).collect()))
            .set_tags(Some(flags.tags.iter().map(tag).collect()))
            .send()
            .await
            .map_err(failure::of(&format!(
                "make a change set for stack `{}`",
                flags.stack
            )))?;
        Ok(Self {
            id: answer.id.context("a change set without an id")?,
            stack_id: answer.stack_id.context("a change set without a stack")?,
        })
    }

    async fn execute(&self, client: &Client, token: &str) -> Result<()> {
        client
            .execute_change_set()
            .change_set_name(&self.id)
            .client_request_token(token)
            .send()
            .await
            .map_err(failure::of("execute the change set"))?;
        Ok(())
    }

    async fn delete(&self, client: &Client) -> Result<()> {
        client
            .delete_change_set()
            .change_set_name(&self.id)
            .send()
            .await
            .map_err(failure::of("delete the empty change set"))?;
        Ok(())
    }
}

fn parameter(KeyValue { key, value }: &KeyValue) -> Parameter {
    Parameter::builder()
        .parameter_key(key)
        .parameter_value(value)
        .build()
}

fn tag(KeyValue { key, value }: &KeyValue) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn read(template: &Path) -> Result<String> {
    let text = String::from_utf8(files::read(template)?)
        .with_context(|| format!("the template `{}` is not UTF-8", template.display()))?;
    ensure!(
        text.len() <= LONGEST_TEMPLATE,
        "the template `{}` has {} bytes; CloudFormation takes at most {LONGEST_TEMPLATE}",
        template.display(),
        text.len(),
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stacks_status_decides_the_way() {
        let way = |status: StackStatus| way("roles", Some(&status));
        assert_eq!(super::way("roles", None).unwrap(), Way::Create);
        assert_eq!(way(StackStatus::ReviewInProgress).unwrap(), Way::Create);
        assert_eq!(way(StackStatus::UpdateComplete).unwrap(), Way::Update);
        assert_eq!(
            way(StackStatus::RollbackComplete).unwrap(),
            Way::DeleteAndCreate
        );
        for (status, word) in [
            (StackStatus::UpdateInProgress, "somebody is changing it"),
            (StackStatus::CreateFailed, "operator delete --stack roles"),
            (
                StackStatus::UpdateRollbackFailed,
                "continue-update-rollback",
            ),
        ] {
            let error = way(status).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
