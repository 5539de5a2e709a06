//! Subcommand: create or update a CloudFormation stack through a change set.
//!
//! A change set rather than `CreateStack`/`UpdateStack`: what will change is told before it does, and "nothing to
//! change" is an answer instead of an error.
//!
//! Either in one go, or in two with a decision between them: `--plan` makes the change set and leaves it, `--execute`
//! and `--discard` take its ARN. An update compares with what is there as well as with the template before, so that what
//! was edited by hand since is brought back. What is executed is then what was shown: CloudFormation refuses a change set when its
//! stack has changed since. The answers are [`Applied`], [`Planned`] and [`Discarded`].

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

/// CloudFormation's limit for a template in the request; a longer one must lie in S3 (CloudFormation user guide,
/// "Understand CloudFormation quotas").
const LONGEST_TEMPLATE: usize = 51_200;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Applied(Applied),
    Planned(Planned),
    Discarded(Discarded),
}

/// What the stack's present state allows.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Create,
    Update,
    /// A creation that failed and was rolled back: only a deletion leads on from there.
    DeleteAndCreate,
}

pub(crate) async fn run(flags: Apply) -> Result<Answer> {
    if let Some(arn) = flags.second.execute {
        let client = Client::new(&connection::open(&flags.access).await?);
        let change_set = ChangeSet::find(&client, &arn).await?;
        let changes = change_set.changes(&client).await?.unwrap_or_default();
        return Ok(Answer::Applied(
            execute(&client, change_set, changes).await?,
        ));
    }
    if let Some(arn) = flags.second.discard {
        let client = Client::new(&connection::open(&flags.access).await?);
        return Ok(Answer::Discarded(discard(&client, arn).await?));
    }
    let (Some(stack), Some(template)) = (flags.stack, flags.template) else {
        bail!("`--stack` and `--template` are needed");
    };
    let wanted = Wanted {
        stack,
        template: read(&template)?,
        parameters: flags.parameters,
        tags: flags.tags,
    };
    let client = Client::new(&connection::open(&flags.access).await?);
    Ok(if flags.plan {
        Answer::Planned(wanted.plan(&client).await?)
    } else {
        Answer::Applied(wanted.apply(&client).await?)
    })
}

/// The stack as it should be.
#[derive(Debug)]
struct Wanted {
    stack: String,
    template: String,
    parameters: Vec<KeyValue>,
    tags: Vec<KeyValue>,
}

impl Wanted {
    async fn apply(&self, client: &Client) -> Result<Applied> {
        let before = Stack::find(client, &self.stack).await?;
        let kind = match self.way(before.as_ref())? {
            Way::Create => PlanKind::Create,
            Way::Update => PlanKind::Update,
            Way::DeleteAndCreate => {
                progress(&format!(
                    "stack `{}`: its creation had failed; deleting what is left",
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

    /// Changes nothing: a stack that must be deleted first is an error.
    async fn plan(&self, client: &Client) -> Result<Planned> {
        let before = Stack::find(client, &self.stack).await?;
        let kind = match self.way(before.as_ref())? {
            Way::Create => PlanKind::Create,
            Way::Update => PlanKind::Update,
            Way::DeleteAndCreate => bail!(
                "stack `{0}` is in ROLLBACK_COMPLETE: its creation had failed, and it must be deleted before it can be \
                 created again (`operator delete --stack {0}`)",
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

    fn way(&self, before: Option<&Stack>) -> Result<Way> {
        way(&self.stack, before.map(|stack| &stack.status))
    }

    /// Makes the change set and tells what it changes; `None` when that is nothing.
    async fn change_set(
        &self,
        client: &Client,
        kind: PlanKind,
    ) -> Result<Option<(ChangeSet, Vec<Change>)>> {
        // Without it, a template that is the same changes nothing, whatever its resources have become (CloudFormation user
        // guide, "Using drift-aware change sets").
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
                // The error is of more use than what came in the way of tidying up.
                if let Err(left) = change_set.discard(client).await {
                    progress(&format!(
                        "change set `{}` is left: {left:#}",
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
            progress("  ~ only outputs, tags or other things outside the resources");
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
