//! The second phase: the account's buckets, from S3.

use std::collections::HashSet;

use aws_sdk_s3::config::{Builder, IdentityCache};
use contract::Target;

use super::{
    buckets::Buckets,
    page::{Page, PageReader},
};
use crate::{
    account_time::{WaitFor, Waits},
    budget::Reservation,
    clients::Clients,
    failure::Failure,
    kind::Phase,
    retry::send_with_retries,
    session::Session,
};

/// The page size that is asked for: the most that `ListBuckets` allows, so the fewest round trips.
///
/// It is sent with every page. A request without it is refused when the account's quota of buckets is above 10,000, and
/// each bucket's region is in the answer only when a valid parameter is in the request (S3 API reference, `ListBuckets`).
const PAGE_SIZE: i32 = 10_000;

/// How many empty pages in a row are followed. One may happen; a service that sends them for ever must not hold us.
const MAX_EMPTY_PAGES: u32 = 100;

/// What is wanted of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListRequest<'a> {
    /// How the buckets' names begin.
    pub(crate) prefix: Option<&'a str>,
    /// How long their names may be together.
    pub(crate) max_name_bytes: usize,
    /// About how many bytes of the answer each takes beside its name, where that is known.
    pub(crate) bucket_bytes: Option<usize>,
    /// Where to wait for room.
    pub(crate) reservation: &'a Reservation,
}

/// Appends every bucket of the account that is wanted to `buckets`, and returns the number of pages. An account whose names
/// are too long together is given up when they are, and not when memory is.
///
/// The pages are followed by hand: the SDK's paginator drops a call's own credentials.
pub(crate) async fn list(
    clients: &Clients,
    target: &Target,
    session: &Session,
    wanted: ListRequest<'_>,
    waits: &Waits,
    buckets: &mut Buckets,
) -> Result<u32, Failure> {
    let region = clients.regional(target);
    let failure = || clients.failure(Phase::List, target);
    let mut pages = 0;
    let mut empty_pages = 0;
    let mut seen = HashSet::new();
    let mut token: Option<String> = None;
    loop {
        let reader = PageReader::new(wanted.reservation.clone());
        let request = region
            .s3
            .list_buckets()
            .max_buckets(PAGE_SIZE)
            .set_prefix(wanted.prefix.map(ToOwned::to_owned))
            .set_continuation_token(token);
        let output = loop {
            waits
                .during(WaitFor::Budget, wanted.reservation.turn())
                .await;
            let output = send_with_retries(None, clients.limits(), || {
                let request = request
                    .clone()
                    .customize()
                    .interceptor(reader.clone())
                    .config_override(session_only(session));
                // Boxed, as it is large, and others would carry it about.
                Box::pin(async {
                    let answer = request.send().await;
                    answer.map_err(|error| failure().sdk(&error))
                })
            });
            if let Some(output) = wanted.reservation.unless_it_gives_way(output).await {
                break output?;
            }
        };
        pages += 1;

        let invalid = |what| failure().invalid_response(what, &output);
        let Some(page) = reader.take() else {
            return Err(invalid("it is no list of buckets"));
        };
        let Page {
            buckets: found,
            token: next,
        } = page;
        empty_pages = if found.is_empty() { empty_pages + 1 } else { 0 };
        if buckets.is_empty() {
            *buckets = found;
        } else {
            buckets.extend(found.iter());
        }

        let (most, name_bytes) = (wanted.max_name_bytes, buckets.name_bytes());
        let size = wanted
            .bucket_bytes
            .map(|each| name_bytes + buckets.len() * each);
        if name_bytes > most || (size.is_some() && wanted.reservation.is_full(name_bytes)) {
            return Err(failure().names_too_large(most));
        }
        wanted
            .reservation
            .has(buckets.memory(), size, next.is_some());
        let Some(next) = next else {
            return Ok(pages);
        };
        if empty_pages > MAX_EMPTY_PAGES {
            return Err(invalid("one empty page follows the other"));
        }
        if !seen.insert(next.clone()) {
            return Err(invalid(
                "it repeats a continuation token, so following it would never end",
            ));
        }
        token = Some(next);
    }
}

/// What a call brings along: the session, and no identity cache. The SDK would make one for the request
/// (aws-sdk-s3 1.157, `ConfigOverrideRuntimePlugin`); what is already here needs none.
fn session_only(session: &Session) -> Builder {
    Builder::new()
        .credentials_provider(session.provider())
        .identity_cache(IdentityCache::no_cache())
}
