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
//! It supports six actions: STS's `AssumeRole` and `GetCallerIdentity`, S3's `ListBuckets`, and Organizations' `ListAccounts`,
//! `ListAccountsForParent` and `ListChildren`. Credentials that it did not issue are the caller's. It checks what tests
//! rely on: that it issued a session's access key and token and did not revoke them, and the limits of `ListBuckets`.
//! Sessions need no storage: the access key contains account and number.
//!
//! It runs on its own thread, independent of a test's runtime and clock. With the feature `in-memory`, it can also run
//! without thread and socket, as the HTTP client of the SDK's clients, in the time of their runtime: on a paused clock,
//! an hour of deadlines, quotas and expiring sessions takes milliseconds.
//!
//! Not here: TLS, checks of signatures, policies (faults deny requests), and created buckets (they are numbered).

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
