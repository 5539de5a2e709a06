//! The smoke invocation: the deployed function is called once, and every target must answer that answered before.
//!
//! A stage of many targets may need more than one call; the function says where to go on, and the answers are put
//! together here.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use anyhow::{Result, bail, ensure};
use contract::AccountId;
use operator_api::Part;

use crate::{
    inspect::{
        operator::{MAX_INVOCATIONS, Operator, Query},
        response::{AccountFailure, AccountOutcome, AccountResult, Response},
        session::Session,
    },
    sys::{
        console::{self, Step},
        workspace::Workspace,
    },
};
use environment::Environment;

/// How many of the accounts that failed are told of.
const MOST_TOLD: usize = 10;

/// What is known of the accounts that failed before a deployment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// There was no function.
    NotDeployed,
    /// The function that was deployed could not be asked: why.
    Unknown(String),
    /// It listed the others.
    Failed(BTreeSet<AccountId>),
}

impl Before {
    /// Asks the function that is deployed now, before another one takes its place.
    pub(crate) fn ask(workspace: &Workspace, environment: &Environment, session: &Session) -> Self {
        let step = Step::begin(
            "Invoking the function that is deployed, to see which targets fail already",
        );
        let before = Self::look(workspace, environment, session)
            .unwrap_or_else(|error| Self::Unknown(format!("{error:#}")));
        step.done(&before.to_string());
        before
    }

    fn look(workspace: &Workspace, environment: &Environment, session: &Session) -> Result<Self> {
        let name = environment.function_name();
        let query = Query {
            functions: vec![name.clone()],
            ..Query::default()
        };
        let deployed = Operator::of_caller(workspace, session)?.inspect(&query)?;
        Ok(match deployed.functions.get(&name) {
            Some(Part::Ok(_)) => Self::of(call(workspace, environment, session)?),
            Some(Part::Absent) => Self::NotDeployed,
            Some(Part::Unreadable(why)) => Self::Unknown(why.message.clone()),
            None => Self::Unknown("the operator does not tell of it".to_owned()),
        })
    }

    fn of(smoke: Smoke) -> Self {
        match smoke {
            Smoke::Failed(failure) => {
                Self::Unknown(failure.lines().next().unwrap_or_default().to_owned())
            }
            Smoke::Answered(summary) => {
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

/// Invokes the function and tells what it answered. An account that failed `before` as well is told and no failure; of
/// the others, `most` may fail.
///
/// # Errors
/// It fails, or more targets than that do not answer. The deployment stands.
pub(crate) fn invoke(
    workspace: &Workspace,
    environment: &Environment,
    session: &Session,
    before: &Before,
    most: usize,
) -> Result<()> {
    let step = Step::begin("Invoking the function, to see whether every target answers");
    let outcome = call(workspace, environment, session);
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
            let judged = Judged::of(&summary, before);
            console::note(judged.to_string().trim_end());
            if judged.new.len() <= most {
                step.done(&format!("{summary}; {}", judged.sum()));
                return Ok(());
            }
            drop(step);
            bail!(stands(environment, &format!("{summary}; {}", judged.sum())));
        }
    }
}

/// The accounts that failed, told apart by whether they did so before.
struct Judged<'a> {
    before: &'a Before,
    new: Vec<&'a str>,
    known: Vec<&'a str>,
}

impl<'a> Judged<'a> {
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
            Before::Failed(_) => format!("{new} new, and {known} that failed before as well"),
            Before::NotDeployed => "all new: nothing was deployed before".to_owned(),
            Before::Unknown(_) => "which of them failed before is unknown".to_owned(),
        }
    }
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, failed) in [
            ("failed", &self.new),
            ("failed before as well", &self.known),
        ] {
            if failed.is_empty() {
                continue;
            }
            writeln!(f, "{what}:")?;
            for text in failed.iter().take(MOST_TOLD) {
                writeln!(f, "{text}")?;
            }
            if failed.len() > MOST_TOLD {
                writeln!(f, "and {} more", failed.len() - MOST_TOLD)?;
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

fn stands(environment: &Environment, what: &str) -> String {
    let stage = &environment.stage;
    format!(
        "The stage is deployed, but {what}\n\
         hint: `cargo xtask doctor --env {stage}` looks for the cause; a role made within the last minute may only need \
         time (`cargo xtask invoke --env {stage}`); `cargo xtask rollback --env {stage}` goes back to the deployment before\n\
         hint: `--max-failures N` lets up to N new failures pass"
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
    /// With what is told of each.
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
        "The function still had accounts to list after {MAX_INVOCATIONS} invocations"
    );
    Ok(failure.map_or(Smoke::Answered(summary), Smoke::Failed))
}

/// What to do after a call.
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
        "The function skipped {skipped} accounts and does not say where to go on"
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
        let before = Before::Failed(BTreeSet::new());
        assert_eq!(
            Judged::of(&summary, &before).to_string(),
            "failed:\n000000000002 (Audit): denied\n  hint: look\n"
        );
    }

    #[test]
    fn what_was_skipped_and_is_not_gone_on_with_is_an_error() {
        let lost = json!({"accounts": [{"accountId": "000000000001", "status": "skipped"}]});
        let error = note(&lost, &mut Summary::default()).unwrap_err();
        assert!(error.to_string().contains("where to go on"), "{error}");
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
    fn what_failed_before_is_told_from_what_is_new() {
        let summary = failing(1..4);
        let before = Before::of(Smoke::Answered(failing(2..9)));
        let judged = Judged::of(&summary, &before);
        assert_eq!(judged.new, ["000000000001: denied"]);
        assert_eq!(judged.sum(), "1 new, and 2 that failed before as well");
        assert_eq!(
            judged.to_string(),
            "failed:\n000000000001: denied\nfailed before as well:\n000000000002: denied\n000000000003: denied\n"
        );
        let same = Before::of(Smoke::Answered(failing(1..4)));
        assert_eq!(Judged::of(&summary, &same).new.len(), 0);
    }

    #[test]
    fn what_is_not_known_of_before_makes_no_failure_a_known_one() {
        let summary = failing(1..4);
        let failed = Before::of(Smoke::Failed("AllTargetsFailed: x\n- y".to_owned()));
        assert_eq!(failed, Before::Unknown("AllTargetsFailed: x".to_owned()));
        for before in [Before::NotDeployed, failed] {
            assert_eq!(Judged::of(&summary, &before).new.len(), 3, "{before}");
        }
    }

    #[test]
    fn a_long_list_of_failures_is_cut() {
        let before = Before::NotDeployed;
        let summary = failing(0..12);
        let told = Judged::of(&summary, &before).to_string();
        assert!(
            told.ends_with("000000000009: denied\nand 2 more\n"),
            "{told}"
        );
    }
}
