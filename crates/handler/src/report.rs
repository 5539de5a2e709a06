//! The response for many accounts, and its size.
//!
//! ```json
//! {"statusCode": 207, "body": "{\"complete\": false, \"summary\": {…}, \"accounts\": [{…}], \"resume\": \"…\"}"}
//! ```
//!
//! Lambda allows some 6 MB ([`MAX_BYTES`]). The body is JSON inside a JSON string, so its quotation marks and backslashes
//! are escaped again and count twice. The response has an entry for every account of the invocation, skipped ones included,
//! and may have a token. [`ResponseBudget`] is what remains if all accounts are skipped and there is a token; an account
//! takes from it what its entry needs beyond that of a skipped one.
//!
//! The response is not held as text. It is serialized once, directly into what is sent.

use contract::{Target, TargetName};
use cross_account::{AccountOutcome, Buckets, DeniedBy, FanOutResult, Outcome, SkipReason};
use serde::{Serialize, Serializer};

use crate::{
    milliseconds,
    request::{Filter, Position},
    response::{Frame, MAX_BYTES, Shown, Text, TooLarge, escaped, length},
    selection::Selected,
    token,
};

/// The response, as it is serialized.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    targets: Vec<Target>,
    outcomes: Vec<AccountOutcome>,
    detail: bool,
    resume: Option<String>,
    summary: Summary,
}

/// The number of accounts by status, and of buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// In this invocation.
    pub(crate) targets: usize,
    pub(crate) ok: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// In the response, including those of accounts that failed after their first page.
    pub(crate) buckets: usize,
}

/// The room for accounts in a response, which it also creates.
#[derive(Debug)]
pub(crate) struct ResponseBudget<'a> {
    function: &'a str,
    filter: &'a Filter,
    selected: &'a Selected,
    bytes: usize,
}

impl<'a> ResponseBudget<'a> {
    /// Creates the budget of an invocation of `function` for the accounts `selected`.
    ///
    /// # Errors
    /// There are so many accounts that the response has no room for the result of one.
    pub(crate) fn new(
        function: &'a str,
        filter: &'a Filter,
        selected: &'a Selected,
    ) -> Result<Self, TooLarge> {
        /// More than the largest failure: AWS's message is cut at some 2,000 bytes.
        const MIN_BYTES: usize = 65_536;
        let mut budget = Self {
            function,
            filter,
            selected,
            bytes: 0,
        };
        let targets = &selected.targets;
        // A single account is never skipped.
        let token = targets.last().filter(|_| targets.len() > 1);
        // No number is longer: a bucket takes more than one byte.
        let most = Summary {
            targets: targets.len(),
            ok: targets.len(),
            failed: targets.len(),
            skipped: targets.len(),
            buckets: MAX_BYTES,
        };
        let frame = Frame {
            status_code: 207,
            body: Text(Body {
                complete: false,
                summary: most,
                accounts: [(); 0],
                resume: token.map(|_| budget.token(targets.len())),
            }),
        };
        let skipped: usize = targets
            .iter()
            .map(|target| escaped(&Entry::skipped(target, SkipReason::ResponseFull)) + 1)
            .sum();
        let bytes = length(&frame) + skipped;
        budget.bytes = MAX_BYTES.saturating_sub(bytes);
        if budget.bytes < MIN_BYTES && targets.len() > 1 {
            let accounts = targets.len();
            return Err(TooLarge::Accounts { accounts, bytes });
        }
        Ok(budget)
    }

    /// The bytes that accounts may add to the response.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The approximate bytes that a bucket adds to the response in addition to its name: punctuation and, with detail, the
    /// keys, region and date.
    pub(crate) fn bucket_bytes(&self) -> usize {
        if self.filter.detail { 100 } else { 5 }
    }

    /// The bytes that an account adds to the response.
    pub(crate) fn measure(&self, target: &Target, answer: &AccountOutcome) -> usize {
        let skipped = Entry::skipped(target, SkipReason::ResponseFull);
        escaped(&Entry::of(target, answer, self.filter.detail)).saturating_sub(escaped(&skipped))
    }

    /// Creates the response.
    pub(crate) fn report(&self, result: FanOutResult) -> Report {
        let FanOutResult { outcomes, resume } = result;
        Report {
            summary: Summary::of(&outcomes),
            resume: resume.map(|index| self.token(index)),
            targets: self.selected.targets.clone(),
            outcomes,
            detail: self.filter.detail,
        }
    }

    /// The token to continue with the account at `index`, or one of the same length.
    fn token(&self, index: usize) -> String {
        let targets = &self.selected.targets;
        let Some(target) = targets.get(index).or(targets.last()) else {
            return String::new();
        };
        let position = Position {
            from: target.account.clone(),
            passed: self
                .selected
                .passed
                .map(|passed| passed.and(targets.iter().take(index).map(|one| &one.account))),
        };
        token::write(self.function, position, self.filter)
    }
}

impl Report {
    /// The number of accounts by status, and of buckets.
    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Each account with its outcome.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Target, &AccountOutcome)> {
        self.targets.iter().zip(&self.outcomes)
    }
}

impl Summary {
    fn of(outcomes: &[AccountOutcome]) -> Self {
        let mut summary = Self {
            targets: outcomes.len(),
            ..Self::default()
        };
        for answer in outcomes {
            let (count, buckets) = match &answer.outcome {
                Outcome::Listed(listing) => (&mut summary.ok, listing.buckets.len()),
                Outcome::Failed(failure) => (&mut summary.failed, failure.partial().len()),
                Outcome::Skipped(_) => (&mut summary.skipped, 0),
            };
            *count += 1;
            summary.buckets += buckets;
        }
        summary
    }

    fn is_complete(self) -> bool {
        self.failed == 0 && self.skipped == 0
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let complete = self.summary.is_complete();
        Frame {
            status_code: if complete { 200 } else { 207 },
            body: Text(Body {
                complete,
                summary: self.summary,
                accounts: Entries(self),
                resume: self.resume.as_deref(),
            }),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Body<A, R> {
    complete: bool,
    summary: Summary,
    accounts: A,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<R>,
}

struct Entries<'a>(&'a Report);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let detail = self.0.detail;
        let accounts = self.0.accounts();
        serializer.collect_seq(accounts.map(|(target, answer)| Entry::of(target, answer, detail)))
    }
}

/// The entry of an account. Keys without a value are omitted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Shown<&'a Buckets>>,
    #[serde(flatten)]
    failure: Option<FailureEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureEntry<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    phase: &'static str,
    error_type: &'static str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    denied_by: Option<&'static str>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    retryable: bool,
}

impl<'a> Entry<'a> {
    fn of(target: &'a Target, answer: &'a AccountOutcome, detail: bool) -> Self {
        let list = |buckets: &'a Buckets| Some(Shown { buckets, detail });
        let entry = Self {
            account_id: target.account.as_str(),
            name: target.name.as_ref().map(TargetName::as_str),
            status: "ok",
            buckets: None,
            failure: None,
            reason: None,
            duration_ms: Some(milliseconds(answer.duration)),
        };
        match &answer.outcome {
            Outcome::Listed(listing) => Self {
                buckets: list(&listing.buckets),
                ..entry
            },
            Outcome::Failed(failure) => Self {
                status: "failed",
                buckets: Some(failure.partial())
                    .filter(|partial| !partial.is_empty())
                    .and_then(list),
                failure: Some(FailureEntry {
                    partial: !failure.partial().is_empty(),
                    phase: failure.phase().as_str(),
                    error_type: failure.kind().as_str(),
                    code: failure.code().unwrap_or(failure.kind().as_str()),
                    denied_by: failure.denied_by().map(DeniedBy::as_str),
                    message: failure.to_string(),
                    hint: failure.hint(),
                    request_id: failure.request_id(),
                    retryable: failure.is_retryable(),
                }),
                ..entry
            },
            Outcome::Skipped(reason) => Self::skipped(target, *reason),
        }
    }

    fn skipped(target: &'a Target, reason: SkipReason) -> Self {
        Self {
            account_id: target.account.as_str(),
            name: target.name.as_ref().map(TargetName::as_str),
            status: "skipped",
            buckets: None,
            failure: None,
            reason: Some(reason.as_str()),
            duration_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use cross_account::{Bucket, DateTime, Listing, Timings};
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Value, json};

    use super::*;
    use crate::prefix_checksum::{PassedAccounts, PrefixChecksum};

    fn id(number: usize) -> String {
        format!("{number:012}")
    }

    fn target(number: usize, name: Option<&str>) -> Target {
        let target = Target::by_role(id(number).parse().unwrap(), "Reader".parse().unwrap());
        Target {
            name: name.map(|name| name.parse().unwrap()),
            ..target
        }
    }

    fn selected(count: usize) -> Selected {
        Selected {
            targets: (0..count).map(|number| target(number, None)).collect(),
            passed: Some(PassedAccounts::default()),
            unlisted: BTreeSet::new(),
        }
    }

    fn bucket(name: &str) -> Bucket<'_> {
        Bucket {
            name,
            region: None,
            created: None,
        }
    }

    fn listed(names: impl IntoIterator<Item = String>) -> AccountOutcome {
        let mut buckets = Buckets::default();
        for name in names {
            buckets.push(bucket(&name));
        }
        AccountOutcome {
            outcome: Outcome::Listed(Listing {
                buckets,
                timings: Timings::default(),
            }),
            duration: Duration::from_micros(12_340),
        }
    }

    fn skipped() -> AccountOutcome {
        AccountOutcome {
            outcome: Outcome::Skipped(SkipReason::ResponseFull),
            duration: Duration::ZERO,
        }
    }

    fn text(report: &Report) -> String {
        serde_json::to_string(report).unwrap()
    }

    fn body(report: &Report) -> Value {
        let answer: Value = serde_json::from_str(&text(report)).unwrap();
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn the_format_of_the_response() {
        let selected = Selected {
            targets: vec![target(1, Some("Größe & Co.")), target(2, None)],
            passed: Some(PassedAccounts {
                count: 7,
                checksum: PrefixChecksum::default(),
            }),
            unlisted: BTreeSet::new(),
        };
        let filter = Filter {
            detail: true,
            ..Filter::default()
        };
        let budget = ResponseBudget::new("list", &filter, &selected).unwrap();
        let mut first = listed(["a".to_owned(), "b".to_owned()]);
        let Outcome::Listed(listing) = &mut first.outcome else {
            panic!("{first:?}");
        };
        let detailed = Bucket {
            region: Some("eu-central-1"),
            created: Some(DateTime::from_secs(1_700_000_000)),
            ..bucket("a")
        };
        listing.buckets = Buckets::from_iter([detailed, bucket("b")]);
        let report = budget.report(FanOutResult {
            outcomes: vec![first, skipped()],
            resume: Some(1),
        });
        let from = "000000000002".parse().unwrap();
        let seen = PrefixChecksum::default().and([&"000000000001".parse().unwrap()]);
        assert_eq!(
            body(&report),
            json!({
                "complete": false,
                "summary": {"targets": 2, "ok": 1, "failed": 0, "skipped": 1, "buckets": 2},
                "accounts": [
                    {
                        "accountId": "000000000001",
                        "name": "Größe & Co.",
                        "status": "ok",
                        "buckets": [
                            {"name": "a", "region": "eu-central-1", "created": "2023-11-14T22:13:20Z"},
                            {"name": "b"},
                        ],
                        "durationMs": 12.3,
                    },
                    {"accountId": "000000000002", "status": "skipped", "reason": "response-full"},
                ],
                "resume": token::write("list", Position { from, passed: Some(PassedAccounts { count: 8, checksum: seen }) }, &filter),
            })
        );
        assert!(text(&report).starts_with(r#"{"statusCode":207,"body":"{\"complete\":false,"#));
    }

    #[test]
    fn nothing_to_do_is_complete() {
        let selected = selected(0);
        let filter = Filter::default();
        let budget = ResponseBudget::new("list", &filter, &selected).unwrap();
        let report = budget.report(FanOutResult {
            outcomes: Vec::new(),
            resume: None,
        });
        assert!(text(&report).starts_with(r#"{"statusCode":200"#));
    }

    #[test]
    fn a_single_account_has_the_whole_response() {
        let selected = selected(1);
        let filter = Filter::default();
        let budget = ResponseBudget::new("list", &filter, &selected).unwrap();
        let report = |length: usize| {
            let answer = listed(["\"".repeat(length)]);
            let size = budget.measure(&selected.targets[0], &answer);
            let outcomes = vec![answer];
            let resume = None;
            (budget.report(FanOutResult { outcomes, resume }), size)
        };
        // A quotation mark is four characters: `\\\"`.
        let (empty, size) = report(0);
        let most = (budget.bytes() - size) / 4;
        assert_eq!(text(&report(most).0).len(), text(&empty).len() + most * 4);
        let spare = MAX_BYTES - text(&report(most).0).len();
        // The rest is reserved for longer numbers and the longer text of a 207.
        assert!(spare < 20, "{spare}");
        assert!(report(most + 1).1 > budget.bytes());
    }

    #[test]
    fn too_many_accounts_for_any_response() {
        let filter = Filter::default();
        assert!(ResponseBudget::new("list", &filter, &selected(50_000)).is_ok());
        let error = ResponseBudget::new("list", &filter, &selected(80_000)).unwrap_err();
        assert!(
            matches!(
                error,
                TooLarge::Accounts {
                    accounts: 80_000,
                    ..
                }
            ),
            "{error}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A response that stops at any account has at most the planned length. It is shorter only by what numbers and the
        /// token save.
        #[test]
        fn the_response_has_the_measured_length(
            names in vec(vec("[a-z\"\\\\ä\n]{0,40}", 0..6), 1..12),
            reached in any::<prop::sample::Index>(),
            name in proptest::option::of("[a-zäö会,]{1,20}"),
            before in 0..10_000_usize,
        ) {
            let targets: Vec<Target> = (0..names.len()).map(|number| target(number, name.as_deref())).collect();
            let selected = Selected {
                targets,
                passed: Some(PassedAccounts { count: before, checksum: PrefixChecksum::default() }),
                unlisted: BTreeSet::new(),
            };
            let filter = Filter { prefix: Some("a".to_owned()), ..Filter::default() };
            let budget = ResponseBudget::new("list", &filter, &selected).unwrap();
            let reached = reached.index(names.len()) + 1;
            let mut outcomes: Vec<AccountOutcome> = names.into_iter().map(listed).collect();
            let used: usize = selected.targets.iter().zip(&outcomes).take(reached)
                .map(|(target, answer)| budget.measure(target, answer)).sum();
            // An empty listing takes less than a skipped account.
            let short: usize = selected.targets.iter().zip(&outcomes).take(reached)
                .map(|(target, answer)| escaped(&Entry::skipped(target, SkipReason::ResponseFull))
                    .saturating_sub(escaped(&Entry::of(target, answer, false)))).sum();
            let count = outcomes.len();
            outcomes.truncate(reached);
            outcomes.resize(count, skipped());
            let resume = (reached < count).then_some(reached);
            let length = text(&budget.report(FanOutResult { outcomes, resume })).len();
            let planned = MAX_BYTES - budget.bytes() + used;
            prop_assert!(length <= planned, "{length} > {planned}");
            let token = if resume.is_none() { budget.token(0).len() + 20 } else { 0 };
            prop_assert!(length + short + token + 40 > planned, "{length}, planned {planned}");
        }
    }
}
