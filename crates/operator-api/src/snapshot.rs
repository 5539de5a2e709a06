//! The result of `inspect`: roles, functions and stacks as they are deployed.
//!
//! ```json
//! {
//!   "caller": {"ok": {"account": "111111111111", "arn": "…", "userId": "…", "partition": "aws"}},
//!   "roles": {"team/Reader": {"ok": {"arn": "…", "inlinePolicies": {"ok": {"NAME": {"Version": "2012-10-17"}}}}}},
//!   "functions": {"list-s3-buckets": {"unreadable": {"code": "AccessDenied", "message": "…", "hint": "…"}}},
//!   "stacks": {"roles": {"absent": true}}
//! }
//! ```
//!
//! `inspect` exits with 0 even if nothing could be read: each [`Part`] reports its own result.

use std::collections::BTreeMap;

use contract::RoleName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Identity;

/// The result of `inspect`: each requested item, under the name that was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The caller; `None` if it was not requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Part<Identity>>,
    /// The roles. IAM finds a role by its name alone; its `arn` shows the actual path.
    pub roles: BTreeMap<RoleName, Part<DeployedRole>>,
    /// The functions.
    pub functions: BTreeMap<String, Part<DeployedFunction>>,
    /// The stacks.
    pub stacks: BTreeMap<String, Part<DeployedStack>>,
}

/// The result of reading one item: `{"ok": …}`, `{"absent": true}` or `{"unreadable": {…}}`. Data that needs a permission
/// of its own is a part too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part<T> {
    /// The item as AWS returned it.
    Ok(T),
    /// AWS reports that the item does not exist.
    #[serde(with = "absent")]
    Absent,
    /// It is unknown whether the item exists.
    Unreadable(Unreadable),
}

impl<T> Part<T> {
    /// Applies `f` to the value.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Part<U>) -> Part<U> {
        match self {
            Self::Ok(value) => f(value),
            Self::Absent => Part::Absent,
            Self::Unreadable(why) => Part::Unreadable(why),
        }
    }

    /// The value, if it was read.
    pub fn ok(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// The reason why an item could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// AWS's error code, or `NoCredentials`, `CredentialsNotLoaded`, `Unreachable` or `Failed` if AWS returned none.
    pub code: String,
    /// The error message.
    pub message: String,
    /// How to fix it, if that is known.
    pub hint: Option<String>,
}

/// A role with its policies. Policies are JSON, with IAM's URL encoding removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedRole {
    /// The ARN, with the path.
    pub arn: String,
    /// The unique ID (`AROA…`). A re-created role gets another one (IAM user guide, "IAM identifiers").
    pub id: String,
    /// When the role was created.
    pub created: String,
    /// The same in seconds since 1970, to compare it with the clock.
    pub created_epoch: i64,
    /// The maximum duration of a session.
    pub max_session_duration: Option<i32>,
    /// The trust policy.
    pub trust_policy: Value,
    /// The permissions boundary, if there is one.
    pub permissions_boundary: Option<Boundary>,
    /// The inline policies, by name.
    pub inline_policies: Part<BTreeMap<String, Value>>,
    /// The default versions of the attached managed policies, by ARN.
    pub attached_policies: Part<BTreeMap<String, Part<Value>>>,
}

/// A permissions boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// The ARN of the managed policy.
    pub arn: String,
    /// Its default version.
    pub document: Part<Value>,
}

/// The unpublished version (`$LATEST`) of a Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedFunction {
    /// The function's ARN.
    pub arn: String,
    /// The version: `$LATEST`.
    pub version: Option<String>,
    /// The ARN of the execution role.
    pub role: Option<String>,
    /// The runtime, such as `provided.al2023`.
    pub runtime: Option<String>,
    /// The instruction sets; Lambda supports exactly one per function.
    pub architectures: Vec<String>,
    /// The maximum duration of an invocation.
    pub timeout: Option<i32>,
    /// The memory in MB.
    pub memory_size: Option<i32>,
    /// The ARNs of the layer versions.
    pub layers: Vec<String>,
    /// The SHA-256 of the deployment package, in Base64.
    pub code_sha256: Option<String>,
    /// When the function was last changed, in Lambda's own format.
    pub last_modified: Option<String>,
    /// `Active`, `Pending`, `Inactive` or `Failed`.
    pub state: Option<String>,
    /// The reason for a state other than `Active`.
    pub state_reason: Option<String>,
    /// `Successful`, `InProgress` or `Failed`.
    pub last_update_status: Option<String>,
    /// The environment variables.
    pub environment: Part<BTreeMap<String, String>>,
    /// The tags.
    pub tags: Part<BTreeMap<String, String>>,
}

/// A CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedStack {
    /// The stack's ARN.
    pub id: String,
    /// The status, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// The reason for the status.
    pub status_reason: Option<String>,
    /// When the stack was created.
    pub created: Option<String>,
    /// When the stack was last updated.
    pub updated: Option<String>,
    /// The parameters, by key.
    pub parameters: BTreeMap<String, String>,
    /// The outputs, by key.
    pub outputs: BTreeMap<String, String>,
    /// The tags, by key.
    pub tags: BTreeMap<String, String>,
    /// The template as it was uploaded: an object if it is JSON, otherwise a string. A stack in `REVIEW_IN_PROGRESS` has
    /// none.
    pub template: Part<Value>,
}

/// [`Part::Absent`] as `true`.
mod absent {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        bool::deserialize(deserializer).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that `inspect` prints.
    const PRINTED: &str = r#"{
        "caller": {"ok": {"account": "111111111111", "arn": "arn:aws:iam::111111111111:user/me", "userId": "AIDA",
            "partition": "aws"}},
        "roles": {
            "team/Reader": {"ok": {
                "arn": "arn:aws:iam::111111111111:role/other/Reader", "id": "AROA1", "created": "2026-11-22T18:00:00Z",
                "createdEpoch": 1795370400, "maxSessionDuration": 3600,
                "trustPolicy": {"Version": "2012-10-17", "Statement": []},
                "permissionsBoundary": {"arn": "arn:aws:iam::111111111111:policy/B", "document": {"ok": {}}},
                "inlinePolicies": {"ok": {"NAME": {"Version": "2012-10-17", "Statement": []}}},
                "attachedPolicies": {"ok": {"arn:aws:iam::aws:policy/ReadOnlyAccess": {"unreadable":
                    {"code": "AccessDenied", "message": "no", "hint": null}}}}
            }},
            "Gone": {"absent": true}
        },
        "functions": {
            "list-s3-buckets": {"ok": {
                "arn": "arn", "version": "$LATEST", "role": "arn:aws:iam::111111111111:role/MyLambdaExecutionRole",
                "runtime": "provided.al2023", "architectures": ["arm64"], "timeout": 6, "memorySize": 1024,
                "layers": [], "codeSha256": "x", "lastModified": "2026-11-22T18:00:00.000+0000",
                "state": "Active", "stateReason": null, "lastUpdateStatus": "Successful",
                "environment": {"ok": {"S3_READ_ROLE": "MyS3ReadRole"}},
                "tags": {"unreadable": {"code": "AccessDeniedException", "message": "no", "hint": "ask"}}
            }}
        },
        "stacks": {"function": {"ok": {
            "id": "arn", "status": "UPDATE_COMPLETE", "statusReason": null,
            "created": "2026-11-22T18:00:00Z", "updated": null,
            "parameters": {}, "outputs": {}, "tags": {}, "template": {"absent": true}
        }}}
    }"#;

    #[test]
    fn a_snapshot_is_read_as_it_is_written() {
        let snapshot: Snapshot = serde_json::from_str(PRINTED).unwrap();
        let printed: Value = serde_json::from_str(PRINTED).unwrap();
        assert_eq!(serde_json::to_value(&snapshot).unwrap(), printed);

        let role = snapshot.roles[&"team/Reader".parse().unwrap()]
            .ok()
            .unwrap();
        assert_eq!(role.arn, "arn:aws:iam::111111111111:role/other/Reader");
        let attached = role.attached_policies.ok().unwrap();
        assert!(matches!(
            attached.values().next(),
            Some(Part::Unreadable(_))
        ));
        assert_eq!(snapshot.roles[&"Gone".parse().unwrap()], Part::Absent);
        let function = snapshot.functions["list-s3-buckets"].ok().unwrap();
        assert_eq!(
            (function.timeout, function.memory_size),
            (Some(6), Some(1024))
        );
        let stack = snapshot.stacks["function"].ok().unwrap();
        assert_eq!(stack.template, Part::Absent);
    }
}
