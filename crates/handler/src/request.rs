//! What a call is for: the filter of its event, and where an earlier call left off.

use std::collections::BTreeSet;

use contract::{AccountId, InvalidValue};

use crate::prefix_checksum::PassedAccounts;

/// What a call is asked to do, in terms of the stage's accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// What is listed, and how much of it is told.
    pub(crate) filter: Filter,
    /// Where an earlier call left off.
    pub(crate) resume: Option<Position>,
}

/// What is listed, and how much of it is told: the same in every call of a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// These accounts alone, at least one; all of the stage's where there is nothing.
    pub(crate) accounts: Option<BTreeSet<AccountId>>,
    /// Buckets alone whose names begin so; never empty.
    pub(crate) prefix: Option<String>,
    /// Whether region and date of creation are told as well.
    pub(crate) detail: bool,
}

/// A place in the accounts of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The account to continue with.
    pub(crate) from: AccountId,
    /// The accounts of a list before it. An organization has none: its accounts are in the order of their IDs, and come and
    /// go.
    pub(crate) passed: Option<PassedAccounts>,
}

/// Whether a bucket's name can begin so: at most 255 letters, digits, and `.`, `_` and `-`, as the oldest buckets of
/// `us-east-1` may still have them (S3 user guide, "General purpose bucket naming rules"). Empty is any name.
///
/// S3 itself would answer that there is no such bucket, which reads as if there were none.
pub(crate) fn check_prefix(text: &str) -> Result<(), InvalidValue> {
    const LONGEST: usize = 255;
    let invalid = |problem: String| Err(InvalidValue::new("bucket prefix", text, problem));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match text.chars().find(|&c| !is_allowed(c)) {
        Some(other) => invalid(format!(
            "contains `{}`, and the name of a bucket has letters, digits and . _ - alone",
            other.escape_debug()
        )),
        None if text.len() > LONGEST => invalid(format!(
            "has {} characters, and no bucket's name has more than {LONGEST}",
            text.len()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_that_a_name_can_have() {
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
