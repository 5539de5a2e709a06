//! What is done, by whom, and how often.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// How many accounts the function and the baseline list at a time: the default of the variables files.
const CONCURRENCY: u32 = 64;

/// From this number of accounts on they list [`MAX_CONCURRENCY`] at a time, and no Python takes part: it would take minutes.
const VERY_MANY: u32 = 10_000;

/// The most that a variables file allows.
const MAX_CONCURRENCY: u32 = 256;

/// What a call has to do, and how far away the services are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What a call lists.
    pub(crate) work: Work,
    /// How long STS and S3 take for an answer, in milliseconds.
    pub(crate) latency_ms: u64,
}

/// What a call lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Work {
    /// One account with so many buckets.
    Buckets(u32),
    /// So many accounts with 10 buckets each.
    Accounts(u32),
}

impl Scenario {
    pub(crate) const fn buckets(count: u32, latency_ms: u64) -> Self {
        Self {
            work: Work::Buckets(count),
            latency_ms,
        }
    }

    pub(crate) const fn accounts(count: u32, latency_ms: u64) -> Self {
        Self {
            work: Work::Accounts(count),
            latency_ms,
        }
    }

    /// How many accounts a call lists.
    pub(crate) fn account_count(self) -> u32 {
        match self.work {
            Work::Buckets(_) => 1,
            Work::Accounts(count) => count,
        }
    }

    /// How many buckets an account has.
    pub(crate) fn buckets_each(self) -> u32 {
        match self.work {
            Work::Buckets(count) => count,
            Work::Accounts(_) => 10,
        }
    }

    /// How many accounts the function and the baseline list at a time.
    pub(crate) fn concurrency(self) -> u32 {
        if self.account_count() < VERY_MANY {
            CONCURRENCY
        } else {
            MAX_CONCURRENCY
        }
    }

    /// The least that a first call for many accounts can take, by the latency and the concurrency alone.
    pub(crate) fn limit(self) -> Option<Duration> {
        let Work::Accounts(count) = self.work else {
            return None;
        };
        let turns = u64::from(count.div_ceil(self.concurrency()));
        Some(Duration::from_millis(turns * 2 * self.latency_ms)).filter(|limit| !limit.is_zero())
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, noun) = match self.work {
            Work::Buckets(count) => (count, "bucket"),
            Work::Accounts(count) => (count, "account"),
        };
        let plural = if count == 1 { "" } else { "s" };
        let count = thousands(count);
        write!(f, "{count} {noun}{plural}, {} ms", self.latency_ms)
    }
}

/// `10,000`.
pub(crate) fn thousands(number: u32) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", thousands(number / 1_000), number % 1_000)
    }
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Contender {
    /// The function, as it ships.
    Handler,
    /// Python as it is usually written: boto3 clients for each call; of many accounts, one after the other.
    Python,
    /// The same for many accounts, in a pool of 20 threads.
    PythonPool,
    /// Python with clients and credentials that are kept; many accounts in a pool of 20 threads with one client.
    TunedPython,
    /// The same requests, and nothing else.
    Baseline,
}

impl Contender {
    /// Who takes part.
    pub(crate) fn all(work: Work) -> &'static [Self] {
        match work {
            Work::Buckets(_) => &[
                Self::Handler,
                Self::Python,
                Self::TunedPython,
                Self::Baseline,
            ],
            Work::Accounts(_) => &[
                Self::Handler,
                Self::Python,
                Self::PythonPool,
                Self::TunedPython,
                Self::Baseline,
            ],
        }
    }

    /// What a person calls it.
    pub(crate) fn title(self, work: Work) -> &'static str {
        match (self, work) {
            (Self::Handler, _) => "this function",
            (Self::Python, Work::Buckets(_)) => "Python",
            (Self::Python, Work::Accounts(_)) => "Python, sequential",
            (Self::PythonPool, _) => "Python, 20 threads",
            (Self::TunedPython, Work::Buckets(_)) => "Python, tuned",
            (Self::TunedPython, Work::Accounts(_)) => "Python tuned, 20 threads",
            (Self::Baseline, _) => "baseline",
        }
    }

    /// Whether it is one of those in Python.
    pub(crate) fn is_python(self) -> bool {
        !matches!(self, Self::Handler | Self::Baseline)
    }

    /// Its name in a file's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Python => "python",
            Self::PythonPool => "python-pool",
            Self::TunedPython => "python-tuned",
            Self::Baseline => "baseline",
        }
    }
}

/// How often warm calls are made in a process: `most`, but not beyond `budget` (which begins with the process) once there
/// are `least`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WarmCalls {
    pub(crate) most: u32,
    pub(crate) least: u32,
    pub(crate) budget: Duration,
}

/// A scenario with how often it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) scenario: Scenario,
    pub(crate) rounds: u32,
    pub(crate) warm: WarmCalls,
    /// How many more processes of the function and the baseline each round starts, for the first call alone. It takes
    /// milliseconds, and the machine's own doings take some as well: a few of them would say little.
    pub(crate) starts: u32,
    /// Whether Python takes part: what takes it a minute is left out of a quick run.
    pub(crate) with_python: bool,
}

/// All that a run measures.
pub(crate) fn plan(quick: bool) -> Vec<Planned> {
    let calls = |most, least, seconds| WarmCalls {
        most,
        least,
        budget: Duration::from_secs(seconds),
    };
    let mut plan = Vec::new();
    for (count, latency) in [(10, 0), (10, 20), (10_000, 0), (10_000, 20)] {
        let warm = match (quick, count, latency) {
            (false, 10, 0) => calls(200, 100, 5),
            // 100 calls, because a p99 of fewer is only the maximum.
            (false, 10, _) => calls(100, 100, 5),
            // Python takes 0.6 s a call.
            (false, _, _) => calls(100, 5, 5),
            (true, 10, _) => calls(20, 5, 1),
            (true, _, _) => calls(5, 1, 1),
        };
        plan.push(Planned {
            scenario: Scenario::buckets(count, latency),
            rounds: match (quick, count, latency) {
                (false, 10, 0) => 5,
                (false, _, _) | (true, 10, _) => 3,
                (true, _, _) => 1,
            },
            warm,
            starts: if quick { 1 } else { 8 },
            with_python: true,
        });
    }
    for (count, latency) in [1, 10, 100, 1_000, VERY_MANY]
        .into_iter()
        .flat_map(|count| [(count, 0), (count, 20)])
        .filter(|(count, _)| !quick || *count < VERY_MANY)
    {
        plan.push(Planned {
            scenario: Scenario::accounts(count, latency),
            rounds: match (quick, count) {
                (true, _) => 1,
                (false, VERY_MANY) => 2,
                (false, _) => 3,
            },
            warm: match (quick, count) {
                (true, _) => calls(3, 1, 1),
                // Python takes up to a minute for the first call alone.
                (false, 1_000) => calls(20, 0, 5),
                (false, _) => calls(20, 1, 5),
            },
            starts: 0,
            with_python: (!quick && count < VERY_MANY) || (count, latency) == (10, 20),
        });
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            Scenario::buckets(10_000, 20).to_string(),
            "10,000 buckets, 20 ms"
        );
        assert_eq!(Scenario::accounts(1, 0).to_string(), "1 account, 0 ms");
        assert_eq!(thousands(1_000_000), "1,000,000");
        assert_eq!(thousands(12_034), "12,034");
    }

    #[test]
    fn the_limit_is_the_turns_times_two_requests() {
        assert_eq!(
            Scenario::accounts(1_000, 20).limit(),
            Some(Duration::from_millis(640))
        );
        // 40 turns of 256.
        assert_eq!(
            Scenario::accounts(10_000, 20).limit(),
            Some(Duration::from_millis(1_600))
        );
        assert_eq!(Scenario::accounts(1_000, 0).limit(), None);
        assert_eq!(Scenario::buckets(10, 20).limit(), None);
    }
}
