//! What is deployed, as the operator reads it: `operator inspect`, whose module documentation describes the JSON.
//!
//! Nothing is judged here. What cannot be read is a value like any other, since "not there" and "not to be seen" are
//! different news.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::operator::{Identity, Operator};

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Part<T> {
    /// It is there.
    Ok(T),
    /// There is no such thing.
    Absent(#[serde(deserialize_with = "is_true")] ()),
    /// Whether there is one is not known.
    Unreadable(Unreadable),
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Unreadable {
    /// AWS's error code, such as `AccessDenied`.
    pub(crate) code: String,
    /// For a person.
    pub(crate) message: String,
    /// How to mend it, where that is known.
    pub(crate) hint: Option<String>,
}

impl<T> Part<T> {
    /// It, where it is there.
    pub(crate) fn ok(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            Self::Absent(()) | Self::Unreadable(_) => None,
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Deployed {
    /// Whose credentials were used, where that was asked.
    pub(crate) caller: Option<Part<Identity>>,
    /// Roles, by the name they were asked for by.
    pub(crate) roles: BTreeMap<String, Part<Role>>,
    /// Functions, by name.
    pub(crate) functions: BTreeMap<String, Part<Function>>,
    /// Stacks, by name.
    pub(crate) stacks: BTreeMap<String, Part<Stack>>,
}

/// A role as IAM has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// With the path that it really has.
    pub(crate) arn: String,
    /// `AROA…`: what a trust policy holds in the place of a role that was deleted.
    pub(crate) id: String,
    /// Who may assume it.
    pub(crate) trust_policy: Value,
    /// What bounds its policies, where something does.
    pub(crate) permissions_boundary: Option<Boundary>,
    /// Its own policies, by name.
    pub(crate) inline_policies: Part<BTreeMap<String, Value>>,
    /// The managed policies attached to it, by ARN.
    pub(crate) attached_policies: Part<BTreeMap<String, Part<Value>>>,
}

/// A permissions boundary.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Boundary {
    /// The managed policy.
    pub(crate) arn: String,
    /// What it says.
    pub(crate) document: Part<Value>,
}

/// A function as Lambda has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    /// The execution role's ARN.
    pub(crate) role: Option<String>,
    /// Such as `provided.al2023`.
    pub(crate) runtime: Option<String>,
    /// `x86_64` or `arm64`.
    pub(crate) architectures: Vec<String>,
    /// In seconds.
    pub(crate) timeout: Option<u32>,
    /// In MB.
    pub(crate) memory_size: Option<u32>,
    /// Of the archive, in base64.
    pub(crate) code_sha256: Option<String>,
    /// When it was changed last.
    pub(crate) last_modified: Option<String>,
    /// `Active`, or what keeps it from being so.
    pub(crate) state: Option<String>,
    /// Its environment variables.
    pub(crate) environment: Part<BTreeMap<String, String>>,
}

/// A CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// Such as `UPDATE_COMPLETE`.
    pub(crate) status: String,
    /// Its template: a text as it was sent, or an object where that was JSON.
    pub(crate) template: Part<Value>,
}

/// What to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    arguments: Vec<String>,
}

impl Wanted {
    /// Whose credentials are used.
    #[must_use]
    pub(crate) fn caller(mut self) -> Self {
        self.arguments.push("--caller".to_owned());
        self
    }

    /// A role, by its name, with or without its path.
    #[must_use]
    pub(crate) fn role(self, name: &str) -> Self {
        self.named("--role", name)
    }

    /// A function.
    #[must_use]
    pub(crate) fn function(self, name: &str) -> Self {
        self.named("--function", name)
    }

    /// A stack.
    #[must_use]
    pub(crate) fn stack(self, name: &str) -> Self {
        self.named("--stack", name)
    }

    fn named(mut self, flag: &str, name: &str) -> Self {
        self.arguments.extend([flag.to_owned(), name.to_owned()]);
        self
    }

    /// Reads it.
    ///
    /// # Errors
    /// The operator cannot be started or asked. What cannot be read is said in the answer.
    pub(crate) fn read(&self, operator: &Operator) -> Result<Deployed> {
        operator.inspect(&self.arguments)
    }
}

/// `true`, and nothing else.
fn is_true<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(())
    } else {
        Err(serde::de::Error::custom("`absent` is not true"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_of_the_operator() {
        let deployed: Deployed = serde_json::from_value(json!({
            "caller": {"ok": {"account": "111111111111", "arn": "a", "userId": "u", "partition": "aws"}},
            "roles": {"team/Reader": {"ok": {
                "arn": "r", "id": "AROA", "created": "2026-11-22T18:00:00Z", "maxSessionDuration": 3600,
                "trustPolicy": {"Statement": []},
                "permissionsBoundary": {"arn": "b", "document": {"ok": {}}},
                "inlinePolicies": {"ok": {"list": {}}},
                "attachedPolicies": {"unreadable": {"code": "AccessDenied", "message": "no", "hint": null}}}}},
            "functions": {"f": {"absent": true}},
            "stacks": {"s": {"ok": {"id": "i", "status": "UPDATE_COMPLETE", "template": {"ok": "Resources:"}}}}
        }))
        .unwrap();
        let role = deployed.roles["team/Reader"].ok().unwrap();
        assert_eq!(role.permissions_boundary.as_ref().unwrap().arn, "b");
        assert!(
            matches!(&role.attached_policies, Part::Unreadable(why) if why.code == "AccessDenied")
        );
        assert_eq!(deployed.functions["f"], Part::Absent(()));
        assert_eq!(deployed.stacks["s"].ok().unwrap().status, "UPDATE_COMPLETE");
        assert!(serde_json::from_value::<Part<Stack>>(json!({"absent": false})).is_err());
    }
}
