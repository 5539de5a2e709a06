//! Lists the buckets of one target.

use std::time::Duration;

use contract::Target;
use tokio::time::Instant;

use super::{
    buckets::Buckets,
    pages::{ListRequest, list},
};
use crate::{
    account_time::AccountTime,
    budget::Budget,
    clients::Clients,
    credentials::credentials,
    failure::Failure,
    kind::{FailureKind, Phase},
    panics,
    session::Origin,
};

/// The buckets of one account, and the time it took to list them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Every bucket of the account, without duplicates, in the order of S3's response.
    pub buckets: Buckets,
    /// The durations of the phases.
    pub timings: Timings,
}

/// The durations of the phases of one listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// The time to get a session from STS; `None` if it was cached. The sum if two were needed.
    pub assume: Option<Duration>,
    /// The time to list the buckets, all pages together.
    pub list: Duration,
    /// The number of pages, at least 1.
    pub pages: u32,
}

/// Lists the buckets of `target`.
///
/// If the target says so, the process's own credentials list it, and STS is not called. Otherwise a session is used,
/// from the cache if possible. If S3 reports that a cached session is expired or unknown, or denies what it did not
/// deny when the session was new (it may have been revoked), the session is replaced once and the listing starts again
/// from the first page.
///
/// At `deadline`, requests in flight are canceled, and the listing fails with [`FailureKind::Timeout`] in its phase, or
/// with [`FailureKind::Throttled`] if the STS rate limiter held it back. Without a deadline, only the timeouts and
/// attempts of [`Limits`](crate::Limits) apply.
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

/// Lists the buckets of `target` whose names begin with `prefix`, like [`list_buckets`]. S3 applies the prefix. The
/// account fails as soon as its names are known to have more than `max_name_bytes` in total, without requesting its
/// other pages.
///
/// # Errors
/// Like [`list_buckets`], and [`FailureKind::ResponseTooLarge`].
pub async fn list_buckets_with_prefix(
    clients: &Clients,
    target: &Target,
    prefix: Option<&str>,
    max_name_bytes: usize,
    deadline: Option<Instant>,
) -> Result<Listing, Failure> {
    let wanted = ListRequest {
        prefix,
        max_name_bytes,
        bucket_bytes: None,
        reservation: &Budget::unlimited().reservation(0),
    };
    list_target(clients, target, wanted, &AccountTime::until(deadline)).await
}

pub(crate) async fn list_target(
    clients: &Clients,
    target: &Target,
    wanted: ListRequest<'_>,
    time: &AccountTime<'_>,
) -> Result<Listing, Failure> {
    // The partial result when the first session ended.
    let mut before = Buckets::default();
    let mut timings = Timings::default();
    let mut first = true;
    loop {
        let started = Instant::now();
        let session = credentials(clients, target, time.waits());
        let session = panics::of_target(clients, target, Phase::Assume, session);
        // Both are boxed because they are large and would be stored twice.
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
            // This crate cannot refresh the process's own credentials.
            _ if target.role().is_none() => false,
            FailureKind::ExpiredCredentials => true,
            // A cached session may have been revoked. A new one is valid at once, so it would be denied again.
            FailureKind::ListBucketsDenied | FailureKind::CredentialsRejected => {
                if origin == Origin::Assumed {
                    clients.denied(target, &session, &failure);
                }
                first
                    && origin == Origin::Cache
                    && !failure.is_of_the_clock()
                    && !session.was_denied(&failure)
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
        tracing::debug!(account = %target.account, kind = %failure.kind(), "replacing the session");
        first = false;
    }
}
