//! What the function answers, as types: the one place of this side that knows its form.

use std::fmt;

use anyhow::{Context, Result};
use contract::AccountId;
use operator_api::Invocation;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

/// The answer to a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The function failed as a whole.
    Failed(FunctionError),
    /// The one target of the seed's form was listed: so many buckets.
    One(usize),
    /// What became of each of many targets.
    Many(Many),
}

/// An error of the function, or of Lambda in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FunctionError {
    /// What kind of error. Lambda itself does not always say.
    #[serde(default = "unhandled")]
    pub(crate) error_type: String,
    /// What happened, for a person.
    #[serde(default)]
    pub(crate) error_message: String,
}

fn unhandled() -> String {
    "Unhandled".to_owned()
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}

/// The answer of a stage with many targets.
#[derive(Debug, Deserialize)]
pub(crate) struct Many {
    /// The accounts of the call, in their order.
    pub(crate) accounts: Vec<Account>,
    /// What the next event carries to go on with the accounts that were skipped.
    pub(crate) resume: Option<String>,
}

/// An account in an answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    /// Its id.
    #[serde(rename = "accountId")]
    pub(crate) id: AccountId,
    /// Its name in the variables file.
    pub(crate) name: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// What became of an account.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It was listed.
    Ok {
        /// One each, whatever is told of it.
        buckets: Vec<IgnoredAny>,
    },
    /// It was not.
    Failed(Refusal),
    /// Another call is to list it.
    Skipped,
}

/// Why an account was not listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// `assume` or `list`.
    pub(crate) phase: Option<String>,
    /// What kind of failure.
    #[serde(default)]
    pub(crate) error_type: String,
    /// AWS's own code.
    pub(crate) code: Option<String>,
    /// What happened, for a person.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

impl Answer {
    /// The answer of an invocation.
    ///
    /// # Errors
    /// The function answered something else: it is another one, or another version of this one.
    pub(crate) fn read(invocation: &Invocation) -> Result<Self> {
        let payload = &invocation.payload;
        if invocation.function_error.is_some() {
            let error = FunctionError::deserialize(payload).unwrap_or_else(|_| FunctionError {
                error_type: unhandled(),
                error_message: payload.to_string(),
            });
            return Ok(Self::Failed(error));
        }
        Self::of(payload)
            .with_context(|| format!("The function answered something else: {payload}"))
    }

    fn of(payload: &Value) -> Result<Self> {
        let body = payload["body"].as_str().context("It has no body")?;
        let body: Value = serde_json::from_str(body)?;
        Ok(match body.as_array() {
            Some(buckets) => Self::One(buckets.len()),
            None => Self::Many(Many::deserialize(&body)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(function_error: Option<&str>, payload: Value) -> Result<Answer> {
        Answer::read(&Invocation {
            status_code: 200,
            function_error: function_error.map(ToOwned::to_owned),
            payload,
        })
    }

    fn body(body: &Value) -> Result<Answer> {
        read(None, json!({ "statusCode": 200, "body": body.to_string() }))
    }

    #[test]
    fn the_answers_of_both_forms() {
        assert!(matches!(body(&json!(["a", "b"])), Ok(Answer::One(2))));
        let Answer::Many(many) = body(&json!({"complete": false, "resume": "on", "accounts": [
            {"accountId": "000000000001", "status": "ok", "buckets": ["a", {"name": "b"}], "durationMs": 4},
            {"accountId": "000000000002", "name": "Audit", "status": "failed", "phase": "assume",
             "errorType": "AssumeRoleDenied", "code": "AccessDenied", "message": "denied", "hint": "look",
             "buckets": ["a"], "partial": true},
            {"accountId": "000000000003", "status": "skipped", "reason": "deadline"}]}))
        .unwrap() else {
            panic!("there are many accounts");
        };
        assert_eq!(many.resume.as_deref(), Some("on"));
        let [listed, failed, skipped] = many.accounts.as_slice() else {
            panic!("there are three");
        };
        assert!(matches!(&listed.outcome, Outcome::Ok { buckets } if buckets.len() == 2));
        assert_eq!(failed.name.as_deref(), Some("Audit"));
        let Outcome::Failed(refusal) = &failed.outcome else {
            panic!("it failed");
        };
        assert_eq!(refusal.error_type, "AssumeRoleDenied");
        assert_eq!(refusal.code.as_deref(), Some("AccessDenied"));
        assert_eq!(refusal.phase.as_deref(), Some("assume"));
        assert_eq!(refusal.hint.as_deref(), Some("look"));
        assert!(matches!(skipped.outcome, Outcome::Skipped));
    }

    #[test]
    fn an_error_is_told_whoever_words_it() {
        for (payload, told) in [
            (
                json!({"errorType": "AssumeRoleDenied", "errorMessage": "no"}),
                "AssumeRoleDenied: no",
            ),
            (
                json!({"errorMessage": "Task timed out after 3.00 seconds"}),
                "Unhandled: Task timed out after 3.00 seconds",
            ),
            (json!("oops"), "Unhandled: \"oops\""),
        ] {
            let Ok(Answer::Failed(error)) = read(Some("Unhandled"), payload) else {
                panic!("it failed");
            };
            assert_eq!(error.to_string(), told);
        }
    }

    #[test]
    fn nothing_else_passes_for_an_answer() {
        for payload in [
            json!(null),
            json!({}),
            json!({"body": "x"}),
            json!({"body": "{}"}),
            json!({"body": {"accounts": []}}),
            json!({"body": "{\"accounts\":[{\"accountId\":\"1\",\"status\":\"skipped\"}]}"}),
            json!({"body": "{\"accounts\":[{\"accountId\":\"000000000001\",\"status\":\"lost\"}]}"}),
        ] {
            let error = read(None, payload.clone()).unwrap_err();
            assert!(
                error.to_string().contains("something else"),
                "{payload}: {error}"
            );
        }
    }
}
