//! Subcommand: create or update a CloudFormation stack through a change set.
//!
//! With `CreateStack` and `UpdateStack`, the changes would be unknown beforehand, and "nothing to change" would be an error.
//!
//! `--plan` creates the change set; `--execute` and `--discard` take its ARN. CloudFormation rejects a change set if its
//! stack has changed since, so what is executed is what was shown. An update also reverts manual changes (drift).

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_cloudformation::{
    Client,
    types::{DeploymentMode, Parameter, ResourceStatus, StackStatus, Tag},
};
use operator_api::{
    Applied, ApplyAction, Change, ChangeSetArn, DiscardAction, Discarded, PlanKind, Planned,
};
use serde::Serialize;

use crate::{
    arguments::Apply,
    change_set::{self, ChangeSet},
    connection,
    failure::{self, AwsFailure},
    files,
    key_value::KeyValue,
    stack::{self, Stack},
    terminal::progress,
};

/// CloudFormation's limit for a template in a request, in bytes; a larger one must be in S3 (CloudFormation user guide,
/// "Understand CloudFormation quotas").
const MAX_TEMPLATE_SIZE: usize = 51_200;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ApplyResult {
    Applied(Applied),
    Planned(Planned),
    Discarded(Discarded),
}

/// How to get from the current stack to the new template.
#[derive(Debug, PartialEq, Eq)]
enum Operation {
    Create,
    Update,
    /// The creation failed and was rolled back; such a stack can only be deleted.
    DeleteAndCreate,
}

pub(crate) async fn run(flags: Apply) -> Result<ApplyResult> {
    if let Some(arn) = flags.second.execute {
        let client = Client::new(&connection::open(&flags.connection).await?);
        let change_set = ChangeSet::find(&client, &arn).await?;
        let changes = change_set.changes(&client).await?.unwrap_or_default();
        return Ok(ApplyResult::Applied(
            execute(&client, change_set, changes).await?,
        ));
    }
    if let Some(arn) = flags.second.discard {
        let client = Client::new(&connection::open(&flags.connection).await?);
        return Ok(ApplyResult::Discarded(discard(&client, arn).await?));
    }
    let (Some(stack), Some(template)) = (flags.stack, flags.template) else {
        bail!("`--stack` and `--template` are required");
    };
    let desired = DesiredStack {
        stack,
        template: read(&template)?,
        parameters: flags.parameters,
        tags: flags.tags,
    };
    let client = Client::new(&connection::open(&flags.connection).await?);
    Ok(if flags.plan {
        ApplyResult::Planned(desired.plan(&client).await?)
    } else {
        ApplyResult::Applied(desired.apply(&client).await?)
    })
}

/// The stack to create or update.
#[derive(Debug)]
struct DesiredStack {
    stack: String,
    template: String,
    parameters: Vec<KeyValue>,
    tags: Vec<KeyValue>,
}

impl DesiredStack {
    async fn apply(&self, client: &Client) -> Result<Applied> {
        let before = Stack::find(client, &self.stack).await?;
        let kind = match self.operation(before.as_ref())? {
            Operation::Create => PlanKind::Create,
            Operation::Update => PlanKind::Update,
            Operation::DeleteAndCreate => {
                progress(&format!(
                    "stack `{}`: its creation failed earlier; deleting it",
                    self.stack
                ));
                delete_leftover(client, &self.stack).await?;
                PlanKind::Create
            }
        };
        let Some((change_set, changes)) = self.change_set(client, kind).await? else {
            return Ok(Applied {
                stack: self.stack.clone(),
                action: ApplyAction::Unchanged,
                changes: Vec::new(),
                outputs: before.map(|stack| stack.outputs).unwrap_or_default(),
            });
        };
        execute(client, change_set, changes).await
    }

    /// Leaves the stack as it is; one that must be deleted first is an error.
    async fn plan(&self, client: &Client) -> Result<Planned> {
        let before = Stack::find(client, &self.stack).await?;
        let kind = match self.operation(before.as_ref())? {
            Operation::Create => PlanKind::Create,
            Operation::Update => PlanKind::Update,
            Operation::DeleteAndCreate => bail!(
                "stack `{0}` is in ROLLBACK_COMPLETE: its creation failed, and it must be deleted before it can be created \
                 again (`aws cloudformation delete-stack --stack-name {0}`)",
                self.stack
            ),
        };
        let (change_set, changes) = self.change_set(client, kind).await?.unzip();
        Ok(Planned {
            stack: self.stack.clone(),
            kind,
            change_set: change_set.map(|change_set| change_set.arn),
            changes: changes.unwrap_or_default(),
        })
    }

    fn operation(&self, before: Option<&Stack>) -> Result<Operation> {
        operation(&self.stack, before.map(|stack| &stack.status))
    }

    /// Creates the change set and prints its changes; `None` if there is nothing to change.
    async fn change_set(
        &self,
        client: &Client,
        kind: PlanKind,
    ) -> Result<Option<(ChangeSet, Vec<Change>)>> {
        // Without it, an unchanged template changes nothing, even if its resources have drifted (CloudFormation user guide,
        // "Using drift-aware change sets").
        let drift = (kind == PlanKind::Update).then_some(DeploymentMode::RevertDrift);
        let request = client
            .create_change_set()
            .set_deployment_mode(drift)
            .change_set_name(stack::request_token())
            .template_body(&self.template)
            .set_parameters(Some(self.parameters.iter().map(parameter).collect()))
            .set_tags(Some(self.tags.iter().map(tag).collect()));
        let change_set = ChangeSet::create(request, kind, &self.stack).await?;
        let changes = match change_set.changes(client).await {
            Ok(Some(changes)) => changes,
            Ok(None) => {
                progress(&format!("stack `{}`: nothing to change", self.stack));
                change_set.discard(client).await?;
                return Ok(None);
            }
            Err(error) => {
                // This error matters more than that of the clean-up.
                if let Err(discarding) = change_set.discard(client).await {
                    progress(&format!(
                        "failed to delete change set `{}`: {discarding:#}",
                        change_set.arn
                    ));
                }
                return Err(error);
            }
        };
        progress(&format!("stack `{}`:", self.stack));
        for change in &changes {
            progress(&change_set::line(change));
        }
        if changes.is_empty() {
            progress("  ~ only outputs, tags or the like");
        }
        Ok(Some((change_set, changes)))
    }
}

async fn execute(client: &Client, change_set: ChangeSet, changes: Vec<Change>) -> Result<Applied> {
    let name = &change_set.stack_name;
    let token = stack::request_token();
    change_set.execute(client, &token).await?;
    let after = Stack::settled(client, &change_set.stack_id).await?;
    let action = match after.status {
        StackStatus::CreateComplete => ApplyAction::Created,
        StackStatus::UpdateComplete => ApplyAction::Updated,
        status => {
            let reasons = stack::reasons(client, &change_set.stack_id, &token).await?;
            bail!(stack::failed(name, &status, &reasons));
        }
    };
    progress(&format!("stack `{name}`: {}", after.status));
    Ok(Applied {
        stack: change_set.stack_name,
        action,
        changes,
        outputs: after.outputs,
    })
}

async fn discard(client: &Client, arn: ChangeSetArn) -> Result<Discarded> {
    let action = match ChangeSet::find(client, &arn).await {
        Ok(change_set) => {
            change_set.discard(client).await?;
            DiscardAction::Discarded
        }
        Err(error) if error.downcast_ref().is_some_and(AwsFailure::is_absent) => {
            DiscardAction::Absent
        }
        Err(error) => return Err(error),
    };
    Ok(Discarded {
        change_set: arn,
        action,
    })
}

/// The operation that a stack's status allows (CloudFormation user guide, "Understand CloudFormation stack creation
/// events" and "Stack status codes").
fn operation(name: &str, status: Option<&StackStatus>) -> Result<Operation> {
    let Some(status) = status else {
        return Ok(Operation::Create);
    };
    match status {
        // A change set was created and never executed: the stack has no resources.
        StackStatus::ReviewInProgress => Ok(Operation::Create),
        StackStatus::RollbackComplete => Ok(Operation::DeleteAndCreate),
        StackStatus::CreateComplete
        | StackStatus::UpdateComplete
        | StackStatus::UpdateRollbackComplete
        | StackStatus::ImportComplete
        | StackStatus::ImportRollbackComplete => Ok(Operation::Update),
        StackStatus::CreateFailed | StackStatus::RollbackFailed | StackStatus::DeleteFailed => {
            bail!(
                "stack `{name}` is in {status}: some of its resources still exist; check its events, delete it \
                 (`aws cloudformation delete-stack --stack-name {name}`) and retry"
            )
        }
        StackStatus::UpdateRollbackFailed => bail!(
            "stack `{name}` is in {status}: fix what its events report, then run \
             `aws cloudformation continue-update-rollback --stack-name {name}`"
        ),
        status if status.as_str().ends_with("_IN_PROGRESS") => bail!(
            "stack `{name}` is in {status}: another change is in progress; retry when it is complete"
        ),
        status => bail!("stack `{name}` is in {status}, from which it cannot be updated"),
    }
}

/// Deletes a stack whose creation was rolled back, unless the rollback retained a resource (because of its
/// `DeletionPolicy`).
async fn delete_leftover(client: &Client, name: &str) -> Result<()> {
    let mut pages = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .items()
        .send();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(failure::of(&format!(
            "list the resources of stack `{name}`"
        )))?;
        ensure!(
            resource.resource_status() == Some(&ResourceStatus::DeleteComplete),
            "stack `{name}` is in ROLLBACK_COMPLETE, and its resource {} still exists; delete the stack yourself \
             (`aws cloudformation delete-stack --stack-name {name}`) and retry",
            resource.logical_resource_id().unwrap_or("?"),
        );
    }
    stack::delete(client, name).await?;
    Ok(())
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
        text.len() <= MAX_TEMPLATE_SIZE,
        "the template `{}` has {} bytes; CloudFormation accepts at most {MAX_TEMPLATE_SIZE}",
        template.display(),
        text.len(),
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stacks_status_decides_the_operation() {
        let operation = |status: StackStatus| operation("roles", Some(&status));
        assert_eq!(super::operation("roles", None).unwrap(), Operation::Create);
        assert_eq!(
            operation(StackStatus::ReviewInProgress).unwrap(),
            Operation::Create
        );
        assert_eq!(
            operation(StackStatus::UpdateComplete).unwrap(),
            Operation::Update
        );
        assert_eq!(
            operation(StackStatus::RollbackComplete).unwrap(),
            Operation::DeleteAndCreate
        );
        for (status, word) in [
            (
                StackStatus::UpdateInProgress,
                "another change is in progress",
            ),
            (
                StackStatus::CreateFailed,
                "aws cloudformation delete-stack --stack-name roles",
            ),
            (
                StackStatus::UpdateRollbackFailed,
                "continue-update-rollback",
            ),
        ] {
            let error = operation(status).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
