//! IAM policy documents: parse, evaluate, compare.
//!
//! - [`Document`] parses every form that IAM accepts and writes one.
//! - [`evaluate`] decides what a policy says about a request.
//! - [`new_access`] finds what one policy allows and another does not.
//!
//! Everything is a pure function of the policies: no file, no network. The crate knows single policies only. The caller
//! decides which policies a role has, and what else limits them.
//!
//! # Invariants
//!
//! - **"No new access" is a promise.** If [`new_access`] finds nothing, there is no request that the new policy allows and
//!   the old policy does not. If that is uncertain, it reports new access. `tests/no_new_access` checks this promise with
//!   random policies against an evaluator that shares no code with this crate.
//! - **Unknown is never good news.** Elements and versions that this crate does not know are errors when a document is
//!   parsed. Operators that it does not know, and context keys without a known value, make a decision
//!   [`Unknown`](Decision::Unknown).
//! - **Where the IAM user guide is ambiguous, both readings must agree.** Otherwise the result is unknown, or new access.
//!
//! ```
//! use iam_policy::{Document, new_access};
//!
//! let old = Document::parse(r#"{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}"#)?;
//! let new = Document::parse(r#"{"Statement": [
//!     {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["*"]},
//!     {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
//! ]}"#)?;
//! let found: Vec<String> = new_access(&old, &new).iter().map(ToString::to_string).collect();
//! assert_eq!(found, ["statement 2: `s3:ListAllMyBuckets` is allowed on all resources"]);
//! # Ok::<(), iam_policy::DocumentError>(())
//! ```

mod condition;
mod document;
mod evaluate;
mod new_access;
mod pattern;

pub use document::{Condition, Document, DocumentError, Effect, Principal, Set, Statement};
pub use evaluate::{Caller, Context, Decision, Mismatch, NonMatch, Request, evaluate};
pub use new_access::{NewAccess, NewAccessKind, is_same_access, new_access};

use pattern::Pattern;

impl Statement {
    /// Returns true if the statement may match actions of a service, such as `sts`.
    pub fn may_match_service(&self, service: &str) -> bool {
        let service = Pattern::action(&format!("{service}:*"));
        match &self.actions {
            Set::Only(actions) => actions
                .iter()
                .any(|action| Pattern::action(action).overlaps(&service)),
            Set::Except(_) => true,
        }
    }
}
