//! One thing that was asked for: there, not there, or not to be read.

use anyhow::{Error, Result};
use serde::{Serialize, Serializer};

use crate::failure::AwsFailure;

/// The result of asking AWS for one thing: `{"ok": …}`, `{"absent": true}` or `{"unreadable": {…}}`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Part<T> {
    Ok(T),
    /// AWS says that there is no such thing.
    #[serde(serialize_with = "true_")]
    Absent,
    /// Whether there is one is not known.
    Unreadable(Unreadable),
}

/// Why a thing could not be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Unreadable {
    code: String,
    message: String,
    hint: Option<String>,
}

impl Unreadable {
    /// A refusal that AWS puts into an answer instead of an error.
    pub(crate) fn told(code: Option<&str>, message: Option<&str>) -> Self {
        Self {
            code: code.unwrap_or("Failed").to_owned(),
            message: message.unwrap_or("AWS gives no reason").to_owned(),
            hint: None,
        }
    }
}

impl<T> Part<T> {
    /// `None` is absent.
    pub(crate) fn from_option(result: Result<Option<T>>) -> Self {
        match result {
            Ok(Some(value)) => Self::Ok(value),
            Ok(None) => Self::Absent,
            Err(error) => Err(error).into(),
        }
    }
}

impl<T> From<Result<T>> for Part<T> {
    fn from(result: Result<T>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(error) if failure(&error).is_some_and(AwsFailure::is_absent) => Self::Absent,
            Err(error) => Self::Unreadable((&error).into()),
        }
    }
}

impl From<&Error> for Unreadable {
    fn from(error: &Error) -> Self {
        let failure = failure(error);
        Self {
            code: failure.map_or("Failed", AwsFailure::code).to_owned(),
            message: format!("{error:#}"),
            hint: failure.and_then(AwsFailure::hint).map(str::to_owned),
        }
    }
}

fn failure(error: &Error) -> Option<&AwsFailure> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn true_<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(true)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn each_result_has_its_form() {
        assert_eq!(to_value(Part::Ok(1)).unwrap(), json!({"ok": 1}));
        assert_eq!(
            to_value(Part::<()>::from_option(Ok(None))).unwrap(),
            json!({"absent": true})
        );
        assert_eq!(
            to_value(Part::<()>::from(
                Err(anyhow!("no JSON").context("a policy"))
            ))
            .unwrap(),
            json!({"unreadable": {"code": "Failed", "message": "a policy: no JSON", "hint": null}})
        );
    }
}
