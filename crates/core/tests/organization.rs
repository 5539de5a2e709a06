//! The accounts of an organization: each active one once, by account id, whatever Organizations' pages are; and what a
//! failure to read them says.

#![allow(
    clippy::unwrap_used,
    reason = "for tests, where clippy sees no test function"
)]

mod common;

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use aws_smithy_async::test_util::ManualTimeSource;
use common::{PATIENT, SECRETS, clients, clients_at, clients_with, config};
use contract::{Organization, Target, Units};
use cross_account::{
    Clients, Failure, FailureKind, FanOutOptions, Limits, Outcome, Phase, fan_out,
    organization_targets,
};
use fake_aws::{Account, Action, FakeAws, Fault, Organization as Fake};
use proptest::{
    prelude::{Just, ProptestConfig, prop_oneof},
    proptest,
};
use tokio::time::Instant;

const ADMIN: &str = "111111111111";
const ROOT: &str = Fake::ROOT;

fn unit(number: usize) -> String {
    format!("ou-ab12-{number:08}")
}

fn id(number: usize) -> String {
    format!("{:012}", 500_000_000_000 + number)
}

fn start(organization: Fake) -> FakeAws {
    FakeAws::builder()
        .organization(organization)
        .every_account(Account::new().buckets(1))
        .start()
        .unwrap()
}

fn all() -> Organization {
    Organization {
        admin: ADMIN.parse().unwrap(),
        units: Units::All,
        exclude: BTreeSet::new(),
        role: "MyS3ReadRole".parse().unwrap(),
        external_id: None,
    }
}

fn units(numbers: impl IntoIterator<Item = usize>) -> Organization {
    let units = numbers
        .into_iter()
        .map(|number| unit(number).parse().unwrap());
    Organization {
        units: Units::Some(units.collect()),
        ..all()
    }
}

fn without<'a>(organization: Organization, ids: impl IntoIterator<Item = &'a str>) -> Organization {
    Organization {
        exclude: ids.into_iter().map(|id| id.parse().unwrap()).collect(),
        ..organization
    }
}

async fn targets(clients: &Clients, organization: &Organization) -> Result<Vec<Target>, Failure> {
    organization_targets(clients, organization, None).await
}

async fn ids(clients: &Clients, organization: &Organization) -> Vec<String> {
    let targets = targets(clients, organization).await.unwrap();
    targets
        .into_iter()
        .map(|target| target.account.to_string())
        .collect()
}

/// The failure of reading `organization`, which is the Admin account's and shows no secret.
async fn failure(clients: &Clients, organization: &Organization) -> Failure {
    let failure = targets(clients, organization).await.unwrap_err();
    assert_eq!(failure.phase(), Phase::Organization);
    assert_eq!((failure.account().as_str(), failure.role()), (ADMIN, None));
    for secret in SECRETS {
        for text in [format!("{failure:?}"), failure.to_string()] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    failure
}

fn report(failure: &Failure) -> String {
    format!(
        "{failure}\nhint: {}\n{} in {}, {}; code {:?}",
        failure.hint().unwrap_or("–"),
        failure.kind(),
        failure.phase(),
        if failure.is_retryable() {
            "retryable"
        } else {
            "final"
        },
        failure.code(),
    )
}

/// The requests to Organizations: each action with its unit, and whether it had a token.
fn asked(fake: &FakeAws) -> Vec<(Action, Option<String>, bool)> {
    fake.requests()
        .iter()
        .map(|request| {
            assert_eq!(request.access_key, "AKIDCALLER");
            assert_eq!(request.parameter("MaxResults"), Some("20"));
            (
                request.action,
                request.parameter("ParentId").map(ToOwned::to_owned),
                request.parameter("NextToken").is_some(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_active_account_of_all_by_its_id_and_the_admin_account_with_own_credentials() {
    let organization = (0..45).rev().fold(Fake::new(), |organization, number| {
        organization.account(&id(number), ROOT)
    });
    let organization = [
        "SUSPENDED",
        "CLOSED",
        "PENDING_CLOSURE",
        "PENDING_ACTIVATION",
        "NEW",
    ]
    .into_iter()
    .enumerate()
    .fold(
        organization.account(ADMIN, ROOT),
        |organization, (number, state)| {
            organization.account_with(&id(100 + number), ROOT, "No", state)
        },
    );
    let fake = start(organization);
    let configured = Organization {
        external_id: Some("audit".parse().unwrap()),
        ..without(all(), [id(3).as_str(), "999999999999"])
    };
    let targets = targets(&clients(&fake), &configured).await.unwrap();
    let expected: Vec<_> = std::iter::once(ADMIN.to_owned())
        .chain((0..45).filter(|number| *number != 3).map(id))
        .collect();
    let found: Vec<_> = targets
        .iter()
        .map(|target| target.account.as_str())
        .collect();
    assert_eq!(found, expected);
    for target in &targets {
        assert_eq!(target.role().is_none(), target.account.as_str() == ADMIN);
        let name = target.name.as_ref().unwrap().as_str();
        assert_eq!(name, format!("Account {}", target.account));
    }
    assert_eq!(targets[1].role().unwrap().to_string(), "MyS3ReadRole");
    assert_eq!(targets[1].external_id().unwrap().as_str(), "audit");
    let page = |is_later| (Action::ListAccounts, None, is_later);
    assert_eq!(asked(&fake), [page(false), page(true), page(true)]);
}

#[tokio::test]
async fn an_invalid_target_name_is_adapted() {
    let names = ["", "a\"b", " x", "Größe 1"];
    let organization = names
        .iter()
        .enumerate()
        .fold(Fake::new(), |organization, (number, name)| {
            organization.account_with(&id(number), ROOT, name, "ACTIVE")
        });
    let fake = start(organization);
    let targets = targets(&clients(&fake), &all()).await.unwrap();
    let found: Vec<_> = targets
        .iter()
        .map(|target| target.name.as_ref().map(contract::TargetName::as_str))
        .collect();
    assert_eq!(found, [None, Some("a b"), Some("x"), Some("Größe 1")]);
}

/// Units 1 and 5 in the root, 2 and 3 in 1, 4 in 3; an account in each and one in the root, of the same numbers.
fn tree() -> Fake {
    [
        (1, ROOT.to_owned()),
        (2, unit(1)),
        (3, unit(1)),
        (4, unit(3)),
        (5, ROOT.to_owned()),
    ]
    .into_iter()
    .fold(
        Fake::new().account(&id(0), ROOT),
        |organization, (number, parent)| {
            organization
                .unit(&unit(number), &parent)
                .account(&id(number), &unit(number))
        },
    )
}

#[tokio::test]
async fn a_unit_includes_its_nested_units() {
    let fake = start(tree());
    for (configured, expected) in [
        (vec![1], vec![1, 2, 3, 4]),
        (vec![2], vec![2]),
        (vec![3], vec![3, 4]),
        (vec![2, 4, 5], vec![2, 4, 5]),
        (vec![1, 5], vec![1, 2, 3, 4, 5]),
    ] {
        fake.reset_counts();
        let found = ids(&clients(&fake), &units(configured)).await;
        assert_eq!(found, expected.iter().copied().map(id).collect::<Vec<_>>());
        let mut asked = asked(&fake);
        asked.sort_by_key(|(action, unit, _)| (unit.clone(), format!("{action:?}")));
        let once: Vec<_> = expected
            .iter()
            .flat_map(|number| {
                [Action::ListAccountsForParent, Action::ListChildren]
                    .map(|action| (action, Some(unit(*number)), false))
            })
            .collect();
        assert_eq!(asked, once, "each unit once, and no other permission");
        let kinds = fake.requests();
        let kinds = kinds
            .iter()
            .filter_map(|request| request.parameter("ChildType"));
        assert!(kinds.into_iter().all(|kind| kind == "ORGANIZATIONAL_UNIT"));
    }
}

#[tokio::test]
async fn empty_pages_are_followed_up_to_a_limit() {
    for configured in [all(), units([1, 5])] {
        let configured = without(configured, [id(0).as_str()]);
        for empty in [1, 2, 5, 50] {
            let faults = (0..empty).map(|_| Fault::EmptyPage);
            let fake = start(tree().page_cap(1).on_request(faults));
            let found = ids(&clients(&fake), &configured).await;
            assert_eq!(found, [1, 2, 3, 4, 5].map(id), "{empty}");
        }
        // One in two.
        let faults = (0..60).map(|n| {
            if n % 2 == 0 {
                Fault::EmptyPage
            } else {
                Fault::None
            }
        });
        let fake = start(tree().page_cap(1).on_request(faults));
        assert_eq!(ids(&clients(&fake), &configured).await.len(), 5);

        let fake = start(tree().always_on_request(Fault::EmptyPage));
        let failure = failure(&clients_with(&fake, &once()), &configured).await;
        assert_eq!(failure.kind(), FailureKind::InvalidResponse);
        assert!(
            failure
                .to_string()
                .contains("too many empty pages in a row"),
            "{failure}"
        );
        assert!(fake.counts().organization <= 4 * 102, "{:?}", fake.counts());
    }
}

/// One attempt a request.
fn once() -> Limits {
    Limits {
        max_attempts: 1,
        ..PATIENT
    }
}

#[tokio::test]
async fn failure_messages() {
    let error = |status, code, message| Fault::Error {
        status,
        code,
        message,
    };
    let control_policy = "User: arn:aws:sts::111111111111:assumed-role/MyLambdaExecutionRole/list is not authorized to \
                          perform: organizations:ListAccounts with an explicit deny in a service control policy";
    let mut reports = Vec::new();
    for (what, fault) in [
        ("denied", Fault::Denied),
        (
            "denied by a control policy",
            error(400, "AccessDeniedException", control_policy),
        ),
        (
            "in no organization",
            error(
                400,
                "AWSOrganizationsNotInUseException",
                "Your account is not a member of an organization.",
            ),
        ),
        ("throttled", Fault::Throttled),
        ("expired", Fault::Expired),
        (
            "unknown credentials",
            error(
                400,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
        ),
        ("internal", Fault::Internal),
        (
            "rejected",
            error(
                400,
                "InvalidInputException",
                "You specified an invalid value.",
            ),
        ),
        ("reset", Fault::Reset),
        ("truncated", Fault::Truncated),
        ("broken off", Fault::BrokenOff),
        ("garbage", Fault::Garbage),
        ("empty", Fault::Empty),
        ("a proxy's 502", Fault::Proxy(502)),
        ("a proxy's 429", Fault::Proxy(429)),
        ("a proxy's 403", Fault::Proxy(403)),
        ("repeats a token", Fault::RepeatToken),
    ] {
        let fake = start(tree().page_cap(1).always_on_request(fault));
        let failure = failure(&clients(&fake), &all()).await;
        reports.push(format!(
            "# {what}, asked {} times\n{}",
            fake.counts().organization,
            report(&failure)
        ));
    }
    insta::assert_snapshot!(reports.join("\n\n"));
}

#[tokio::test]
async fn a_failure_names_the_unit_and_the_permission() {
    let mut reports = Vec::new();
    let fake = start(tree());
    reports.push(report(&failure(&clients(&fake), &units([1, 9])).await));
    for action in [Action::ListChildren, Action::ListAccountsForParent] {
        let fake = start(tree().always_on(action, Fault::Denied));
        reports.push(report(&failure(&clients(&fake), &units([5])).await));
    }
    insta::assert_snapshot!(reports.join("\n\n"));
}

#[tokio::test]
async fn an_organization_without_a_state_or_with_the_old_one() {
    let fake = start(tree().with_status_only());
    assert_eq!(ids(&clients(&fake), &all()).await.len(), 6);
    fake.set_organization(Some(
        Fake::new()
            .account(&id(1), ROOT)
            .account_with(&id(2), ROOT, "Old", "SUSPENDED")
            .with_status_only(),
    ));
    assert_eq!(ids(&clients(&fake), &all()).await, [id(1)]);
    for (account, state, what) in [
        (id(1), "", "an account without a state"),
        ("12".to_owned(), "ACTIVE", "an account without a valid ID"),
    ] {
        fake.set_organization(Some(Fake::new().account_with(&account, ROOT, "x", state)));
        let failure = failure(&clients_with(&fake, &once()), &all()).await;
        assert_eq!(failure.kind(), FailureKind::InvalidResponse);
        assert!(failure.to_string().contains(what), "{failure}");
    }
}

#[tokio::test]
async fn an_account_in_two_units_is_rejected_unless_it_is_excluded() {
    let fake = start(tree().account_with(&id(20), &unit(2), "x", "SUSPENDED"));
    let mut reports = Vec::new();
    for configured in [
        units([1, 2]),
        units([1, 3, 4]),
        without(units([1, 3]), [id(3).as_str()]),
    ] {
        reports.push(report(&failure(&clients(&fake), &configured).await));
    }
    insta::assert_snapshot!(reports.join("\n\n"));

    let configured = without(units([1, 2]), [id(2).as_str()]);
    let found = ids(&clients(&fake), &configured).await;
    assert_eq!(
        found,
        [1, 3, 4].map(id),
        "nothing of the inner unit is selected"
    );
}

#[tokio::test]
async fn an_account_that_moves_during_a_walk_counts_once() {
    let fake = start(tree().account(&id(2), &unit(5)).account(&id(2), &unit(4)));
    let found = ids(&clients(&fake), &units([1, 5])).await;
    assert_eq!(found, [1, 2, 3, 4, 5].map(id));
}

#[tokio::test]
async fn a_nested_unit_deleted_during_a_walk_is_empty() {
    let gone = || Fault::Error {
        status: 400,
        code: "ParentNotFoundException",
        message: "You specified a parent that doesn't exist.",
    };
    let organization = Fake::new()
        .unit(&unit(1), ROOT)
        .account(&id(1), &unit(1))
        .unit(&unit(2), &unit(1));
    let fake = start(organization.on_request([Fault::None, Fault::None, gone(), gone()]));
    assert_eq!(ids(&clients(&fake), &units([1])).await, [id(1)]);
    assert_eq!(fake.counts().organization, 4);
}

#[tokio::test]
async fn an_empty_selection_is_a_failure() {
    let mut reports = Vec::new();
    for (organization, configured) in [
        (Fake::new().unit(&unit(1), ROOT), units([1])),
        (
            Fake::new().account(&id(1), ROOT),
            without(all(), [id(1).as_str()]),
        ),
        (
            Fake::new()
                .account_with(&id(1), ROOT, "x", "SUSPENDED")
                .account(ADMIN, ROOT),
            without(all(), [ADMIN]),
        ),
    ] {
        let fake = start(organization);
        reports.push(report(&failure(&clients(&fake), &configured).await));
    }
    insta::assert_snapshot!(reports.join("\n\n"));
}

#[tokio::test]
async fn transient_failures_are_retried() {
    let faults = [
        Fault::Throttled,
        Fault::Throttled,
        Fault::None,
        Fault::Internal,
        Fault::Reset,
        Fault::Truncated,
    ];
    for configured in [all(), units([1, 5])] {
        let limits = Limits {
            max_attempts: 7,
            ..PATIENT
        };
        let fake = start(tree().page_cap(1).on_request(faults.clone()));
        let found = ids(
            &clients_with(&fake, &limits),
            &without(configured, [id(0).as_str()]),
        )
        .await;
        assert_eq!(found, [1, 2, 3, 4, 5].map(id));
    }
}

#[tokio::test]
async fn accounts_are_cached_for_five_minutes() {
    let fake = start(tree());
    let clock = ManualTimeSource::new(SystemTime::now());
    let clients = clients_at(&fake, clock.clone());
    let before = ids(&clients, &all()).await;
    fake.set_organization(Some(tree().account(&id(9), ROOT)));
    for _ in 0..3 {
        assert_eq!(ids(&clients, &all()).await, before);
    }
    assert_eq!(fake.counts().organization, 1);
    clock.advance(Duration::from_secs(299));
    assert_eq!(ids(&clients, &all()).await, before);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ids(&clients, &all()).await.len(), before.len() + 1);
    assert_eq!(fake.counts().organization, 2);

    // Old accounts are not used if reading them again fails, and the next invocation sends requests again.
    clock.advance(Duration::from_mins(5));
    fake.set_organization(None);
    for _ in 0..2 {
        assert_eq!(
            failure(&clients, &all()).await.kind(),
            FailureKind::OrganizationDenied
        );
    }
    fake.set_organization(Some(tree()));
    assert_eq!(ids(&clients, &all()).await, before);
    // Nor what another selection found.
    assert_eq!(
        ids(&clients, &without(all(), [id(0).as_str()])).await.len(),
        before.len() - 1
    );
    assert_eq!(fake.counts().organization, 6);
}

#[tokio::test]
async fn concurrent_invocations_share_one_walk() {
    let fake = start(tree().latency(Duration::from_millis(30)));
    let clients = clients(&fake);
    let organization = all();
    let call = || targets(&clients, &organization);
    let all_three = tokio::join!(call(), call(), call());
    for targets in [all_three.0, all_three.1, all_three.2] {
        assert_eq!(targets.unwrap().len(), 6);
    }
    assert_eq!(fake.counts().organization, 1);

    let fake = start(tree().on_request([Fault::Hang]));
    let clients = common::clients(&fake);
    let soon = Instant::now() + Duration::from_millis(50);
    let (first, second) = tokio::join!(
        organization_targets(&clients, &organization, Some(soon)),
        organization_targets(&clients, &organization, None)
    );
    insta::assert_snapshot!(report(&first.unwrap_err()));
    assert_eq!(second.unwrap().len(), 6);
}

/// Calls with so little time that each ends at the first request that hangs, until one has the accounts: how many did not,
/// and the accounts.
async fn in_little_time(clients: &Clients, organization: &Organization) -> (u64, Vec<String>) {
    for without in 0..200 {
        let soon = Instant::now() + Duration::from_millis(150);
        match organization_targets(clients, organization, Some(soon)).await {
            Ok(targets) => {
                let ids = targets.iter().map(|target| target.account.to_string());
                return (without, ids.collect());
            }
            Err(failure) => assert_eq!(failure.kind(), FailureKind::Timeout, "{failure}"),
        }
    }
    panic!("200 calls came to nothing");
}

#[tokio::test]
async fn a_long_walk_continues_in_the_next_invocation() {
    // Two units with one nested in each, all of 10 accounts: 44 requests by units and 40 by accounts, and a few more.
    let organization = (0..40).fold(
        [(1, 0), (2, 0), (3, 1), (4, 2)].into_iter().fold(
            Fake::new(),
            |organization, (number, parent)| {
                let parent = match parent {
                    0 => ROOT.to_owned(),
                    parent => unit(parent),
                };
                organization.unit(&unit(number), &parent)
            },
        ),
        |organization, number| organization.account(&id(number), &unit(1 + number % 4)),
    );
    // One request in eight hangs longer than any invocation lasts.
    let faults = (1..=400).map(|number| match number % 8 {
        0 => Fault::Hang,
        _ => Fault::None,
    });
    for (configured, at_a_time) in [(all(), 1), (units([1, 2]), 4)] {
        let fake = start(organization.clone().page_cap(1).on_request(faults.clone()));
        let (without, found) = in_little_time(&clients(&fake), &configured).await;
        assert_eq!(found, (0..40).map(id).collect::<Vec<_>>());
        assert!(without > 0, "the first one that hangs ends its call");
        // Only requests in flight at the end of an invocation are repeated.
        let asked = fake.counts().organization;
        assert!(asked <= 44 + without * at_a_time, "{asked}, {without}");
    }
}

/// Four accounts, each on a page of its own.
fn four() -> Fake {
    (0..4).fold(Fake::new().page_cap(1), |organization, number| {
        organization.account(&id(number), ROOT)
    })
}

/// The requests of the invocation after one whose third page had `fault`: whether each had a token. `meanwhile` is what
/// else happens, and what the invocation selects.
async fn after(
    fault: Fault,
    meanwhile: impl FnOnce(&FakeAws, &ManualTimeSource) -> Organization,
) -> Vec<bool> {
    // What fails on a reused connection is sent once more at once.
    let again = (fault == Fault::Reset).then(|| fault.clone());
    let requests = 3 + u64::from(again.is_some());
    let faults = [Fault::None, Fault::None, fault].into_iter().chain(again);
    let fake = start(four().on_request(faults));
    let clock = ManualTimeSource::new(SystemTime::now());
    let config = config(&fake.endpoint()).time_source(clock.clone()).build();
    let clients = Clients::with_limits(&config, &once()).unwrap();
    let soon = Instant::now() + Duration::from_secs(2);
    let first = organization_targets(&clients, &all(), Some(soon)).await;
    first.unwrap_err();
    assert_eq!(fake.counts().organization, requests);
    fake.reset_counts();
    let configured = meanwhile(&fake, &clock);
    let expected = [0, 1, 2, 3]
        .map(id)
        .into_iter()
        .filter(|id| !configured.exclude.contains(&id.parse().unwrap()));
    assert_eq!(
        ids(&clients, &configured).await,
        expected.collect::<Vec<_>>()
    );
    asked(&fake).into_iter().map(|(.., later)| later).collect()
}

#[tokio::test]
async fn a_walk_continues_after_a_transient_failure_only() {
    for fault in [
        Fault::Hang,
        Fault::Throttled,
        Fault::Internal,
        Fault::Reset,
        Fault::Expired,
    ] {
        let asked = after(fault.clone(), |_, _| all()).await;
        assert_eq!(asked, [true, true], "{fault:?}");
    }
    for fault in [Fault::Denied, Fault::RepeatToken, Fault::Garbage] {
        let asked = after(fault.clone(), |_, _| all()).await;
        assert_eq!(asked, [false, true, true, true], "{fault:?}");
    }
}

#[tokio::test]
async fn an_unfinished_walk_is_cached_for_five_minutes() {
    let at_age = |seconds| {
        after(Fault::Throttled, move |_, clock| {
            clock.advance(Duration::from_secs(seconds));
            all()
        })
    };
    assert_eq!(at_age(299).await, [true, true]);
    assert_eq!(at_age(300).await, [false, true, true, true]);
    let other = |_: &FakeAws, _: &ManualTimeSource| without(all(), [id(1).as_str()]);
    assert_eq!(
        after(Fault::Throttled, other).await,
        [false, true, true, true]
    );
}

#[tokio::test]
async fn an_expired_token_restarts_the_walk() {
    let invalid = || Fault::Error {
        status: 400,
        code: "InvalidInputException",
        message: "You specified an invalid value for one or more of the request parameters.",
    };
    let asked = after(Fault::Throttled, |fake, _| {
        fake.set_organization(Some(four().on_request([invalid()])));
        all()
    })
    .await;
    assert_eq!(asked, [true, false, true, true, true]);

    // But once, and not where the first page is refused.
    let fake = start(four().always_on_request(invalid()));
    failure(&clients(&fake), &all()).await;
    assert_eq!(fake.counts().organization, 1);
}

#[tokio::test]
async fn few_requests_are_in_flight() {
    let organization = (1..=30).fold(Fake::new(), |organization, number| {
        organization
            .unit(&unit(number), ROOT)
            .account(&id(number), &unit(number))
    });
    let fake = start(organization.latency(Duration::from_millis(3)));
    assert_eq!(ids(&clients(&fake), &units(1..=30)).await.len(), 30);
    assert_eq!(fake.most_in_flight(), 4);
}

#[tokio::test]
async fn the_quota_of_organizations_is_respected() {
    let organization = (1..=30).fold(Fake::new(), |organization, number| {
        organization
            .unit(&unit(number), ROOT)
            .account(&id(number), &unit(number))
    });
    let fake = FakeAws::builder()
        .organization(organization)
        // So low that a busy machine meets it, too.
        .organization_quota(40, 1)
        .start()
        .unwrap();
    let limits = Limits {
        initial_backoff: Duration::from_millis(50),
        max_attempts: 10,
        ..PATIENT
    };
    let clients = clients_with(&fake, &limits);
    assert_eq!(ids(&clients, &units(1..=30)).await.len(), 30);
    let refused = fake.counts().organization - 60;
    assert!((1..60).contains(&refused), "{refused} were refused");
}

#[tokio::test]
async fn the_targets_of_an_organization_are_listed_each_with_its_credentials() {
    let fake = start(tree().account(ADMIN, ROOT));
    let clients = clients(&fake);
    let targets = targets(&clients, &all()).await.unwrap();
    let result = fan_out(&clients, &targets, &FanOutOptions::default(), |_, _| 0).await;
    assert_eq!(result.outcomes.len(), 7);
    for answer in &result.outcomes {
        assert!(matches!(&answer.outcome, Outcome::Listed(listing) if listing.buckets.len() == 1));
    }
    let counts = fake.counts();
    assert_eq!((counts.assume, counts.list, counts.organization), (6, 7, 1));
}

#[test]
fn the_future_is_send() {
    fn is_send<T: Send>(_: &T) {}
    let fake = start(tree());
    let clients = clients(&fake);
    let organization = all();
    is_send(&organization_targets(&clients, &organization, None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random trees: unit n+1 lies in one of those before it, or in the root; each account in one of the units or in the
    /// root. Two units that are not nested are configured.
    #[test]
    fn every_account_below_the_units_once(
        parents in proptest::collection::vec(0..100_usize, 1..12),
        homes in proptest::collection::vec((0..100_usize, 0..4_u8), 0..40),
        cap in 1..5_usize,
        faults in proptest::collection::vec(prop_oneof![
            6 => Just(Fault::None),
            2 => Just(Fault::EmptyPage),
            1 => Just(Fault::Throttled),
            1 => Just(Fault::Internal),
        ], 0..60),
        chosen in 0..100_usize,
    ) {
        let parents: Vec<usize> = parents.iter().enumerate().map(|(n, parent)| parent % (n + 1)).collect();
        let name = |number: usize| if number == 0 { ROOT.to_owned() } else { unit(number) };
        let mut organization = Fake::new().page_cap(cap).on_request(faults);
        for (n, parent) in parents.iter().enumerate() {
            organization = organization.unit(&unit(n + 1), &name(*parent));
        }
        let above = |mut number: usize| {
            let mut path = vec![number];
            while number > 0 {
                number = parents[number - 1];
                path.push(number);
            }
            path
        };
        let first = 1 + chosen % parents.len();
        let second = (1..=parents.len()).find(|n| !above(*n).contains(&first) && !above(first).contains(n));
        let chosen: Vec<_> = std::iter::once(first).chain(second).collect();
        let mut expected = Vec::new();
        for (number, (home, state)) in homes.iter().enumerate() {
            let home = home % (parents.len() + 1);
            let is_active = *state > 0;
            organization = organization.account_with(&id(number), &name(home), "x", if is_active { "ACTIVE" } else { "CLOSED" });
            if is_active && above(home).iter().any(|unit| chosen.contains(unit)) {
                expected.push(id(number));
            }
        }
        let fake = start(organization);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(async {
            let limits = Limits { max_attempts: 60, ..PATIENT };
            targets(&clients_with(&fake, &limits), &units(chosen)).await
        });
        let found = found.map_or_else(
            |failure| {
                assert_eq!(failure.kind(), FailureKind::NoAccounts, "{failure}");
                Vec::new()
            },
            |targets| targets.iter().map(|target| target.account.to_string()).collect(),
        );
        assert_eq!(found, expected);
    }
}
