//! Pages of S3 with a piece missing: none reads as a list with fewer buckets.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use contract::Target;
use cross_account::{Clients, Failure, FailureKind, Limits, list_buckets};
use fake_aws::{Account, Fault};
use proptest::prelude::*;
use roxmltree::Document;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>75aa57f0</ID></Owner>";
const TAIL: &str = "</ListAllMyBucketsResult>";

/// Answers every request with one document.
#[derive(Debug, Clone)]
struct Always(String);

impl HttpClient for Always {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Always {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = 200.try_into().unwrap();
        let body = SdkBody::from(self.0.as_str());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body)))
    }
}

/// Lists the names of the buckets in `document`.
fn list(document: &str) -> Result<Vec<String>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let config = common::config("http://127.0.0.1:1")
        .http_client(Always(document.to_owned()))
        .build();
    let limits = Limits {
        max_attempts: 1,
        ..Limits::default()
    };
    let clients = Clients::with_limits(&config, &limits).unwrap();
    let target = Target::own("111111111111".parse().unwrap());
    let listing = runtime.block_on(list_buckets(&clients, &target, None))?;
    Ok(listing
        .buckets
        .iter()
        .map(|bucket| bucket.name.to_owned())
        .collect())
}

fn page(count: usize) -> String {
    let buckets: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "<Bucket><Name>b-{number}</Name><CreationDate>2024-03-01T12:00:00.000Z</CreationDate>\
                 <BucketRegion>eu-central-1</BucketRegion></Bucket>"
            )
        })
        .collect();
    format!("{HEAD}<Buckets>{}</Buckets>{TAIL}", buckets.concat())
}

/// What another parser finds: the names, where the document is well-formed, there is one list of buckets, and each has one
/// name.
fn expected(document: &str) -> Option<Vec<String>> {
    let document = Document::parse(document).ok()?;
    let elements = |name: &'static str| {
        let all = document.descendants();
        all.filter(move |node| node.tag_name().name() == name)
    };
    let names: Vec<_> = elements("Name")
        .map(|name| name.text().unwrap_or_default().to_owned())
        .collect();
    let is_a_list = elements("Buckets").count() == 1 && elements("Bucket").count() == names.len();
    is_a_list.then_some(names)
}

/// Whether the document was listed, which it may only be as what it is.
fn is_listed(document: &str) -> bool {
    match list(document) {
        Ok(names) => {
            assert_eq!(Some(names), expected(document), "{document}");
            true
        }
        Err(failure) => {
            assert_eq!(failure.kind(), FailureKind::InvalidResponse, "{failure}");
            false
        }
    }
}

fn without(document: &str, piece: std::ops::Range<usize>) -> String {
    format!("{}{}", &document[..piece.start], &document[piece.end..])
}

#[test]
fn a_missing_piece_at_a_tag_is_an_error() {
    let page = page(3);
    let tags: Vec<usize> = page
        .char_indices()
        .filter(|(_, character)| "<>/".contains(*character))
        .flat_map(|(at, _)| [at, at + 1])
        .collect();
    let mut wrong = 0;
    let mut refused = 0;
    for (number, &start) in tags.iter().enumerate() {
        for &end in &tags[number + 1..] {
            let document = without(&page, start..end);
            match list(&document) {
                Ok(names) if expected(&document) == Some(names.clone()) => {}
                Ok(_) => wrong += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert_eq!(wrong, 0, "and {refused} refused");
    assert!(refused > 1_000, "{refused}");
}

#[test]
fn a_bucket_with_another_end_tag_is_an_error() {
    assert!(is_listed(&page(3)));
    assert!(!is_listed(&page(3).replacen("</Name>", "</Nome>", 1)));
}

#[test]
fn names_in_cdata_are_names() {
    let document = page(2).replace("b-0", "<![CDATA[b-]]>0");
    assert_eq!(list(&document).unwrap(), ["b-0", "b-1"]);
}

#[test]
fn a_response_without_a_list_is_not_an_empty_list() {
    assert!(is_listed(&format!("{HEAD}<Buckets/>{TAIL}")));
    let failure = list(&format!("{HEAD}{TAIL}")).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::InvalidResponse);
    assert_eq!(
        failure.to_string(),
        "Failed to list the buckets of account 111111111111 with the function's own credentials: the response could not be \
         read: it has no element `Buckets`"
    );
    assert!(!is_listed("<Other></Other>"));
}

#[tokio::test]
async fn a_bucket_on_two_pages_is_listed_once() {
    for names in [["a", "b", "b", "c"], ["c", "a", "b", "c"]] {
        let account = Account::new().named_buckets(names).page_cap(2);
        let fake = common::fake(account);
        let listing = common::list(&common::clients(&fake)).await.unwrap();
        assert_eq!(listing.timings.pages, 2);
        let found: Vec<_> = listing.buckets.iter().map(|bucket| bucket.name).collect();
        let mut once = names.to_vec();
        once.dedup();
        once.truncate(3);
        assert_eq!(found, once);
    }
    // Also where the list breaks off.
    let account = Account::new()
        .named_buckets(["a", "b", "b", "c", "d"])
        .page_cap(2)
        .on_list([Fault::None, Fault::None, Fault::Denied]);
    let failure = common::failure(account).await;
    assert_eq!(failure.partial().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn a_missing_piece_is_an_error(start in 0.0..1.0_f64, length in 1..300_usize, count in 0..5_usize) {
        let page = page(count);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "any place will do")]
        let start = (page.len() as f64 * start) as usize;
        is_listed(&without(&page, start..(start + length).min(page.len())));
    }
}
