//! Turns the result of a request into a [`Part`].

use anyhow::{Error, Result};
use operator_api::{Part, Unreadable};

use crate::failure::AwsFailure;

/// An error that AWS returns inside a successful response.
pub(super) fn embedded(code: Option<&str>, message: Option<&str>) -> Unreadable {
    Unreadable {
        code: code.unwrap_or("Failed").to_owned(),
        message: message.unwrap_or("AWS gives no reason").to_owned(),
        hint: None,
    }
}

/// The part that a request results in; AWS's "no such" errors are [`Part::Absent`].
pub(super) fn of<T>(result: Result<T>) -> Part<T> {
    match result {
        Ok(value) => Part::Ok(value),
        Err(error) if failure(&error).is_some_and(AwsFailure::is_absent) => Part::Absent,
        Err(error) => Part::Unreadable(unreadable(&error)),
    }
}

/// As [`of`], where `None` is [`Part::Absent`].
pub(super) fn of_option<T>(result: Result<Option<T>>) -> Part<T> {
    match result {
        Ok(Some(value)) => Part::Ok(value),
        Ok(None) => Part::Absent,
        Err(error) => of(Err(error)),
    }
}

/// The reason, from an error of any command.
pub(super) fn unreadable(error: &Error) -> Unreadable {
    let failure = failure(error);
    Unreadable {
        code: failure.map_or("Failed", AwsFailure::code).to_owned(),
        message: format!("{error:#}"),
        hint: failure.and_then(AwsFailure::hint).map(str::to_owned),
    }
}

fn failure(error: &Error) -> Option<&AwsFailure> {
    error.chain().find_map(|cause| cause.downcast_ref())
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
            to_value(of_option::<()>(Ok(None))).unwrap(),
            json!({"absent": true})
        );
        assert_eq!(
            to_value(of::<()>(Err(anyhow!("no JSON").context("a policy")))).unwrap(),
            json!({"unreadable": {"code": "Failed", "message": "a policy: no JSON", "hint": null}})
        );
    }
}
