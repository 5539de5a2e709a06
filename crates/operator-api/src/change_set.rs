//! The results of `apply` and `delete`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// The result of `apply` and `apply --execute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The stack's name.
    pub stack: String,
    /// What happened to the stack.
    pub action: ApplyAction,
    /// The resources that changed.
    pub changes: Vec<Change>,
    /// The stack's outputs, by key.
    pub outputs: BTreeMap<String, String>,
}

/// The effect of `apply` on a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyAction {
    /// The stack is new.
    Created,
    /// The stack existed and changed.
    Updated,
    /// There was nothing to change.
    Unchanged,
}

/// The result of `apply --plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The stack's name.
    pub stack: String,
    /// The kind of change to the stack.
    pub kind: PlanKind,
    /// The argument for `--execute` or `--discard`; `None` if there is nothing to change.
    pub change_set: Option<ChangeSetArn>,
    /// The resources that would change. It is empty beside a change set if only outputs, tags or the like would change.
    pub changes: Vec<Change>,
}

/// The kind of a planned change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanKind {
    /// The stack does not exist yet.
    Create,
    /// The stack exists.
    Update,
}

/// The result of `apply --discard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discarded {
    /// The change set.
    pub change_set: ChangeSetArn,
    /// What happened to it.
    pub action: DiscardAction,
}

/// The effect of `apply --discard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscardAction {
    /// The change set was deleted.
    Discarded,
    /// The change set did not exist.
    Absent,
}

/// The result of `delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The stack's name.
    pub stack: String,
    /// What happened to the stack.
    pub action: DeleteAction,
}

/// The effect of `delete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteAction {
    /// The stack was deleted.
    Deleted,
    /// The stack did not exist.
    Absent,
}

/// A resource that a change set changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `Add`, `Modify`, `Remove` and so on, as CloudFormation names it.
    pub action: String,
    /// The logical ID in the template.
    pub resource: String,
    /// The physical ID, if the resource exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// The resource type, such as `AWS::IAM::Role`.
    pub r#type: String,
    /// Replacement of a modified resource by a new one: `True`, `False` or `Conditional`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The properties that change.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub properties: BTreeSet<String>,
}

/// The ARN of a change set: `arn:PARTITION:cloudformation:REGION:ACCOUNT:changeSet/NAME/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ChangeSetArn(String);

impl ChangeSetArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ChangeSetArn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "cloudformation", _, _, resource] if resource.starts_with("changeSet/") => {
                Ok(Self(text))
            }
            _ => Err("is not the ARN of a change set, as `apply --plan` prints it"),
        }
    }
}

impl FromStr for ChangeSetArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for ChangeSetArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_change_set_is_one() {
        let arn = "arn:aws:cloudformation:eu-central-1:111111111111:changeSet/operator-1/ab-cd";
        assert_eq!(arn.parse::<ChangeSetArn>().unwrap().to_string(), arn);
        for text in [
            "",
            "operator-1",
            "arn:aws:cloudformation:eu-central-1:111111111111:stack/roles/ab-cd",
        ] {
            assert!(text.parse::<ChangeSetArn>().is_err(), "{text}");
        }
    }
}
