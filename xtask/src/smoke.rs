//! The smoke invocation: the deployed function is called once, and every target must answer.
//!
//! A stage of many targets may need more than one call; the function says where to go on, and the answers are put
//! together here.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    console::{self, Step},
    deployed::{self, Access, Invocation},
    environment::Environment,
    workspace::Workspace,
};

/// How many calls one after the other are made at most: a call reaches thousands of accounts.
const MOST_CALLS: usize = 100;

/// How many of the accounts that failed are told of.
const MOST_TOLD: usize = 10;

/// Invokes the function and tells what it answered.
///
/// # Errors
/// It fails, or a target does not answer. The deployment stands.
pub(crate) fn invoke(workspace: &Workspace, environment: &Environment) -> Result<()> {
    let step = Step::begin("Invoking the function, to see whether every target answers");
    let outcome = call(workspace, environment);
    match outcome? {
        Outcome::Failed(failure) => {
            drop(step);
            console::note(&failure);
            bail!(stands(environment, "the function fails"));
        }
        Outcome::Answered(summary) if summary.failed.is_empty() => {
            step.done(&summary.to_string());
            Ok(())
        }
        Outcome::Answered(summary) => {
            drop(step);
            console::note(&summary.failures());
            bail!(stands(environment, &summary.to_string()));
        }
    }
}

fn stands(environment: &Environment, what: &str) -> String {
    let stage = &environment.stage;
    format!(
        "The stage is deployed, but {what}\n\
         hint: `cargo xtask doctor --env {stage}` looks for the cause; a role made within the last minute may only need \
         time (`cargo xtask invoke --env {stage}`); `cargo xtask rollback --env {stage}` goes back to the deployment before"
    )
}

/// What came of the calls.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The function failed, with this text.
    Failed(String),
    Answered(Summary),
}

/// The answers of all calls together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    listed: usize,
    buckets: usize,
    failed: Vec<String>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            listed,
            buckets,
            failed,
        } = self;
        let all = listed + failed.len();
        let counted = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            _ => format!("{number} {what}s"),
        };
        let buckets = counted(*buckets, "bucket");
        if failed.is_empty() {
            write!(f, "{} listed, {buckets}", counted(all, "account"))
        } else {
            write!(
                f,
                "{listed} of {} listed, {buckets}",
                counted(all, "account")
            )
        }
    }
}

impl Summary {
    fn failures(&self) -> String {
        let mut text = self
            .failed
            .iter()
            .take(MOST_TOLD)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n");
        if self.failed.len() > MOST_TOLD {
            let _ = write!(text, "\nand {} more", self.failed.len() - MOST_TOLD);
        }
        text
    }
}

fn call(workspace: &Workspace, environment: &Environment) -> Result<Outcome> {
    let function = environment.function_name();
    let access = Access::of_caller(environment);
    let mut summary = Summary::default();
    let mut event = json!({});
    for _ in 0..MOST_CALLS {
        let answer = deployed::invoke(workspace, access, &function, &event.to_string())?;
        match read(&answer, &mut summary)? {
            Next::Failed(text) => return Ok(Outcome::Failed(text)),
            Next::Done => return Ok(Outcome::Answered(summary)),
            Next::Resume(token) => event = json!({ "resume": token }),
        }
    }
    bail!("The function still had accounts to list after {MOST_CALLS} calls")
}

/// What to do after a call.
enum Next {
    Failed(String),
    Done,
    Resume(String),
}

/// An error of the function.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_type: String,
    error_message: String,
}

/// The answer of a stage with many targets, as far as it is looked at here.
#[derive(Deserialize)]
struct Many {
    accounts: Vec<Account>,
    resume: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "accountId")]
    id: String,
    name: Option<String>,
    status: Status,
    #[serde(default)]
    buckets: Vec<Value>,
    message: Option<String>,
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    /// Another call is to list it.
    Skipped,
}

/// Adds an answer to the summary.
fn read(answer: &Invocation, summary: &mut Summary) -> Result<Next> {
    let otherwise = || format!("The function answered something else: {}", answer.payload);
    if answer.function_error.is_some() {
        let error = FunctionError::deserialize(&answer.payload).with_context(otherwise)?;
        return Ok(Next::Failed(format!(
            "{}: {}",
            error.error_type, error.error_message
        )));
    }
    let body = answer.payload["body"].as_str().with_context(otherwise)?;
    let body: Value = serde_json::from_str(body).with_context(otherwise)?;
    if let Some(buckets) = body.as_array() {
        summary.listed += 1;
        summary.buckets += buckets.len();
        return Ok(Next::Done);
    }
    let many = Many::deserialize(&body).with_context(otherwise)?;
    let mut skipped = 0;
    for account in &many.accounts {
        match account.status {
            Status::Ok => {
                summary.listed += 1;
                summary.buckets += account.buckets.len();
            }
            Status::Failed => summary.failed.push(account.failure()),
            Status::Skipped => skipped += 1,
        }
    }
    ensure!(
        skipped == 0 || many.resume.is_some(),
        "The function skipped {skipped} accounts and does not say where to go on"
    );
    Ok(many.resume.map_or(Next::Done, Next::Resume))
}

impl Account {
    fn failure(&self) -> String {
        let mut text = self.id.clone();
        if let Some(name) = &self.name {
            let _ = write!(text, " ({name})");
        }
        let message = self.message.as_deref().unwrap_or("could not be listed");
        let _ = write!(text, ": {message}");
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n  hint: {hint}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(payload: &Value) -> Invocation {
        Invocation {
            function_error: None,
            payload: payload.clone(),
        }
    }

    fn body(body: &Value) -> Invocation {
        answered(&json!({ "statusCode": 200, "body": body.to_string() }))
    }

    #[test]
    fn one_target_and_many_are_summed_up() {
        let mut summary = Summary::default();
        assert!(matches!(
            read(&body(&json!(["a", "b"])), &mut summary),
            Ok(Next::Done)
        ));
        assert_eq!(summary.to_string(), "1 account listed, 2 buckets");

        let mut summary = Summary::default();
        let first = body(&json!({"resume": "on", "accounts": [
            {"accountId": "000000000001", "status": "ok", "buckets": ["a"]},
            {"accountId": "000000000002", "name": "Audit", "status": "failed", "message": "denied", "hint": "look"},
            {"accountId": "000000000003", "status": "skipped", "reason": "deadline"}]}));
        let Next::Resume(token) = read(&first, &mut summary).unwrap() else {
            panic!("there is more to list");
        };
        assert_eq!(token, "on");
        let second = body(&json!({"accounts": [
            {"accountId": "000000000003", "status": "ok", "buckets": [{"name": "b"}, {"name": "c"}]}]}));
        assert!(matches!(read(&second, &mut summary), Ok(Next::Done)));
        assert_eq!(summary.to_string(), "2 of 3 accounts listed, 3 buckets");
        assert_eq!(
            summary.failures(),
            "000000000002 (Audit): denied\n  hint: look"
        );
    }

    #[test]
    fn a_failure_is_told_and_nothing_else_passes_for_an_answer() {
        let failed = Invocation {
            function_error: Some("Unhandled".to_owned()),
            payload: json!({"errorType": "AssumeRoleDenied", "errorMessage": "no"}),
        };
        let Next::Failed(text) = read(&failed, &mut Summary::default()).unwrap() else {
            panic!("it failed");
        };
        assert_eq!(text, "AssumeRoleDenied: no");
        for payload in [
            json!(null),
            json!({}),
            json!({"body": "x"}),
            json!({"body": "{}"}),
            json!({"body": "{\"accounts\":[{\"accountId\":\"1\",\"status\":\"skipped\"}]}"}),
        ] {
            let read = read(&answered(&payload), &mut Summary::default());
            assert!(read.is_err(), "{payload}");
        }
    }

    #[test]
    fn a_long_list_of_failures_is_cut() {
        let summary = Summary {
            failed: (0..12).map(|number| number.to_string()).collect(),
            ..Summary::default()
        };
        assert!(summary.failures().ends_with("9\nand 2 more"));
    }
}
