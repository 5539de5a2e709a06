//! Summarizes the figures of all rounds, for the report, the picture and the documentation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    figure::Figure,
    machine::Machine,
    measurement::Measurement,
    scenario::{Contender, Scenario},
    setup::Setup,
    statistics::{median, quantile},
};

/// The summary of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Summary {
    /// The machine.
    pub(crate) machine: Machine,
    /// The versions of what was measured, by name.
    pub(crate) versions: BTreeMap<String, String>,
    /// Whether it was a quick run.
    pub(crate) quick: bool,
    /// The sizes of the contenders that are one executable.
    pub(crate) sizes: Vec<Sizes>,
    /// The failures, one per contender and scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<String>,
    /// The results, in the order of the plan.
    pub(crate) results: Vec<ResultOf>,
}

/// The sizes of a program, in MB.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sizes {
    pub(crate) contender: Contender,
    pub(crate) executable: f64,
    pub(crate) zip: f64,
}

/// The result of one contender in one scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResultOf {
    pub(crate) scenario: Scenario,
    pub(crate) contender: Contender,
    /// The number of processes measured.
    pub(crate) rounds: usize,
    /// The number of warm calls in all of them.
    pub(crate) warm_calls: usize,
    pub(crate) figures: BTreeMap<Figure, Spread>,
}

/// A figure over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` without values.
    fn of(values: &[f64]) -> Option<Self> {
        Some(Self {
            median: rounded(median(values)?),
            min: rounded(quantile(values, 0.0)?),
            max: rounded(quantile(values, 1.0)?),
        })
    }
}

/// Rounds to four decimals: tenths of a microsecond, hundreds of bytes.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

impl Summary {
    pub(crate) fn new(
        setup: &Setup,
        machine: Machine,
        measurements: &[Measurement],
        failures: Vec<String>,
    ) -> Self {
        let mut results: Vec<ResultOf> = Vec::new();
        for measurement in measurements {
            let Measurement {
                scenario,
                contender,
                ..
            } = *measurement;
            let is_same =
                |result: &ResultOf| (result.scenario, result.contender) == (scenario, contender);
            if results.iter().any(is_same) {
                continue;
            }
            let rounds: Vec<&Measurement> = measurements
                .iter()
                .filter(|other| (other.scenario, other.contender) == (scenario, contender))
                .collect();
            let figures = Figure::OF_PROCESS.into_iter().filter_map(|figure| {
                let values: Vec<f64> = rounds
                    .iter()
                    .filter_map(|round| round.figures.get(&figure).copied())
                    .collect();
                Some((figure, Spread::of(&values)?))
            });
            results.push(ResultOf {
                scenario,
                contender,
                rounds: rounds.len(),
                warm_calls: rounds.iter().map(|round| round.warm_ms.len()).sum(),
                figures: figures.collect(),
            });
        }
        results.sort_by_key(|result| (result.scenario, result.contender));
        let sizes = [
            (Contender::Handler, &setup.handler),
            (Contender::Baseline, &setup.baseline),
        ];
        #[expect(clippy::cast_precision_loss, reason = "sizes of files")]
        let sizes = sizes.map(|(contender, program)| Sizes {
            contender,
            executable: program.size as f64 / 1e6,
            zip: program.zip_size as f64 / 1e6,
        });
        Self {
            machine,
            versions: setup.versions.clone(),
            quick: setup.quick,
            sizes: sizes.into(),
            failures,
            results,
        }
    }

    /// The scenarios, in order.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let mut scenarios: Vec<Scenario> =
            self.results.iter().map(|result| result.scenario).collect();
        scenarios.dedup();
        scenarios
    }

    /// A contender's result.
    pub(crate) fn result(&self, scenario: Scenario, contender: Contender) -> Option<&ResultOf> {
        self.results
            .iter()
            .find(|result| (result.scenario, result.contender) == (scenario, contender))
    }

    /// A figure, if it was measured.
    pub(crate) fn figure(
        &self,
        scenario: Scenario,
        contender: Contender,
        figure: Figure,
    ) -> Option<Spread> {
        self.result(scenario, contender)?
            .figures
            .get(&figure)
            .copied()
    }

    /// A program's sizes.
    pub(crate) fn sizes(&self, contender: Contender) -> Option<Sizes> {
        self.sizes
            .iter()
            .find(|sizes| sizes.contender == contender)
            .copied()
    }
}
