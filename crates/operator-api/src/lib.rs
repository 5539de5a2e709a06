//! The results of `operator`'s subcommands, one JSON object each.
//!
//! `operator` writes these types and `xtask` reads them, so the two cannot drift apart. Keys are in camel case. Times that
//! AWS reports are strings in RFC 3339; durations are in seconds. A value that AWS left out is `null`.
//!
//! Not here: the AWS SDK, which only `operator` links, and any judgement of what was read.

mod caller;
mod change_set;
mod snapshot;

pub use caller::{Credentials, Identity, Keys};
pub use change_set::{
    Applied, ApplyAction, Change, ChangeSetArn, DeleteAction, Deleted, DiscardAction, Discarded,
    PlanKind, Planned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use snapshot::{
    Boundary, DeployedFunction, DeployedRole, DeployedStack, Part, Snapshot, Unreadable,
};

/// The result of `fetch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The size of the object, in bytes.
    pub size: usize,
}

/// The result of `invoke`. A failure of the function itself is a result too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    /// The HTTP status of the request: 200.
    pub status_code: i32,
    /// `Unhandled` or `Handled` if the function failed; the payload then has `errorType` and `errorMessage`.
    pub function_error: Option<String>,
    /// The function's response: `null` if it is empty, a string if it is not JSON.
    pub payload: Value,
}
