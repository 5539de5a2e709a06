//! Assumes a role in a Target account and lists that account's S3 buckets.
//!
//! Data flows one way: a [`Target`](contract::Target) → a session (STS, `AssumeRole`) → its buckets (S3,
//! `ListBuckets`) → a [`Listing`], or a [`Failure`] with its [`Phase`], AWS's message and a hint.
//! [`organization_targets`] returns the targets of an organization.
//!
//! ```no_run
//! # async fn example(config: aws_types::SdkConfig, target: contract::Target) -> Result<(), Box<dyn std::error::Error>> {
//! let clients = cross_account::Clients::new(&config)?;
//! let listing = cross_account::list_buckets(&clients, &target, None).await?;
//! println!("{} buckets", listing.buckets.len());
//! # Ok(())
//! # }
//! ```
//!
//! [`Clients`] is built once per process and serves every invocation and target. It has one HTTP client, one STS and
//! one S3 client per region, and a cache of sessions with about two kilobytes per target. A warm invocation therefore
//! needs no request to STS and no new connection, and thousands of targets share one process.
//!
//! [`fan_out()`] lists many targets in one invocation and stops before the deadline.
//!
//! # Invariants
//! - The two phases fail separately: credentials are obtained first, and only then passed to the S3 client. A provider
//!   inside the S3 client would turn a denial by STS into a connection error and hide the cause.
//! - A session may list buckets and nothing else, whatever its role allows, because it is issued with a session policy,
//!   unless [that is turned off](Clients::with_session_policy).
//! - The S3 client has no credentials of its own. Listing with a session that is missing fails. The process's own
//!   credentials list an account only if the target says so ([`Access::Own`](contract::Access::Own)).
//! - Only the target's account is listed. STS's response names the account of a session, and one of another account is
//!   rejected. The process's own credentials name their account only if their source does, and a Lambda function's
//!   environment does not: the caller then sets [`FanOutOptions::own_account`].
//! - Only checked data outlives an invocation. A panic drops the state that it may have left inconsistent: the
//!   account's session and its region's clients.
//! - `Debug` and `Display` show no secrets. An SDK error, which may contain the raw response of STS, never leaves this
//!   crate.
//!
//! Lambda, environment variables and printing belong to the callers, as does the choice of targets outside an
//! organization. The caller also loads the `SdkConfig` (crate `aws-config`), with [`http_client`] as its HTTP client.

mod account_time;
mod assume;
mod budget;
mod cause;
mod clients;
mod clock;
mod credentials;
mod denied_by;
mod failure;
mod fan_out;
mod hint;
mod http;
mod kind;
mod limits;
mod organization;
mod organization_cache;
mod panics;
mod rate_limiter;
mod retry;
mod roots;
mod s3;
mod session;
mod whole_response;
mod xml;

pub use aws_smithy_types::DateTime;
pub use cause::Cause;
pub use clients::{Clients, ConfigurationError};
pub use denied_by::DeniedBy;
pub use failure::Failure;
pub use fan_out::{AccountOutcome, FanOutOptions, FanOutResult, Outcome, SkipReason, fan_out};
pub use http::http_client;
pub use kind::{FailureKind, Phase};
pub use limits::Limits;
pub use organization::{no_time_left, organization_targets};
pub use panics::catch_panic;
pub use roots::{Roots, RootsError};
pub use s3::{
    buckets::{Bucket, Buckets},
    list_buckets::{Listing, Timings, list_buckets, list_buckets_with_prefix},
};
