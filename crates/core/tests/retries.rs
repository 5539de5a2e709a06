//! Retries: none is spent for another target.
//!
//! One test alone, as the SDK's own budget, which must not be used, is the process's, and others' successes fill it up.

mod common;

use common::{PATIENT, clients_with, target};
use contract::Target;
use cross_account::{FanOutOptions, Outcome, fan_out};
use fake_aws::{Account, FakeAws, Fault};

#[tokio::test]
async fn accounts_that_s3_throttles_do_not_spend_the_retries_of_others() {
    // The SDK's budget of 500 tokens would be spent by 100 accounts with two retries each.
    const THROTTLED: usize = 150;
    let id = |number| format!("{:012}", 500_000_000_000 + number);
    let twice = Account::new().on_list([Fault::Throttled, Fault::Throttled]);
    let fake = FakeAws::builder()
        .every_account(Account::new().always_on_list(Fault::Throttled))
        .account(id(THROTTLED), twice)
        .start()
        .unwrap();
    let clients = clients_with(&fake, &PATIENT);
    let targets: Vec<_> = (0..=THROTTLED)
        .map(|number| Target {
            account: id(number).parse().unwrap(),
            ..target()
        })
        .collect();
    let result = fan_out(&clients, &targets, &FanOutOptions::default(), |_, _| 0).await;
    let (last, throttled) = result.outcomes.split_last().unwrap();
    assert!(matches!(last.outcome, Outcome::Listed(_)), "{last:?}");
    for answer in throttled {
        assert!(matches!(answer.outcome, Outcome::Failed(_)), "{answer:?}");
    }
    assert_eq!(fake.counts().list, 3 * 151, "three attempts for each");
}
