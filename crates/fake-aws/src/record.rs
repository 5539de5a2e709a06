//! What was asked of the services.

use crate::query::Query;

/// A call that the services know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// STS: a session of a role.
    AssumeRole,
    /// STS: who is asking.
    GetCallerIdentity,
    /// S3: a page of buckets.
    ListBuckets,
    /// Organizations: a page of accounts.
    ListAccounts,
    /// Organizations: a page of the accounts in a unit.
    ListAccountsForParent,
    /// Organizations: a page of the units in a unit.
    ListChildren,
}

/// A request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What was asked for.
    pub action: Action,
    /// The account it concerns: the role's, or that of the credentials.
    pub account: String,
    /// The access key that it was signed with.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
    /// The connection it came on, counted from 1.
    pub connection: u64,
    pub(crate) query: Query,
}

impl Request {
    /// A parameter as the protocol names it (`ExternalId`, `Policy`, `max-buckets`, `ParentId`), where it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }
}

/// How much was asked of the services since the start, or since the last
/// [`FakeAws::reset_counts`](crate::FakeAws::reset_counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests for `AssumeRole`.
    pub assume: u64,
    /// Requests for a page of `ListBuckets`.
    pub list: u64,
    /// Requests to Organizations.
    pub organization: u64,
    /// Connections accepted.
    pub connections: u64,
}
