//! The request of an invocation: what to list, and where an earlier invocation stopped.

use std::collections::BTreeSet;

use contract::{AccountId, InvalidValue};

use crate::prefix_checksum::PassedAccounts;

/// The request of an invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// What to list.
    pub(crate) filter: Filter,
    /// Where an earlier invocation stopped.
    pub(crate) resume: Option<Position>,
}

/// What to list; the same for all invocations that continue each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// At least one account, or `None` for all accounts of the stage.
    pub(crate) accounts: Option<BTreeSet<AccountId>>,
    /// The prefix of the bucket names; never empty.
    pub(crate) prefix: Option<String>,
    /// Return the region and creation date of each bucket, too.
    pub(crate) detail: bool,
}

/// A position in the accounts of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The account to continue with.
    pub(crate) from: AccountId,
    /// The accounts before it in a list. `None` for an organization, whose accounts come and go and are ordered by ID.
    pub(crate) passed: Option<PassedAccounts>,
}

/// Checks that a bucket name can start with `text`: at most 255 letters, digits, `.`, `_` and `-`, which the oldest buckets
/// of `us-east-1` may still have (S3 user guide, "General purpose bucket naming rules"). Every name starts with an empty
/// prefix.
///
/// S3 would return an empty list for an invalid prefix, as if there were no such bucket.
///
/// # Errors
/// No bucket name can start with `text`.
pub(crate) fn check_prefix(text: &str) -> Result<(), InvalidValue> {
    const MAX_LENGTH: usize = 255;
    let invalid = |problem: String| Err(InvalidValue::new("bucket prefix", text, problem));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match text.chars().find(|&c| !is_allowed(c)) {
        Some(other) => invalid(format!(
            "contains `{}`; bucket names have only letters, digits and . _ -",
            other.escape_debug()
        )),
        None if text.len() > MAX_LENGTH => invalid(format!(
            "has {} characters; bucket names have at most {MAX_LENGTH}",
            text.len()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_checked_as_a_name_is() {
        let longest = "x".repeat(255);
        for prefix in ["", "a", "Logs_2026.", "-", &longest] {
            assert_eq!(check_prefix(prefix), Ok(()), "{prefix}");
        }
        let longer = "x".repeat(256);
        for prefix in [" ", "a*", "a/b", "ä", "a\n", "{}", &longer] {
            assert!(check_prefix(prefix).is_err(), "{prefix}");
        }
    }
}
