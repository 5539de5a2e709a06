//! IAM policy documents: read, evaluate, compare.

mod condition;
mod document;
mod evaluate;
mod new_access;
mod pattern;
#[cfg(test)]
mod property;

pub use document::{Condition, Document, DocumentFault, Effect, Principal, Set, Statement};
pub use evaluate::{Answer, Caller, Facts, Mismatch, Miss, Request, evaluate};
pub use new_access::{Broadening, Kind, broadening, is_same_access};

use pattern::Pattern;

/// Whether some of the actions may be of a service, such as `sts`.
pub fn is_for(actions: &Set<String>, service: &str) -> bool {
    let all_of_it = Pattern::action(&format!("{service}:*"));
    match actions {
        Set::Only(actions) => actions
            .iter()
            .any(|action| Pattern::action(action).overlaps(&all_of_it)),
        Set::Except(_) => true,
    }
}
