//! The smoke invocation: invokes the function after a deployment. Every target that was listed before must be listed.
//!
//! A stage with many targets may need several invocations; their results are combined here.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use anyhow::{Result, bail, ensure};
use contract::AccountId;
use operator_api::Part;

use crate::{
    cli,
    deploy::guard::Caller,
    inspect::{
        operator::{MAX_INVOCATIONS, Operator, Query, reported},
        response::{AccountFailure, AccountOutcome, AccountResult, Response},
        session::Session,
    },
    sys::{
        console::{self, Step},
        workspace::Workspace,
    },
};
use environment::Environment;

/// The maximum number of failed accounts that are printed.
const MAX_PRINTED: usize = 10;

/// The accounts that failed before the deployment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// No function was deployed.
    NotDeployed,
    /// The deployed function could not be invoked, with the reason.
    Unknown(String),
    /// The accounts that failed; all others were listed.
    Failed(BTreeSet<AccountId>),
}

impl Before {
    /// Invokes the function that is deployed now, before it is replaced.
    fn get(workspace: &Workspace, environment: &Environment, session: &Session) -> Self {
        let step = Step::begin("Invoking the current function, to see which targets already fail");
        let before = Self::invoke_current(workspace, environment, session)
            .unwrap_or_else(|error| Self::Unknown(format!("{error:#}")));
        step.done(&before.to_string());
        before
    }

    fn invoke_current(
        workspace: &Workspace,
        environment: &Environment,
        session: &Session,
    ) -> Result<Self> {
        let name = environment.function_name();
        let query = Query {
            functions: vec![name.clone()],
            ..Query::default()
        };
        let mut deployed = Operator::of_caller(workspace, session)?.inspect(&query)?;
        Ok(match reported(&mut deployed.functions, &name)? {
            Part::Ok(_) => Self::of(call(workspace, environment, session)?),
            Part::Absent => Self::NotDeployed,
            Part::Unreadable(why) => Self::Unknown(why.message),
        })
    }

    fn of(smoke: Smoke) -> Self {
        match smoke {
            Smoke::Failed(failure) => {
                Self::Unknown(failure.lines().next().unwrap_or_default().to_owned())
            }
            Smoke::Completed(summary) => {
                Self::Failed(summary.failed.into_iter().map(|(id, _)| id).collect())
            }
        }
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDeployed => f.write_str("not deployed yet"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
            Self::Failed(accounts) => write!(
                f,
                "{}",
                counted(accounts.len(), "account fails", "accounts fail")
            ),
        }
    }
}

/// Invokes the function before and after `change`, unless `flags` say otherwise, and compares the results.
///
/// # Errors
/// The change fails, or see [`invoke`].
pub(crate) fn around(
    workspace: &Workspace,
    caller: &Caller<'_>,
    flags: &cli::Smoke,
    change: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let (environment, session) = (caller.environment, &caller.session);
    if flags.no_smoke {
        return change();
    }
    let before = Before::get(workspace, environment, session);
    change()?;
    invoke(workspace, environment, session, &before, flags.max_failures)
}

/// Invokes the function and prints the result. Accounts that also failed `before` are printed, but do not count; of the
/// others, at most `max_failures` may fail.
///
/// # Errors
/// The function fails, or too many targets fail. The deployment is not undone.
fn invoke(
    workspace: &Workspace,
    environment: &Environment,
    session: &Session,
    before: &Before,
    max_failures: usize,
) -> Result<()> {
    let step = Step::begin("Invoking the function, to see whether every target is listed");
    let outcome = call(workspace, environment, session);
    match outcome? {
        Smoke::Failed(failure) => {
            drop(step);
            console::note(&failure);
            bail!(deployed_but(environment, "the function fails"));
        }
        Smoke::Completed(summary) if summary.failed.is_empty() => {
            step.done(&summary.to_string());
            Ok(())
        }
        Smoke::Completed(summary) => {
            let failures = Failures::of(&summary, before);
            console::note(failures.to_string().trim_end());
            if failures.new.len() <= max_failures {
                step.done(&format!("{summary}; {}", failures.sum()));
                return Ok(());
            }
            drop(step);
            bail!(deployed_but(
                environment,
                &format!("{summary}; {}", failures.sum())
            ));
        }
    }
}

/// The failed accounts: new failures, and those that failed before.
struct Failures<'a> {
    before: &'a Before,
    new: Vec<&'a str>,
    known: Vec<&'a str>,
}

impl<'a> Failures<'a> {
    fn of(summary: &'a Summary, before: &'a Before) -> Self {
        let is_known = |id: &AccountId| matches!(before, Before::Failed(ids) if ids.contains(id));
        let (known, new): (Vec<_>, Vec<_>) =
            summary.failed.iter().partition(|(id, _)| is_known(id));
        let texts = |failed: Vec<&'a (AccountId, String)>| {
            failed.into_iter().map(|(_, text)| text.as_str()).collect()
        };
        Self {
            before,
            new: texts(new),
            known: texts(known),
        }
    }

    fn sum(&self) -> String {
        let (new, known) = (self.new.len(), self.known.len());
        match self.before {
            Before::Failed(_) => format!("{new} new, {known} that also failed before"),
            Before::NotDeployed => "all new, because nothing was deployed before".to_owned(),
            Before::Unknown(_) => "it is unknown which of them failed before".to_owned(),
        }
    }
}

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, failed) in [("failed", &self.new), ("also failed before", &self.known)] {
            if failed.is_empty() {
                continue;
            }
            writeln!(f, "{what}:")?;
            for text in failed.iter().take(MAX_PRINTED) {
                writeln!(f, "{text}")?;
            }
            if failed.len() > MAX_PRINTED {
                writeln!(f, "and {} more", failed.len() - MAX_PRINTED)?;
            }
        }
        Ok(())
    }
}

fn counted(number: usize, one: &str, several: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {several}"),
    }
}

fn deployed_but(environment: &Environment, what: &str) -> String {
    let stage = &environment.stage;
    format!(
        "Stage `{stage}` was deployed, but {what}\n\
         hint: IAM changes can take a minute; retry with `cargo xtask invoke --env {stage}`\n\
         hint: to find the cause, run `cargo xtask doctor --env {stage}`\n\
         hint: to undo the deployment, run `cargo xtask rollback --env {stage}`\n\
         hint: to accept up to N new failures, pass `--max-failures N`"
    )
}

/// The result of all invocations.
#[derive(Debug, PartialEq, Eq)]
enum Smoke {
    /// The function failed, with its error.
    Failed(String),
    Completed(Summary),
}

/// The results of all invocations.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    listed: usize,
    buckets: usize,
    /// Each with its message.
    failed: Vec<(AccountId, String)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            listed,
            buckets,
            failed,
        } = self;
        let all = counted(listed + failed.len(), "account", "accounts");
        let buckets = counted(*buckets, "bucket", "buckets");
        if failed.is_empty() {
            write!(f, "{all} listed, {buckets}")
        } else {
            write!(f, "{listed} of {all} listed, {buckets}")
        }
    }
}

fn call(workspace: &Workspace, environment: &Environment, session: &Session) -> Result<Smoke> {
    let function = environment.function_name();
    let operator = Operator::of_caller(workspace, session)?;
    let mut summary = Summary::default();
    let mut failure = None;
    let is_complete = operator.invoke_to_end(&function, |invocation| {
        Ok(match note(Response::read(invocation)?, &mut summary)? {
            Next::Failed(text) => {
                failure = Some(text);
                None
            }
            Next::Done => None,
            Next::Resume(token) => Some(token),
        })
    })?;
    ensure!(
        is_complete,
        "The function had not listed all accounts after {MAX_INVOCATIONS} invocations"
    );
    Ok(failure.map_or(Smoke::Completed(summary), Smoke::Failed))
}

/// What to do after an invocation.
#[derive(Debug)]
enum Next {
    Failed(String),
    Done,
    Resume(String),
}

/// Adds a response to the summary.
fn note(response: Response, summary: &mut Summary) -> Result<Next> {
    let many = match response {
        Response::Failed(error) => return Ok(Next::Failed(error.to_string())),
        Response::Single(buckets) => {
            summary.listed += 1;
            summary.buckets += buckets;
            return Ok(Next::Done);
        }
        Response::Many(many) => many,
    };
    let mut skipped = 0;
    for account in &many.accounts {
        match &account.outcome {
            AccountOutcome::Ok { buckets } => {
                summary.listed += 1;
                summary.buckets += buckets.len();
            }
            AccountOutcome::Failed(why) => {
                let text = failure(account, why);
                summary.failed.push((account.id.clone(), text));
            }
            AccountOutcome::Skipped => skipped += 1,
        }
    }
    ensure!(
        skipped == 0 || many.resume.is_some(),
        "The function skipped {skipped} accounts and returned no resume token"
    );
    Ok(many.resume.map_or(Next::Done, Next::Resume))
}

fn failure(account: &AccountResult, failure: &AccountFailure) -> String {
    let mut text = account.id.to_string();
    if let Some(name) = &account.name {
        let _ = write!(text, " ({name})");
    }
    let _ = write!(text, ": {}", failure.message);
    if let Some(hint) = &failure.hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use operator_api::Invocation;
    use serde_json::{Value, json};

    use super::*;

    fn note(body: &Value, summary: &mut Summary) -> Result<Next> {
        let invocation = Invocation {
            status_code: 200,
            function_error: None,
            payload: json!({ "statusCode": 200, "body": body.to_string() }),
        };
        super::note(Response::read(&invocation).unwrap(), summary)
    }

    #[test]
    fn single_and_many_targets_are_summarized() {
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
        let before = Before::Failed(BTreeSet::new());
        assert_eq!(
            Failures::of(&summary, &before).to_string(),
            "failed:\n000000000002 (Audit): denied\n  hint: look\n"
        );
    }

    #[test]
    fn skipped_accounts_without_a_resume_token_are_an_error() {
        let lost = json!({"accounts": [{"accountId": "000000000001", "status": "skipped"}]});
        let error = note(&lost, &mut Summary::default()).unwrap_err();
        assert!(error.to_string().contains("no resume token"), "{error}");
    }

    fn failing(accounts: std::ops::Range<usize>) -> Summary {
        let failed = accounts.map(|number| {
            let id = format!("{number:012}");
            (id.parse().unwrap(), format!("{id}: denied"))
        });
        Summary {
            listed: 290,
            buckets: 900,
            failed: failed.collect(),
        }
    }

    #[test]
    fn new_failures_are_separated_from_known_ones() {
        let summary = failing(1..4);
        let before = Before::of(Smoke::Completed(failing(2..9)));
        let failures = Failures::of(&summary, &before);
        assert_eq!(failures.new, ["000000000001: denied"]);
        assert_eq!(failures.sum(), "1 new, 2 that also failed before");
        assert_eq!(
            failures.to_string(),
            "failed:\n000000000001: denied\nalso failed before:\n000000000002: denied\n000000000003: denied\n"
        );
        let same = Before::of(Smoke::Completed(failing(1..4)));
        assert_eq!(Failures::of(&summary, &same).new.len(), 0);
    }

    #[test]
    fn every_failure_is_new_if_the_state_before_is_unknown() {
        let summary = failing(1..4);
        let failed = Before::of(Smoke::Failed("AllTargetsFailed: x\n- y".to_owned()));
        assert_eq!(failed, Before::Unknown("AllTargetsFailed: x".to_owned()));
        for before in [Before::NotDeployed, failed] {
            assert_eq!(Failures::of(&summary, &before).new.len(), 3, "{before}");
        }
    }

    #[test]
    fn a_long_list_of_failures_is_cut() {
        let before = Before::NotDeployed;
        let summary = failing(0..12);
        let told = Failures::of(&summary, &before).to_string();
        assert!(
            told.ends_with("000000000009: denied\nand 2 more\n"),
            "{told}"
        );
    }
}
