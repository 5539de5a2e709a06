//! The answer for many accounts, and how large it is.
//!
//! ```json
//! {"statusCode": 207, "body": "{\"complete\": false, \"summary\": {…}, \"accounts\": [{…}], \"resume\": \"…\"}"}
//! ```
//!
//! Lambda carries some 6 MB ([`LONGEST`]). The body is a JSON text within the JSON, so what counts is its length with
//! the quotation marks and backslashes escaped once more. Every account of a call is in the answer, those that were
//! skipped as well, and there may be a token; so what an account may add to the answer is what it takes more than if it
//! were skipped, out of what is left when all are skipped and there is a token ([`Plan`]).
//!
//! Nothing of it is held as text: it is written once, when the answer is sent, straight into what is sent.

use contract::{Target, TargetName};
use cross_account::{Answer, Answers, Bucket, Outcome, SkipReason};
use serde::{Serialize, Serializer};

use crate::{
    event::{Narrowing, Position},
    milliseconds,
    response::{Buckets, Frame, LONGEST, Text, TooLarge, escaped, length},
    selection::Selected,
    token,
};

/// The answer. Serialises as what is sent.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    targets: Vec<Target>,
    answers: Vec<Answer>,
    detail: bool,
    resume: Option<String>,
    summary: Summary,
}

/// How many accounts there were, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// In this call.
    pub(crate) targets: usize,
    pub(crate) ok: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// In the answer, those of accounts that failed half-way included.
    pub(crate) buckets: usize,
}

/// How much room a call has, and how its answer is made.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    function: &'a str,
    narrowing: &'a Narrowing,
    selected: &'a Selected,
    budget: usize,
}

impl<'a> Plan<'a> {
    /// The plan of a call of `function` for the accounts `selected`.
    ///
    /// # Errors
    /// The accounts are so many that the answer has no room for what became of one.
    pub(crate) fn new(
        function: &'a str,
        narrowing: &'a Narrowing,
        selected: &'a Selected,
    ) -> Result<Self, TooLarge> {
        /// What a failure takes at most, with room to spare: AWS's message is cut at some 2,000 bytes.
        const LEAST: usize = 65_536;
        let mut plan = Self {
            function,
            narrowing,
            selected,
            budget: 0,
        };
        let targets = &selected.targets;
        // Nothing is skipped where there is but one.
        let token = targets.last().filter(|_| targets.len() > 1);
        // No number can be longer: a bucket has three characters, and as many around it.
        let most = Summary {
            targets: targets.len(),
            ok: targets.len(),
            failed: targets.len(),
            skipped: targets.len(),
            buckets: LONGEST,
        };
        let frame = Frame {
            status_code: 207,
            body: Text(Body {
                complete: false,
                summary: most,
                accounts: [(); 0],
                resume: token.map(|_| plan.token(targets.len())),
            }),
        };
        let skipped: usize = targets
            .iter()
            .map(|target| escaped(&Entry::skipped(target, SkipReason::ResponseFull)) + 1)
            .sum();
        let bytes = length(&frame) + skipped;
        plan.budget = LONGEST.saturating_sub(bytes);
        if plan.budget < LEAST && targets.len() > 1 {
            let accounts = targets.len();
            return Err(TooLarge::Accounts { accounts, bytes });
        }
        Ok(plan)
    }

    /// What the accounts that are reached may add to the answer, in bytes.
    pub(crate) fn budget(&self) -> usize {
        self.budget
    }

    /// What an account adds to the answer.
    pub(crate) fn measure(&self, target: &Target, answer: &Answer) -> usize {
        let skipped = Entry::skipped(target, SkipReason::ResponseFull);
        escaped(&Entry::of(target, answer, self.narrowing.detail)).saturating_sub(escaped(&skipped))
    }

    /// The answer.
    pub(crate) fn report(&self, answers: Answers) -> Report {
        let Answers { answers, resume } = answers;
        Report {
            summary: Summary::of(&answers),
            resume: resume.map(|index| self.token(index)),
            targets: self.selected.targets.clone(),
            answers,
            detail: self.narrowing.detail,
        }
    }

    /// The token that goes on with the account at `index`, or one as long.
    fn token(&self, index: usize) -> String {
        let targets = &self.selected.targets;
        let Some(target) = targets.get(index).or(targets.last()) else {
            return String::new();
        };
        let position = Position {
            from: target.account.clone(),
            at: self.selected.before + index,
        };
        token::write(self.function, position, self.narrowing)
    }
}

impl Report {
    /// How many accounts there were, and what became of them.
    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Each account with what became of it.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Target, &Answer)> {
        self.targets.iter().zip(&self.answers)
    }
}

impl Summary {
    fn of(answers: &[Answer]) -> Self {
        let mut summary = Self {
            targets: answers.len(),
            ..Self::default()
        };
        for answer in answers {
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

/// What became of an account. Keys without a value are left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Buckets<&'a [Bucket]>>,
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
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    retryable: bool,
}

impl<'a> Entry<'a> {
    fn of(target: &'a Target, answer: &'a Answer, detail: bool) -> Self {
        let list = |buckets: &'a [Bucket]| Some(Buckets { buckets, detail });
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
