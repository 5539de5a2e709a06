//! Scenarios, contenders, and the plan of a run.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// How many accounts the function and the baseline list at a time: the default of the variables files.
const CONCURRENCY: u32 = 64;

/// From this number of accounts on, the concurrency is [`MAX_CONCURRENCY`] and Python is left out: it would take minutes.
const VERY_MANY: u32 = 10_000;

/// The maximum that a variables file allows.
const MAX_CONCURRENCY: u32 = 256;

/// The work of a call, and the latency of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The work of a call.
    pub(crate) work: Work,
    /// The latency of STS and S3, in milliseconds.
    pub(crate) latency_ms: u64,
}

/// The work of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Work {
    /// Lists one account with this many buckets.
    Buckets(u32),
    /// Lists this many accounts with 10 buckets each.
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

    /// The number of accounts in a call.
    pub(crate) fn account_count(self) -> u32 {
        match self.work {
            Work::Buckets(_) => 1,
            Work::Accounts(count) => count,
        }
    }

    /// The number of buckets in each account.
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

    /// The minimum duration of a first call for many accounts, from latency and concurrency alone.
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

/// A function that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Contender {
    /// The function, as it ships.
    Handler,
    /// Python as it is usually written: boto3 clients for each call; many accounts one after the other.
    Python,
    /// The same with a pool of 20 threads for many accounts.
    PythonPool,
    /// Python that keeps clients and credentials; a pool of 20 threads with one client for many accounts.
    TunedPython,
    /// A minimal function with the same requests.
    Baseline,
}

impl Contender {
    /// The contenders.
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

    /// The title in tables.
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

    /// Returns whether it is written in Python.
    pub(crate) fn is_python(self) -> bool {
        !matches!(self, Self::Handler | Self::Baseline)
    }

    /// The name in file names.
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

/// The number of warm calls in a process: up to `max`, fewer once `budget` (since the start of the process) is used up,
/// but at least `min`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WarmCalls {
    pub(crate) max: u32,
    pub(crate) min: u32,
    pub(crate) budget: Duration,
}

/// A scenario and the number of its measurements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) scenario: Scenario,
    pub(crate) rounds: u32,
    pub(crate) warm: WarmCalls,
    /// How many more processes of the function and the baseline each round starts, for the first call alone. It takes
    /// milliseconds, and the machine's own doings take some as well: a few of them would say little.
    pub(crate) starts: u32,
    /// Whether Python is measured: a quick run leaves out what takes it a minute.
    pub(crate) with_python: bool,
}

/// The plan of a run.
pub(crate) fn plan(quick: bool) -> Vec<Planned> {
    let calls = |max, min, seconds| WarmCalls {
        max,
        min,
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
    fn limit_is_two_requests_per_turn() {
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
