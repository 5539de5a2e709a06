//! Assumes a role in a Target account and lists that account's S3 buckets.
//!
//! The data flows one way: a [`Target`] → a session (STS, `AssumeRole`) → its buckets (S3,
//! `ListBuckets`) → a [`Listing`], or a [`Failure`] that says in which [`Phase`] what went wrong, in AWS's own words, and
//! what a person could look at. The targets of an organization come from it itself: [`organization_targets`].
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
//! [`Clients`] is built once in a process and serves every call and every target: one HTTP client, one STS client, one
//! S3 client a region, and a cache of the sessions, about two kilobytes a target. That is what makes a warm call cheap (no
//! request to STS, no new connection) and lets thousands of targets share one process.
//!
//! [`fan_out`] lists many targets in one call, and stops in time.
//!
//! # Invariants
//! - The two phases fail apart: credentials are asked for first, and only then does the S3 client see them. A provider
//!   inside the S3 client would turn STS's refusal into a connection error with the cause buried.
//! - A session may list buckets and nothing else, whatever its role may: it is issued with a session policy, unless
//!   [that is turned off](Clients::with_session_policy).
//! - The S3 client has no credentials of its own. A listing whose session was forgotten fails; the account that the
//!   process itself belongs to is listed with its own credentials only where the target says so
//!   ([`Access::Own`](contract::Access::Own)).
//! - Nothing is listed for another account than the target's. A session says whose it is, and is refused where it is
//!   another's. The process's own credentials say so only where their source names their account, which a Lambda's
//!   environment does not: who makes such a target says so ([`FanOutOptions::own_account`]).
//! - What outlives a call was checked before it was kept, and a panic that concerns an account drops what it may have left
//!   half-changed: its session, and its region's clients.
//! - Nothing printed by `Debug` or `Display` holds a secret: an SDK error, which may carry the raw answer of STS, never
//!   leaves this crate.
//!
//! What is *not* here: Lambda, environment variables, printing, and the choice of targets but for those of an
//! organization. Loading an `SdkConfig` is the caller's too (the crate `aws-config`), with [`http_client`] as its HTTP
//! client.

mod account_time;
mod assume;
mod budget;
mod cause;
mod clients;
mod clock;
mod credentials;
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
