//! Parses the response of the deployed function.

use std::fmt;

use anyhow::{Context, Result};
use contract::AccountId;
use operator_api::Invocation;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

/// The response to an invocation.
#[derive(Debug)]
pub(crate) enum Response {
    /// The invocation failed as a whole.
    Failed(FunctionError),
    /// The number of buckets, of a stage in single-account form.
    Single(usize),
    /// One result per account, of a stage with many targets.
    Many(AccountResults),
}

/// An error of the function, or of Lambda on its behalf.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FunctionError {
    /// The kind of error; Lambda itself sometimes omits it.
    #[serde(default = "unhandled")]
    pub(crate) error_type: String,
    /// The error message.
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

/// The response of a stage with many targets.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountResults {
    /// The results, in the order of the accounts.
    pub(crate) accounts: Vec<AccountResult>,
    /// The resume token for the next event, if accounts were skipped.
    pub(crate) resume: Option<String>,
}

/// The result of one account.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountResult {
    /// The account's ID.
    #[serde(rename = "accountId")]
    pub(crate) id: AccountId,
    /// The account's name in the variables file.
    pub(crate) name: Option<String>,
    /// The outcome: listed, failed or skipped.
    #[serde(flatten)]
    pub(crate) outcome: AccountOutcome,
}

/// The outcome of one account.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum AccountOutcome {
    /// The account was listed.
    Ok {
        /// One entry per bucket, whatever its detail.
        buckets: Vec<IgnoredAny>,
    },
    /// The account could not be listed.
    Failed(AccountFailure),
    /// The next invocation lists the account.
    Skipped,
}

/// The reason why an account could not be listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountFailure {
    /// `assume` or `list`.
    pub(crate) phase: Option<String>,
    /// The kind of failure.
    #[serde(default)]
    pub(crate) error_type: String,
    /// AWS's error code.
    pub(crate) code: Option<String>,
    /// The error message.
    pub(crate) message: String,
    /// How to fix it, if that is known.
    pub(crate) hint: Option<String>,
}

impl Response {
    /// Parses the response to an invocation.
    ///
    /// # Errors
    /// The response has another form: this is another function, or another version of this one.
    pub(crate) fn read(invocation: &Invocation) -> Result<Self> {
        let payload = &invocation.payload;
        if invocation.function_error.is_some() {
            let error = FunctionError::deserialize(payload).unwrap_or_else(|_| FunctionError {
                error_type: unhandled(),
                error_message: payload.to_string(),
            });
            return Ok(Self::Failed(error));
        }
        Self::of_payload(payload)
            .with_context(|| format!("The function returned an unexpected response: {payload}"))
    }

    fn of_payload(payload: &Value) -> Result<Self> {
        let body = payload["body"].as_str().context("It has no body")?;
        let body: Value = serde_json::from_str(body)?;
        Ok(match body.as_array() {
            Some(buckets) => Self::Single(buckets.len()),
            None => Self::Many(AccountResults::deserialize(&body)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(function_error: Option<&str>, payload: Value) -> Result<Response> {
        Response::read(&Invocation {
            status_code: 200,
            function_error: function_error.map(ToOwned::to_owned),
            payload,
        })
    }

    fn body(body: &Value) -> Result<Response> {
        read(None, json!({ "statusCode": 200, "body": body.to_string() }))
    }

    #[test]
    fn both_forms_are_parsed() {
        assert!(matches!(body(&json!(["a", "b"])), Ok(Response::Single(2))));
        let Response::Many(many) = body(&json!({"complete": false, "resume": "on", "accounts": [
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
        assert!(matches!(&listed.outcome, AccountOutcome::Ok { buckets } if buckets.len() == 2));
        assert_eq!(failed.name.as_deref(), Some("Audit"));
        let AccountOutcome::Failed(failure) = &failed.outcome else {
            panic!("it failed");
        };
        assert_eq!(failure.error_type, "AssumeRoleDenied");
        assert_eq!(failure.code.as_deref(), Some("AccessDenied"));
        assert_eq!(failure.phase.as_deref(), Some("assume"));
        assert_eq!(failure.hint.as_deref(), Some("look"));
        assert!(matches!(skipped.outcome, AccountOutcome::Skipped));
    }

    #[test]
    fn errors_of_the_function_and_of_lambda_are_parsed() {
        for (payload, expected) in [
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
            let Ok(Response::Failed(error)) = read(Some("Unhandled"), payload) else {
                panic!("it failed");
            };
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn other_responses_are_rejected() {
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
                error.to_string().contains("unexpected response"),
                "{payload}: {error}"
            );
        }
    }
}
