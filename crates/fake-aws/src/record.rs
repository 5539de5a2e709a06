//! Recorded requests and counts.

use crate::query::Query;

/// An action that the services support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// STS: issues a session of a role.
    AssumeRole,
    /// STS: returns the caller.
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

/// A received request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The action.
    pub action: Action,
    /// The account of the role or, for other actions, of the credentials.
    pub account: String,
    /// The access key that it was signed with.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
    /// The number of its connection, from 1.
    pub connection: u64,
    pub(crate) query: Query,
}

impl Request {
    /// A parameter as the protocol names it (`ExternalId`, `Policy`, `max-buckets`, `ParentId`), if it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }
}

/// The number of requests since the start or the last
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
