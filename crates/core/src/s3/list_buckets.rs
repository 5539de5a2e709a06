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
/// `max_name_bytes` together, the account fails as soon as that is known: its other pages are not requested.
///
/// # Errors
/// As for [`list_buckets`], and [`FailureKind::ResponseTooLarge`].
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
    // What there was when the first session ended.
    let mut before = Buckets::default();
    let mut timings = Timings::default();
    let mut first = true;
    loop {
        let started = Instant::now();
        let session = credentials(clients, target, time.waits());
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
