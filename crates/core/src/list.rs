//! The second phase: the account's buckets, from S3.

use std::collections::HashSet;

use aws_sdk_s3::config::{Builder, IdentityCache};
use contract::Target;

use crate::{
    Clients, Wanted,
    attempts::attempts,
    buckets::{Bucket, Buckets},
    failure::{Failure, Phase},
    page::PageBuckets,
    session::Session,
};

/// The page size that is asked for: the most that `ListBuckets` allows, so the fewest round trips.
///
/// It is sent with every page. A request without it is refused when the account's quota of buckets is above 10,000, and
/// each bucket's region is in the answer only when a valid parameter is in the request (S3 API reference, `ListBuckets`).
const PAGE_SIZE: i32 = 10_000;

/// How many empty pages in a row are followed. One may happen; a service that sends them for ever must not hold us.
const MOST_EMPTY_PAGES: u32 = 100;

/// Appends every bucket of the account that is wanted to `buckets`, and returns the number of pages. An account whose names
/// are too long together is given up when they are, and not when memory is.
///
/// The pages are followed by hand: the SDK's paginator drops a call's own credentials.
pub(crate) async fn list(
    clients: &Clients,
    target: &Target,
    session: &Session,
    wanted: Wanted<'_>,
    buckets: &mut Buckets,
) -> Result<u32, Failure> {
    let region = clients.regional(target);
    let failure = || clients.failure(Phase::List, target);
    let mut pages = 0;
    let mut empty_pages = 0;
    let mut seen = HashSet::new();
    let mut token: Option<String> = None;
    loop {
        let page_buckets = PageBuckets::default();
        let request = region
            .s3
            .list_buckets()
            .max_buckets(PAGE_SIZE)
            .set_prefix(wanted.prefix.map(ToOwned::to_owned))
            .set_continuation_token(token);
        let mut page = attempts(None, clients.limits(), || {
            let request = request
                .clone()
                .customize()
                .interceptor(page_buckets.clone())
                .config_override(session_only(session));
            async {
                let answer = request.send().await;
                answer.map_err(|error| failure().sdk(&error))
            }
        })
        .await?;
        pages += 1;

        let invalid = |what, page: &_| failure().invalid_response(what, page);
        let found = match page.buckets.take() {
            Some(found) => {
                of_sdk(&found).ok_or_else(|| invalid("it has a bucket without a name", &page))?
            }
            None => page_buckets.take().unwrap_or_default(),
        };
        empty_pages = if found.is_empty() { empty_pages + 1 } else { 0 };
        if buckets.is_empty() {
            *buckets = found;
        } else {
            buckets.extend(found.iter());
        }

        let most = wanted.most_name_bytes;
        if buckets.name_bytes() > most {
            return Err(failure().names_too_large(most));
        }
        let Some(next) = page
            .continuation_token
            .take()
            .filter(|next| !next.is_empty())
        else {
            return Ok(pages);
        };
        if empty_pages > MOST_EMPTY_PAGES {
            return Err(invalid("one empty page follows the other", &page));
        }
        if !seen.insert(next.clone()) {
            return Err(invalid(
                "it repeats a continuation token, so following it would never end",
                &page,
            ));
        }
        token = Some(next);
    }
}

/// Buckets that the SDK has read; nothing where one has no name.
pub(crate) fn of_sdk(buckets: &[aws_sdk_s3::types::Bucket]) -> Option<Buckets> {
    buckets
        .iter()
        .map(|bucket| {
            Some(Bucket {
                name: bucket.name()?,
                region: bucket.bucket_region(),
                created: bucket.creation_date().copied(),
            })
        })
        .collect()
}

/// What a call brings along: the session, and no identity cache. The SDK would make one for the request
/// (aws-sdk-s3 1.157, `ConfigOverrideRuntimePlugin`); what is already here needs none.
fn session_only(session: &Session) -> Builder {
    Builder::new()
        .credentials_provider(session.provider())
        .identity_cache(IdentityCache::no_cache())
}
