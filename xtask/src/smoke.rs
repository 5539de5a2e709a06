//! The smoke invocation: the deployed function is called once, and every target must answer.
//!
//! A stage of many targets may need more than one call; the function says where to go on, and the answers are put
//! together here.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use serde_json::json;

use crate::{
    answer::{Account, Answer, Outcome, Refusal},
    console::{self, Step},
    deployed::{self, Access},
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
        Smoke::Failed(failure) => {
            drop(step);
            console::note(&failure);
            bail!(stands(environment, "the function fails"));
        }
        Smoke::Answered(summary) if summary.failed.is_empty() => {
            step.done(&summary.to_string());
            Ok(())
        }
        Smoke::Answered(summary) => {
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
enum Smoke {
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

fn call(workspace: &Workspace, environment: &Environment) -> Result<Smoke> {
    let function = environment.function_name();
    let access = Access::of_caller(environment);
    let mut summary = Summary::default();
    let mut event = json!({});
    for _ in 0..MOST_CALLS {
        let answer = deployed::invoke(workspace, access, &function, &event.to_string())?;
        match note(Answer::read(&answer)?, &mut summary)? {
            Next::Failed(text) => return Ok(Smoke::Failed(text)),
            Next::Done => return Ok(Smoke::Answered(summary)),
            Next::Resume(token) => event = json!({ "resume": token }),
        }
    }
    bail!("The function still had accounts to list after {MOST_CALLS} calls")
}

/// What to do after a call.
#[derive(Debug)]
enum Next {
    Failed(String),
    Done,
    Resume(String),
}

/// Adds an answer to the summary.
fn note(answer: Answer, summary: &mut Summary) -> Result<Next> {
    let many = match answer {
        Answer::Failed(error) => return Ok(Next::Failed(error.to_string())),
        Answer::One(buckets) => {
            summary.listed += 1;
            summary.buckets += buckets;
            return Ok(Next::Done);
        }
        Answer::Many(many) => many,
    };
    let mut skipped = 0;
    for account in &many.accounts {
        match &account.outcome {
            Outcome::Ok { buckets } => {
                summary.listed += 1;
                summary.buckets += buckets.len();
            }
            Outcome::Failed(refusal) => summary.failed.push(failure(account, refusal)),
            Outcome::Skipped => skipped += 1,
        }
    }
    ensure!(
        skipped == 0 || many.resume.is_some(),
        "The function skipped {skipped} accounts and does not say where to go on"
    );
    Ok(many.resume.map_or(Next::Done, Next::Resume))
}

fn failure(account: &Account, refusal: &Refusal) -> String {
    let mut text = account.id.to_string();
    if let Some(name) = &account.name {
        let _ = write!(text, " ({name})");
    }
    let _ = write!(text, ": {}", refusal.message);
    if let Some(hint) = &refusal.hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::deployed::Invocation;

    fn note(body: &Value, summary: &mut Summary) -> Result<Next> {
        let invocation = Invocation {
            function_error: None,
            payload: json!({ "statusCode": 200, "body": body.to_string() }),
        };
        super::note(Answer::read(&invocation).unwrap(), summary)
    }

    #[test]
    fn one_target_and_many_are_summed_up() {
        let mut summary = Summary::default();
        let next = note(&json!(["a", "b"]), &mut summary);
        assert!(matches!(next, Ok(Next::Done)));
        assert_eq!(summary.to_string(), "1 account listed, 2 buckets");

        let mut summary = Summary::default();
        let first = json!({"resume": "on", "accounts": [
            {"accountId": "000000000001", "status": "ok", "buckets": ["a"]},
            {"accountId": "000000000002", "name": "Audit", "status": "failed", "message": "denied", "hint": "look"},
            {"accountId": "000000000003", "status": "skipped", "reason": "deadline"}]});
        let Next::Resume(token) = note(&first, &mut summary).unwrap() else {
            panic!("there is more to list");
        };
        assert_eq!(token, "on");
        let second = json!({"accounts": [
            {"accountId": "000000000003", "status": "ok", "buckets": [{"name": "b"}, {"name": "c"}]}]});
        assert!(matches!(note(&second, &mut summary), Ok(Next::Done)));
        assert_eq!(summary.to_string(), "2 of 3 accounts listed, 3 buckets");
        assert_eq!(
            summary.failures(),
            "000000000002 (Audit): denied\n  hint: look"
        );
    }

    #[test]
    fn what_was_skipped_and_is_not_gone_on_with_is_an_error() {
        let lost = json!({"accounts": [{"accountId": "000000000001", "status": "skipped"}]});
        let error = note(&lost, &mut Summary::default()).unwrap_err();
        assert!(error.to_string().contains("where to go on"), "{error}");
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
