//! Listing: every bucket, once, in order, over any number of pages; and no more requests than it takes.

mod common;

use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use common::{ACCOUNT, clients, failure, fake, list, target};
use contract::Target;
use cross_account::{FailureKind, Phase, list_buckets};
use fake_aws::{Account, Action, Counts, FakeAws, Fault};

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("bucket-{index:06}"))
        .collect()
}

fn found(listing: &cross_account::Listing) -> Vec<String> {
    listing
        .buckets
        .iter()
        .map(|bucket| bucket.name.to_owned())
        .collect()
}

#[tokio::test]
async fn every_bucket_is_listed_once_and_in_order() {
    for (count, page_cap, pages) in [
        (0, 10_000, 1),
        (1, 10_000, 1),
        (2_500, 10_000, 1),
        (2_500, 1_000, 3),
        (2_000, 1_000, 2),
        (7, 1, 7),
        (10_000, 10_000, 1),
        (10_001, 10_000, 2),
    ] {
        let fake = fake(Account::new().buckets(count).page_cap(page_cap));
        let listing = list(&clients(&fake)).await.unwrap();
        assert_eq!(listing.timings.pages, pages);
        assert_eq!(
            found(&listing),
            names(count),
            "{count} buckets, {page_cap} a page"
        );
        assert_eq!(fake.counts().list, u64::from(pages));
    }
}

#[tokio::test]
async fn the_page_size_is_sent_with_every_page() {
    let fake = fake(Account::new().buckets(25).page_cap(10));
    list(&clients(&fake)).await.unwrap();
    let requests = fake.requests();
    let pages: Vec<_> = requests
        .iter()
        .filter(|request| request.action == Action::ListBuckets)
        .map(|request| {
            (
                request.parameter("max-buckets"),
                request.parameter("continuation-token").is_some(),
            )
        })
        .collect();
    let size = Some("10000");
    assert_eq!(pages, [(size, false), (size, true), (size, true)]);
}

#[tokio::test]
async fn regions_and_dates_come_with_the_names() {
    let fake = fake(Account::new().buckets(2));
    let listing = list(&clients(&fake)).await.unwrap();
    let buckets: Vec<_> = listing.buckets.iter().collect();
    let [first, second] = buckets[..] else {
        panic!("{listing:?}");
    };
    assert_eq!(first.region, Some("us-east-1"));
    assert_eq!(second.region, Some("eu-central-1"));
    assert_eq!(second.created.unwrap().to_string(), "2024-03-01T12:00:01Z");
}

#[tokio::test]
async fn names_that_xml_must_escape_arrive_as_they_are() {
    let strange = [
        "a&b",
        "<Name>x</Name>",
        "]]>\"'",
        "&amp;",
        "ü-🪣",
        "</Bucket>",
    ];
    let fake = fake(Account::new().named_buckets(strange));
    assert_eq!(found(&list(&clients(&fake)).await.unwrap()), strange);
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_followed() {
    let fake = fake(Account::new().buckets(30).page_cap(10).on_list([
        Fault::EmptyPage,
        Fault::None,
        Fault::EmptyPage,
        Fault::EmptyPage,
    ]));
    let listing = list(&clients(&fake)).await.unwrap();
    assert_eq!(listing.timings.pages, 6);
    assert_eq!(found(&listing), names(30));
}

#[tokio::test]
async fn a_repeated_token_is_an_error() {
    let failure = failure(
        Account::new()
            .buckets(30)
            .page_cap(10)
            .always_on_list(Fault::RepeatToken),
    )
    .await;
    assert_eq!(failure.kind(), FailureKind::InvalidResponse);
    assert_eq!(failure.phase(), Phase::List);
    assert_eq!(
        failure.partial().len(),
        10,
        "the pages before are kept, and what is in both of them once"
    );
}

#[tokio::test]
async fn endless_empty_pages_are_an_error() {
    let failure = failure(Account::new().buckets(1).always_on_list(Fault::EmptyPage)).await;
    assert_eq!(failure.kind(), FailureKind::InvalidResponse);
}

#[tokio::test]
async fn a_first_invocation_opens_at_most_two_connections_and_a_warm_one_none() {
    let fake = fake(Account::new().buckets(10));
    let clients = clients(&fake);
    let cold = list(&clients).await.unwrap();
    assert!(cold.timings.assume.is_some());
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list), (1, 1));
    assert_eq!(
        counts.connections, 1,
        "STS and S3 share one pool, and here one address"
    );

    fake.reset_counts();
    for _ in 0..200 {
        let warm = list(&clients).await.unwrap();
        assert_eq!(warm.timings.assume, None);
    }
    assert_eq!(
        fake.counts(),
        Counts {
            list: 200,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn more_targets_than_the_sdk_caches_identities_for_stay_cached() {
    let accounts: Vec<_> = (0..100)
        .map(|number| format!("{:012}", 500_000_000_000_u64 + number))
        .collect();
    let fake = FakeAws::builder()
        .every_account(Account::new().buckets(1))
        .start()
        .unwrap();
    let clients = clients(&fake);
    for round in 0..2 {
        for account in &accounts {
            let target = Target {
                account: account.parse().unwrap(),
                ..target()
            };
            list_buckets(&clients, &target, None).await.unwrap();
        }
        assert_eq!(fake.counts().assume, 100, "round {round}");
    }
    let used = fake
        .requests()
        .into_iter()
        .filter(|request| request.action == Action::ListBuckets)
        .enumerate()
        .all(|(number, request)| request.account == accounts[number % 100]);
    assert!(
        used,
        "each listing was made with the session of its own account"
    );
    assert_eq!(
        format!("{clients:?}"),
        "Clients { region: \"us-east-1\", sessions: Sessions { cached: 100, .. }, .. }"
    );
}

#[tokio::test]
async fn a_failed_page_is_retried() {
    for fault in [
        Fault::Throttled,
        Fault::Internal,
        Fault::Reset,
        Fault::BrokenOff,
        Fault::Truncated,
    ] {
        let fake = fake(Account::new().buckets(25).page_cap(10).on_list([
            Fault::None,
            fault.clone(),
            fault.clone(),
        ]));
        let listing = list(&clients(&fake)).await;
        let listing = listing.unwrap_or_else(|failure| panic!("{fault:?}: {failure}"));
        assert_eq!(found(&listing), names(25), "{fault:?}");
        assert_eq!(fake.counts().list, 5, "{fault:?}");
    }
}

#[tokio::test]
async fn the_request_to_sts() {
    let fake = fake(Account::new());
    list(&clients(&fake)).await.unwrap();
    let with_external_id = Target::by_role(target().account, "team/MyS3ReadRole".parse().unwrap())
        .with_external_id("audit/2026".parse().unwrap());
    list_buckets(&clients(&fake), &with_external_id, None)
        .await
        .unwrap();
    let sent: Vec<_> = fake
        .requests()
        .into_iter()
        .filter(|request| request.action == Action::AssumeRole)
        .map(|request| {
            assert_eq!(request.account, ACCOUNT);
            assert_eq!(request.access_key, "AKIDCALLER");
            let parameter = |name| request.parameter(name).unwrap_or("–").to_owned();
            [
                parameter("RoleArn"),
                parameter("RoleSessionName"),
                parameter("DurationSeconds"),
                parameter("ExternalId"),
            ]
        })
        .collect();
    let [role, role_in_path] = ["MyS3ReadRole", "team/MyS3ReadRole"]
        .map(|role| format!("arn:aws:iam::222222222222:role/{role}"));
    assert_eq!(
        sent,
        [
            [&role, "list-s3-buckets", "3600", "–"],
            [&role_in_path, "list-s3-buckets", "3600", "audit/2026"],
        ]
    );
}

#[tokio::test]
async fn the_partition_of_the_region_is_that_of_the_role() {
    let fake = fake(Account::new());
    let config = common::config(&fake.endpoint())
        .region(aws_types::region::Region::from_static("cn-north-1"))
        .build();
    let clients = cross_account::Clients::new(&config).unwrap();
    list(&clients).await.unwrap();
    assert_eq!(
        fake.requests()[0].parameter("RoleArn"),
        Some("arn:aws-cn:iam::222222222222:role/MyS3ReadRole")
    );
}

#[tokio::test]
async fn endpoints_of_the_services_and_no_credentials_of_the_process_for_s3() {
    /// What `aws-config` finds in `AWS_ENDPOINT_URL_STS` and `AWS_ENDPOINT_URL_S3`.
    #[derive(Debug)]
    struct Endpoints {
        sts: String,
        s3: String,
    }
    impl LoadServiceConfig for Endpoints {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            match (key.service_id(), key.env()) {
                ("STS", "AWS_ENDPOINT_URL") => Some(self.sts.clone()),
                ("S3", "AWS_ENDPOINT_URL") => Some(self.s3.clone()),
                _ => None,
            }
        }
    }

    let (sts, s3) = (fake(Account::new()), fake(Account::new().buckets(1)));
    // The endpoint that each service's own endpoint overrides. No server listens there.
    let config = common::config("http://127.0.0.1:1").service_config(Endpoints {
        sts: sts.endpoint(),
        s3: s3.endpoint(),
    });
    let clients = cross_account::Clients::new(&config.build()).unwrap();
    list(&clients).await.unwrap();
    assert_eq!((sts.counts().assume, sts.counts().list), (1, 0));
    assert_eq!((s3.counts().assume, s3.counts().list), (0, 1));
    assert_eq!(s3.requests()[0].access_key, "ASIA2222222222220000");
}
