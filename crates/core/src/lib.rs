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

mod assume;
mod attempts;
mod buckets;
mod cause;
mod clients;
mod clock;
mod complete;
mod failure;
mod fan_out;
mod hint;
mod http;
mod limits;
mod list;
mod organization;
mod own_time;
mod pacer;
mod page;
mod panics;
mod room;
mod roots;
mod session;
mod xml;

use std::time::Duration;

use contract::Target;
use tokio::time::Instant;

pub use aws_smithy_types::DateTime;
pub use buckets::{Bucket, Buckets};
pub use cause::Cause;
pub use clients::{Clients, ConfigurationError};
pub use failure::{Failure, FailureKind, Phase};
pub use fan_out::{Answer, Answers, FanOutOptions, Outcome, SkipReason, fan_out};
pub use http::http_client;
pub use limits::Limits;
pub use organization::{no_time_left, organization_targets};
pub use panics::catch_panic;
pub use roots::{Roots, RootsError};

use list::list;
use own_time::OwnTime;
use room::{Room, Seat};
use session::Origin;

/// The buckets of one account, and how long it took to get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Every bucket of the account, each once, in the order S3 gave them.
    pub buckets: Buckets,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time of a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// How long it took to get a session from STS; `None` where a cached one was used. The sum where two were needed.
    pub assume: Option<Duration>,
    /// How long the listing took, all pages together.
    pub list: Duration,
    /// How many pages the listing had: at least 1.
    pub pages: u32,
}

/// Lists the buckets of `target`.
///
/// With the process's own credentials, where the target says so: STS is not asked then, and what they are refused is
/// told as the caller's own failure. A cached session is used where there is one. Where S3 says that it has expired,
/// does not know it, or denies it what it has not denied it from the beginning (it may have been revoked), it is dropped, and
/// assuming and listing are tried once more, from the first page.
///
/// `deadline` is when the call must have ended: what is under way then fails with [`FailureKind::Timeout`] in its
/// phase, or with [`FailureKind::Throttled`] where it waited for its turn at STS. Without one, only the timeouts and attempts of [`Limits`] bound the call.
///
/// # Errors
/// A [`Failure`] with its phase and [`FailureKind`].
pub async fn list_buckets(
    clients: &Clients,
    target: &Target,
    deadline: Option<Instant>,
) -> Result<Listing, Failure> {
    list_buckets_with_prefix(clients, target, None, usize::MAX, deadline).await
}

/// [`list_buckets`], of the buckets whose names begin with `prefix`; S3 chooses them. Where their names have more than
/// `most_name_bytes` together, the account fails as soon as that is known: its other pages are not requested.
///
/// # Errors
/// As for [`list_buckets`], and [`FailureKind::ResponseTooLarge`].
pub async fn list_buckets_with_prefix(
    clients: &Clients,
    target: &Target,
    prefix: Option<&str>,
    most_name_bytes: usize,
    deadline: Option<Instant>,
) -> Result<Listing, Failure> {
    let wanted = Wanted {
        prefix,
        most_name_bytes,
        bucket_bytes: None,
        seat: &Room::unlimited().seat(0),
    };
    list_target(clients, target, wanted, &OwnTime::until(deadline)).await
}

/// What is wanted of an account.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    /// How the buckets' names begin.
    prefix: Option<&'a str>,
    /// How long their names may be together.
    most_name_bytes: usize,
    /// About how many bytes of the answer each takes beside its name, where that is known.
    bucket_bytes: Option<usize>,
    /// Where to wait for room.
    seat: &'a Seat,
}

async fn list_target(
    clients: &Clients,
    target: &Target,
    wanted: Wanted<'_>,
    time: &OwnTime<'_>,
) -> Result<Listing, Failure> {
    // What there was when the first session ended.
    let mut before = Buckets::default();
    let mut timings = Timings::default();
    let mut first = true;
    loop {
        let started = Instant::now();
        let session = clients.session(target, time.waits());
        let session = panics::of_target(clients, target, Phase::Assume, session);
        // Boxed, both: they are large, and would be there twice.
        let session = time
            .within(Box::pin(session))
            .await
            .unwrap_or_else(|ended| {
                let phase = target.role().map_or(Phase::List, |_| Phase::Assume);
                Err(clients.failure(phase, target).ended(ended))
            });
        let (session, origin) = match session {
            Ok(session) => session,
            Err(failure) => return Err(failure.with_partial(before)),
        };
        if origin == Origin::Assumed {
            *timings.assume.get_or_insert_default() += started.elapsed();
        }

        let started = Instant::now();
        let mut buckets = Buckets::default();
        let waits = time.waits();
        let listed = list(clients, target, &session, wanted, waits, &mut buckets);
        let listed = panics::of_target(clients, target, Phase::List, listed);
        let listed = time
            .within(Box::pin(listed))
            .await
            .unwrap_or_else(|ended| Err(clients.failure(Phase::List, target).ended(ended)));
        timings.list += started.elapsed();
        buckets.remove_repeated();
        let failure = match listed {
            Ok(pages) => {
                timings.pages = pages;
                return Ok(Listing { buckets, timings });
            }
            Err(failure) => failure,
        };
        let session_is_over = match failure.kind() {
            // The process's own credentials are not this crate's to renew.
            _ if target.role().is_none() => false,
            FailureKind::ExpiredCredentials => true,
            // A kept session may have been revoked, and a new one is good at once: refused, it will be refused again.
            FailureKind::ListBucketsDenied | FailureKind::CredentialsRejected => {
                if origin == Origin::Assumed {
                    clients.refused(target, &session, &failure);
                }
                first
                    && origin == Origin::Cache
                    && !failure.is_of_the_clock()
                    && !session.was_refused(&failure)
            }
            _ => false,
        };
        if session_is_over {
            clients.discard(target, &session);
        }
        if !(session_is_over && first) {
            let most = if buckets.len() < before.len() {
                before
            } else {
                buckets
            };
            return Err(failure.with_partial(most));
        }
        before = buckets;
        tracing::debug!(account = %target.account, kind = %failure.kind(), "the session is over: assuming the role again");
        first = false;
    }
}
