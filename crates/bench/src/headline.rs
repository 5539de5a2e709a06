//! The figures that the picture and the README show.

use crate::{
    figure::Figure,
    scenario::{Contender, Scenario},
};

/// The latency of STS and S3 in all of them, in milliseconds: an AWS service in the same region takes about as long.
pub(crate) const LATENCY_MS: u64 = 20;

/// The contenders: this function, the fastest Python and the baseline.
pub(crate) const CONTENDERS: [Contender; 3] = [
    Contender::Handler,
    Contender::TunedPython,
    Contender::Baseline,
];

/// One comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headline {
    pub(crate) title: &'static str,
    /// What is measured, in a few words.
    pub(crate) detail: &'static str,
    pub(crate) scenario: Scenario,
    pub(crate) figure: Figure,
}

pub(crate) const HEADLINES: [Headline; 3] = [
    Headline {
        title: "Cold start",
        detail: "from process start to the first response, 10 buckets",
        scenario: Scenario::buckets(10, LATENCY_MS),
        figure: Figure::Cold,
    },
    Headline {
        title: "Warm invocation",
        detail: "median, 10 buckets",
        scenario: Scenario::buckets(10, LATENCY_MS),
        figure: Figure::WarmP50,
    },
    Headline {
        title: "1,000 accounts",
        detail: "in one invocation, cold start included",
        scenario: Scenario::accounts(1_000, LATENCY_MS),
        figure: Figure::Cold,
    },
];
