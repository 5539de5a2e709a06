//! Development only: a fast, in-process STS, S3 and Organizations on loopback, with configurable faults and latency.
//!
//! ```
//! use fake_aws::{Account, FakeAws, Fault};
//!
//! let fake = FakeAws::builder()
//!     .account("222222222222", Account::new().buckets(2_500).page_cap(1_000))
//!     .account("333333333333", Account::new().always_on_assume(Fault::Denied))
//!     .start()?;
//! println!("AWS_ENDPOINT_URL={}", fake.endpoint());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It knows six calls: STS's `AssumeRole` and `GetCallerIdentity`, S3's `ListBuckets`, and Organizations' `ListAccounts`,
//! `ListAccountsForParent` and `ListChildren`. Any other credentials than
//! those it issued itself are the caller's. What it checks is what tests rely on: that a session's access key and token
//! are ones it issued and not revoked, which tells the account, and the limits of `ListBuckets`. Sessions need no memory:
//! account and number stand in the access key.
//!
//! It runs on a thread of its own, so that neither a test's runtime nor its clock matters to it. With the feature
//! `in-memory` it can do without thread and socket as well, as the HTTP client of the SDK's clients, in the time of the
//! runtime that asks: on a paused clock, an hour of deadlines, quotas and expiring sessions takes milliseconds.
//!
//! What is *not* here: TLS, signatures (they are not checked), policies (a fault says who is refused), and any
//! state: an account's buckets are numbered, not created. It is for tests and benchmarks, and is never shipped.

mod account;
mod body;
mod fault;
#[cfg(feature = "in-memory")]
mod in_memory;
mod latency;
mod organization;
mod organizations;
mod query;
mod record;
mod router;
mod s3;
mod server;
mod service;
mod session;
mod sts;
mod timestamp;
mod world;

pub use account::Account;
pub use fault::Fault;
#[cfg(feature = "in-memory")]
pub use in_memory::Latency;
pub use organization::Organization;
pub use record::{Action, Counts, Request};
pub use server::{Builder, FakeAws};
