//! Subcommand: read what is deployed. Nothing is changed.
//!
//! The answer is the contract with `xtask`, whose `doctor` and `diff` judge it; nothing is judged here. One object with
//! the parts that were asked for, under the names that were asked for:
//!
//! ```json
//! {
//!   "caller": {"ok": {"account": "111111111111", "arn": "…", "userId": "…", "partition": "aws"}},
//!   "roles": {
//!     "team/Reader": {"ok": {
//!       "arn": "arn:aws:iam::111111111111:role/other/Reader", "id": "AROA…", "created": "2026-11-22T18:00:00Z",
//!       "maxSessionDuration": 3600,
//!       "trustPolicy": {"Version": "2012-10-17", "Statement": []},
//!       "permissionsBoundary": {"arn": "…", "document": {"ok": {}}},
//!       "inlinePolicies": {"ok": {"NAME": {"Version": "2012-10-17", "Statement": []}}},
//!       "attachedPolicies": {"ok": {"arn:aws:iam::aws:policy/ReadOnlyAccess": {"ok": {}}}}
//!     }}
//!   },
//!   "functions": {
//!     "list-s3-buckets": {"ok": {
//!       "arn": "…", "version": "$LATEST", "role": "arn:aws:iam::111111111111:role/MyLambdaExecutionRole",
//!       "runtime": "provided.al2023", "architectures": ["arm64"], "timeout": 6, "memorySize": 1024,
//!       "layers": [], "codeSha256": "…", "lastModified": "2026-11-22T18:00:00.000+0000",
//!       "state": "Active", "stateReason": null, "lastUpdateStatus": "Successful",
//!       "environment": {"ok": {"S3_READ_ROLE": "MyS3ReadRole"}},
//!       "tags": {"unreadable": {"code": "AccessDeniedException", "message": "…", "hint": "…"}}
//!     }}
//!   },
//!   "stacks": {
//!     "roles": {"absent": true},
//!     "function": {"ok": {
//!       "id": "arn:aws:cloudformation:…", "status": "UPDATE_COMPLETE", "statusReason": null,
//!       "created": "2026-11-22T18:00:00Z", "updated": null,
//!       "parameters": {}, "outputs": {"ReadRoleArn": "…"}, "tags": {},
//!       "template": {"ok": "AWSTemplateFormatVersion: …"}
//!     }}
//!   }
//! }
//! ```
//!
//! - `caller` is missing when it was not asked for; `roles`, `functions` and `stacks` are then empty.
//! - Each part is a [`Part`]: `ok`, `absent` or `unreadable`, and so is what needs a permission of its own inside of
//!   one. An `unreadable` has AWS's `code` (or `NoCredentials`, `CredentialsNotLoaded`, `Unreachable`, `Failed` where
//!   AWS did not answer), a `message` for a person, and a `hint` or `null`.
//! - A role is found by its name alone, as names are unique in an account whatever the path: whether the path is the
//!   right one, its `arn` says.
//! - Policies are JSON, their URL encoding undone. An attached policy is its default version. `permissionsBoundary` is
//!   `null` when there is none.
//! - Durations are in seconds, `memorySize` in MB. What AWS left out is `null`.
//! - A template is a string as it was sent, or an object where that was JSON. A stack in `REVIEW_IN_PROGRESS` has none
//!   yet.
//!
//! Exit status: 0 even where nothing could be read; the parts say it.

mod function;
mod part;
mod policy;
mod role;
mod stack;

use std::collections::BTreeMap;

use anyhow::{Context as _, Error, Result};
use aws_config::SdkConfig;
use futures_util::{StreamExt as _, stream as futures};
use serde::Serialize;

use self::{
    function::Function,
    part::{Part, Unreadable},
    role::Role,
    stack::DeployedStack,
};
use crate::{
    arguments::{Inspect, Parts},
    connection, whoami,
    whoami::Identity,
};

/// How many things of a kind are read at once: few, as IAM and CloudFormation throttle an account as a whole.
const AT_ONCE: usize = 4;

/// What was asked for, each part with its own result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inspection {
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Part<Identity>>,
    roles: BTreeMap<String, Part<Role>>,
    functions: BTreeMap<String, Part<Function>>,
    stacks: BTreeMap<String, Part<DeployedStack>>,
}

pub(crate) async fn run(flags: Inspect) -> Result<Inspection> {
    let config = connection::open(&flags.access).await?;
    let profile = flags.access.profile;
    let signed_in = connection::sign_in(&config).await.map_err(Error::new);
    let signed_in = match profile {
        Some(profile) => signed_in.with_context(|| format!("profile `{profile}`")),
        None => signed_in,
    };
    Ok(match signed_in {
        Ok(config) => read(flags.parts, &config).await,
        Err(error) => Inspection::without_credentials(flags.parts, &(&error).into()),
    })
}

async fn read(parts: Parts, config: &SdkConfig) -> Inspection {
    let iam = aws_sdk_iam::Client::new(config);
    let lambda = aws_sdk_lambda::Client::new(config);
    let cloudformation = aws_sdk_cloudformation::Client::new(config);

    let caller = async {
        if parts.caller {
            Some(Part::from(whoami::caller(config).await))
        } else {
            None
        }
    };
    let roles = each(parts.roles, async |name| {
        let role = role::read(&iam, name.name()).await;
        (name.to_string(), Part::from(role))
    });
    let functions = each(parts.functions, async |name| {
        let function = function::read(&lambda, &name).await;
        (name, Part::from(function))
    });
    let stacks = each(parts.stacks, async |name| {
        let stack = stack::read(&cloudformation, &name).await;
        (name, Part::from_option(stack))
    });
    let (caller, roles, functions, stacks) = tokio::join!(caller, roles, functions, stacks);
    Inspection {
        caller,
        roles,
        functions,
        stacks,
    }
}

impl Inspection {
    fn without_credentials(parts: Parts, why: &Unreadable) -> Self {
        fn each<T>(
            names: impl IntoIterator<Item = impl ToString>,
            why: &Unreadable,
        ) -> BTreeMap<String, Part<T>> {
            names
                .into_iter()
                .map(|name| (name.to_string(), Part::Unreadable(why.clone())))
                .collect()
        }
        Self {
            caller: parts.caller.then(|| Part::Unreadable(why.clone())),
            roles: each(parts.roles, why),
            functions: each(parts.functions, why),
            stacks: each(parts.stacks, why),
        }
    }
}

/// Reads each of `names`, a few at once.
async fn each<Name, T>(
    names: Vec<Name>,
    read: impl AsyncFn(Name) -> (String, T),
) -> BTreeMap<String, T> {
    futures::iter(names)
        .map(|name| read(name))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}
