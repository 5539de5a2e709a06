//! Lists the account's buckets in S3, page by page.

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

/// The page size in each request: the most that `ListBuckets` allows, so that there are few round trips.
///
/// Every request needs it. S3 rejects a request without it if the account's bucket quota is above 10,000, and returns
/// each bucket's region only if the request has a valid parameter (S3 API reference, `ListBuckets`).
const PAGE_SIZE: i32 = 10_000;

/// The maximum number of empty pages in a row. One may happen; an endless series must not block the account.
const MAX_EMPTY_PAGES: u32 = 100;

/// The parameters of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListRequest<'a> {
    /// The prefix of the bucket names.
    pub(crate) prefix: Option<&'a str>,
    /// The maximum total length of the names.
    pub(crate) max_name_bytes: usize,
    /// The approximate bytes that a bucket adds to the response in addition to its name, if known.
    pub(crate) bucket_bytes: Option<usize>,
    /// The account's reservation, which gives it space for each page.
    pub(crate) reservation: &'a Reservation,
}

/// Appends the requested buckets of the account to `buckets`, and returns the number of pages. An account whose names
/// are too long in total fails at once, before it uses up the memory.
///
/// The SDK's paginator is not used because it drops the credentials of the request.
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
                // Boxed because it is large and would be part of other futures.
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
            return Err(invalid("it is not a list of buckets"));
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
            return Err(invalid("too many empty pages in a row"));
        }
        if !seen.insert(next.clone()) {
            return Err(invalid("it repeats an earlier continuation token"));
        }
        token = Some(next);
    }
}

/// Configures a request with the session and no identity cache. The SDK would create a cache for the request
/// (aws-sdk-s3 1.157, `ConfigOverrideRuntimePlugin`), which a session does not need.
fn session_only(session: &Session) -> Builder {
    Builder::new()
        .credentials_provider(session.provider())
        .identity_cache(IdentityCache::no_cache())
}
