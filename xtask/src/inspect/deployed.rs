//! What is deployed, as AWS tells it through `crates/operator`: its answers as types.
//!
//! Nothing is judged here; `doctor` and `diff` do that. A thing that AWS does not have, and a thing that it does not
//! show, are answers and no errors: [`Part`] tells the three apart.

mod configuration;

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use contract::{AccountId, Region, RoleName};
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::configuration::configuration;
use crate::{
    inspect::{operator, session::Session},
    sys::workspace::Workspace,
};

/// As whom AWS is asked, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    /// The region that is asked; IAM is asked in its partition.
    pub(crate) region: &'a Region,
    /// As whom.
    pub(crate) whom: Whom<'a>,
}

/// Whose credentials AWS is asked with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whom<'a> {
    /// The caller's, as they were resolved.
    Session(&'a Session),
    /// Those of a profile of the AWS configuration files.
    Profile(&'a str),
    /// The caller's, resolved anew: that there are none is an answer too.
    Anybody,
}

/// What to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// Roles of the caller's account. IAM finds them by their names, whatever their paths.
    pub(crate) roles: Vec<RoleName>,
    /// Functions of the region.
    pub(crate) functions: Vec<String>,
    /// CloudFormation stacks of the region.
    pub(crate) stacks: Vec<String>,
}

impl<'a> Access<'a> {
    /// The caller, in the session's region.
    pub(crate) fn of_caller(session: &'a Session) -> Self {
        Self {
            region: session.region(),
            whom: Whom::Session(session),
        }
    }
}

/// What was read, each thing under the name that it was asked for by.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Deployed {
    /// Who asked.
    pub(crate) caller: Part<Caller>,
    /// The roles.
    pub(crate) roles: BTreeMap<RoleName, Part<Role>>,
    /// The functions.
    pub(crate) functions: BTreeMap<String, Part<Function>>,
    /// The stacks.
    pub(crate) stacks: BTreeMap<String, Part<Stack>>,
}

/// The result of asking for one thing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Answered<T>")]
pub(crate) enum Part<T> {
    /// It is there.
    Ok(T),
    /// AWS says that there is no such thing.
    Absent,
    /// Whether there is one is not known, or what it says.
    Unreadable(Unreadable),
}

impl<T> Part<T> {
    /// What `of` makes of it, where it is there.
    pub(crate) fn and_then<U>(self, of: impl FnOnce(T) -> Part<U>) -> Part<U> {
        match self {
            Self::Ok(value) => of(value),
            Self::Absent => Part::Absent,
            Self::Unreadable(why) => Part::Unreadable(why),
        }
    }

    /// It, where it is there.
    pub(crate) fn ok(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// Why a thing could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Unreadable {
    /// AWS's code; or, where AWS did not answer, the operator's: `NoCredentials`, `CredentialsNotLoaded`, `Unreachable`,
    /// `Failed`.
    pub(crate) code: String,
    /// What happened, for a person.
    pub(crate) message: String,
    /// How to mend it, where that is known.
    pub(crate) hint: Option<String>,
}

/// Who asked, as STS says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Caller {
    /// The account that the credentials belong to.
    pub(crate) account: AccountId,
    /// The user or the session behind them.
    pub(crate) arn: String,
}

/// A role, with every policy of its account that bears on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// Its ARN, with its path.
    pub(crate) arn: String,
    /// `AROA…`: another one for a role that was deleted and made again (IAM user guide, "IAM identifiers").
    pub(crate) id: String,
    /// When it was made, RFC 3339 in UTC.
    pub(crate) created: String,
    /// Who may assume it.
    pub(crate) trust_policy: Value,
    /// What its own policies can allow at most.
    pub(crate) permissions_boundary: Option<Boundary>,
    /// The policies that are part of it, by name.
    pub(crate) inline_policies: Part<BTreeMap<String, Value>>,
    /// The default versions of the managed policies that are attached to it, by ARN.
    pub(crate) attached_policies: Part<BTreeMap<String, Part<Value>>>,
}

/// A permissions boundary.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Boundary {
    /// The managed policy that it is.
    pub(crate) arn: String,
    /// Its default version.
    pub(crate) document: Part<Value>,
}

/// A Lambda function, unpublished (`$LATEST`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    /// The ARN of its execution role.
    pub(crate) role: Option<String>,
    /// Its runtime, such as `provided.al2023`.
    pub(crate) runtime: Option<String>,
    /// Its processor; Lambda knows exactly one.
    pub(crate) architectures: Vec<String>,
    /// Seconds until a call is ended.
    pub(crate) timeout: Option<u32>,
    /// Memory in MB.
    pub(crate) memory_size: Option<u32>,
    /// The ARNs of its layers' versions.
    #[serde(default)]
    pub(crate) layers: Vec<String>,
    /// The SHA-256 of its archive, in Base64.
    pub(crate) code_sha256: Option<String>,
    /// `Active`, `Pending`, `Inactive` or `Failed`.
    pub(crate) state: Option<String>,
    /// Why it is not active.
    pub(crate) state_reason: Option<String>,
    /// Its environment variables.
    pub(crate) environment: Part<BTreeMap<String, String>>,
}

/// A CloudFormation stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// Such as `UPDATE_COMPLETE`.
    pub(crate) status: String,
    /// When it was made, RFC 3339 in UTC.
    pub(crate) created: Option<String>,
    /// What it tells, by name.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Its template: a text as it was sent, or an object where that was JSON.
    pub(crate) template: Part<Value>,
}

/// The answer of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invocation {
    /// `Unhandled` or `Handled` where the function failed; the payload then has `errorType` and `errorMessage`.
    pub(crate) function_error: Option<String>,
    /// What the function answered.
    pub(crate) payload: Value,
}

/// Reads what `question` names, and who asks. What cannot be read is told in its place.
///
/// # Errors
/// The operator does not build, or answers something else than it should.
pub(crate) fn inspect(
    workspace: &Workspace,
    access: Access<'_>,
    question: &Question,
) -> Result<Deployed> {
    let mut arguments = vec!["--caller"];
    for role in &question.roles {
        arguments.extend(["--role", role.as_str()]);
    }
    for function in &question.functions {
        arguments.extend(["--function", function]);
    }
    for stack in &question.stacks {
        arguments.extend(["--stack", stack]);
    }
    let answer = ask(workspace, "inspect", access, &arguments)
        .context("Failed to look at what is deployed")?;
    read(&answer)
}

/// Invokes `function` with `event`, a JSON text. A failure of the function itself is an answer, and no error.
///
/// # Errors
/// There is no such function, Lambda refuses, or cannot be reached.
pub(crate) fn invoke(
    workspace: &Workspace,
    access: Access<'_>,
    function: &str,
    event: &str,
) -> Result<Invocation> {
    let arguments = ["--function", function, "--event", event];
    let answer = ask(workspace, "invoke", access, &arguments)?;
    read(&answer)
}

/// Copies an object of S3 into `file`.
///
/// # Errors
/// There is none, or it may not be read.
fn fetch(
    workspace: &Workspace,
    access: Access<'_>,
    bucket: &str,
    key: &str,
    file: &Path,
) -> Result<()> {
    let file = file.display().to_string();
    let arguments = ["--bucket", bucket, "--key", key, "--to", &file];
    ask(workspace, "fetch", access, &arguments)?;
    Ok(())
}

/// What the operator answers. What it has to complain of is the error's text, and not printed.
fn ask(
    workspace: &Workspace,
    command: &str,
    access: Access<'_>,
    arguments: &[&str],
) -> Result<String> {
    let program =
        operator::operator(workspace)?.args([command, "--region", access.region.as_str()]);
    let program = match access.whom {
        Whom::Session(session) => session.give_to(program)?,
        Whom::Profile(profile) => program.args(["--profile", profile]),
        Whom::Anybody => program,
    };
    let answer = program.args(arguments.iter().copied()).collect()?;
    if !answer.status.success() {
        let complaint = answer.stderr.trim();
        anyhow::bail!("{}", complaint.strip_prefix("error: ").unwrap_or(complaint));
    }
    Ok(answer.stdout)
}

fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T> {
    serde_json::from_str(answer)
        .with_context(|| format!("The operator answered something else: `{}`", answer.trim()))
}

/// A [`Part`] as the operator writes it: `{"ok": …}`, `{"absent": true}` or `{"unreadable": {…}}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answered<T> {
    Ok(T),
    Absent(#[expect(dead_code, reason = "always true")] bool),
    Unreadable(Unreadable),
}

impl<T> From<Answered<T>> for Part<T> {
    fn from(answered: Answered<T>) -> Self {
        match answered {
            Answered::Ok(value) => Self::Ok(value),
            Answered::Absent(_) => Self::Absent,
            Answered::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the docs of the operator's `inspect`, which writes it.
    const ANSWER: &str = r#"{
        "caller": {"ok": {"account": "111111111111", "arn": "arn:aws:iam::111111111111:user/me", "userId": "AIDA",
            "partition": "aws"}},
        "roles": {
            "team/Reader": {"ok": {
                "arn": "arn:aws:iam::111111111111:role/other/Reader", "id": "AROA1", "created": "2026-11-22T18:00:00Z",
                "maxSessionDuration": 3600,
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
    fn an_answer_of_the_operator_is_read() {
        let deployed: Deployed = read(ANSWER).unwrap();
        let Part::Ok(role) = &deployed.roles[&"team/Reader".parse().unwrap()] else {
            panic!("{deployed:?}");
        };
        assert_eq!(role.arn, "arn:aws:iam::111111111111:role/other/Reader");
        let Part::Ok(attached) = &role.attached_policies else {
            panic!("{role:?}");
        };
        assert!(matches!(
            attached.values().next(),
            Some(Part::Unreadable(_))
        ));
        assert_eq!(
            deployed.roles[&"Gone".parse().unwrap()],
            Part::Absent::<Role>
        );
        let Part::Ok(function) = &deployed.functions["list-s3-buckets"] else {
            panic!("{deployed:?}");
        };
        assert_eq!(
            (function.timeout, function.memory_size),
            (Some(6), Some(1024))
        );
        let Part::Ok(stack) = &deployed.stacks["function"] else {
            panic!("{deployed:?}");
        };
        assert_eq!(stack.template, Part::Absent);
    }

    #[test]
    fn something_else_is_an_error_that_shows_it() {
        let error = read::<Invocation>("oops\n").unwrap_err().to_string();
        assert_eq!(error, "The operator answered something else: `oops`");
    }
}
