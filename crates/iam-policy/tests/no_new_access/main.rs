//! Checks the claim "no new access" against an evaluator that shares no code with the crate.
//!
//! Pairs of small policies are random but seeded, so that a failure names a pair that can be generated again. If
//! [`new_access`] finds nothing, the new policy must not allow any sampled request that the old policy does not allow. The
//! evaluator follows the IAM user guide. Where the guide is ambiguous ([`Reading`]), the claim must hold for both readings.
//!
//! `POLICY_PAIRS=1200000 cargo test --release -p iam-policy --test no_new_access` checks more pairs.
#![allow(
    clippy::unwrap_used,
    reason = "clippy's `allow-unwrap-in-tests` does not reach the helpers of tests"
)]

mod evaluator;
mod generator;
mod request;

use std::collections::BTreeSet;

use fastrand::Rng;
use iam_policy::{Condition, Document, Effect, Set, new_access};

use self::{
    evaluator::{Reading, allows},
    generator::{Policy, pair},
    request::Request,
};

/// Enough to find every bug that this test was written for, in seconds and without optimization.
const DEFAULT_PAIRS: u64 = 20_000;

/// The number of requests that are sampled for a pair without new access.
const REQUESTS: usize = 64;

/// The minimum percentage of pairs without new access. A comparison that always reports new access is never wrong, but
/// useless.
const MIN_CLAIMS_PERCENT: u64 = 25;

#[test]
fn no_new_access_is_never_claimed_wrongly() {
    let pairs = match std::env::var("POLICY_PAIRS") {
        Ok(text) => text.parse().expect("`POLICY_PAIRS` is a number"),
        Err(_) => DEFAULT_PAIRS,
    };
    let (mut claims, mut wrong) = (0_u64, 0_u64);
    let mut first = None;
    for seed in 0..pairs {
        let mut rng = Rng::with_seed(seed);
        let (old, new) = pair(&mut rng);
        if !new_access(&old.document(), &new.document()).is_empty() {
            continue;
        }
        claims += 1;
        for _ in 0..REQUESTS {
            let request = Request::sample(&mut rng);
            let reading = Reading::sample(&mut rng);
            if allows(&new, &request, reading) && !allows(&old, &request, reading) {
                wrong += 1;
                first.get_or_insert_with(|| {
                    let (old, new) = (old.json(), new.json());
                    format!("pair {seed}: {request:?} {reading:?}\nold: {old:#}\nnew: {new:#}")
                });
                break;
            }
        }
    }
    println!("{pairs} pairs, {claims} claimed to give no new access, {wrong} of them wrongly");
    assert!(
        first.is_none(),
        "{wrong} of {claims} claims are wrong; {}",
        first.unwrap()
    );
    assert!(
        claims * 100 >= pairs * MIN_CLAIMS_PERCENT,
        "{claims} of {pairs}"
    );
}

/// A policy gives no new access compared to itself, nor after its statements are reordered, a denial or a condition is
/// added, or actions and `Allow` statements are removed.
#[test]
fn narrowing_a_policy_is_not_new_access() {
    for seed in 0..1_000 {
        let mut rng = Rng::with_seed(seed);
        let is_trust = rng.bool();
        let old = Policy::sample(&mut rng, is_trust).document();
        let mut new = old.clone();
        let assert_none = |new: &Document, what: &str| {
            let found = new_access(&old, new);
            assert!(
                found.is_empty(),
                "policy {seed}, {what}: {found:#?}\n{old:#?}\n{new:#?}"
            );
        };
        assert_none(&new, "unchanged");
        new.statements.reverse();
        assert_none(&new, "reversed");
        let denials = Policy::sample(&mut rng, is_trust).document().statements;
        for mut denial in denials {
            denial.effect = Effect::Deny;
            new.statements.push(denial);
        }
        assert_none(&new, "denials added");
        for statement in &mut new.statements {
            if statement.effect == Effect::Allow {
                statement.conditions.insert(Condition {
                    operator: "Bool".to_owned(),
                    key: "aws:SecureTransport".to_owned(),
                    values: BTreeSet::from(["true".to_owned()]),
                });
                if let Set::Only(actions) = &mut statement.actions {
                    actions.pop_first();
                }
            }
        }
        assert_none(&new, "conditions added, actions removed");
        new.statements.retain(|one| one.effect == Effect::Deny);
        assert_none(&new, "nothing allowed");
    }
}
