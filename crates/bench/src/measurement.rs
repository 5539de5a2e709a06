//! Measures one process from start to end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    fake::Fake,
    figure::Figure,
    function::Function,
    scenario::{Contender, Scenario, WarmCalls, Work},
    setup::Setup,
    statistics::{median, quantile},
};

/// The measurement of one process.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    /// The scenario.
    pub(crate) scenario: Scenario,
    /// The contender.
    pub(crate) contender: Contender,
    /// The round, from 0.
    pub(crate) round: u32,
    /// The figures, in their units.
    pub(crate) figures: BTreeMap<Figure, f64>,
    /// Every warm call in order, in milliseconds.
    pub(crate) warm_ms: Vec<f64>,
}

/// Starts the process, makes the first call and the warm `calls`, and ends it. With `None`, only the first call is made.
///
/// # Errors
/// It fails, or does not list all buckets.
pub(crate) async fn measure(
    setup: &Setup,
    (scenario, contender, round): (Scenario, Contender, u32),
    calls: Option<WarmCalls>,
    fake: &mut Fake,
) -> Result<Measurement> {
    let measure = async {
        let began = Instant::now();
        fake.take_counts().await?;
        let (mut function, started) =
            Function::start(setup, scenario, contender, fake.endpoint()).await?;
        let after_init = function.processor_time()?;

        // Without our own pause between init and event.
        let cold = started.init + function.call().await?;
        function.wait_until_ready().await?;
        let after_cold = function.processor_time()?;
        let cold_counts = fake.take_counts().await?;

        let mut figures = BTreeMap::from([
            (Figure::Init, milliseconds(started.init)),
            (Figure::Cold, milliseconds(cold)),
            (Figure::InitProcessor, milliseconds(after_init)),
            (
                Figure::ColdProcessor,
                milliseconds(after_cold.saturating_sub(after_init)),
            ),
            (Figure::ColdAssume, float(cold_counts.assume)),
            (Figure::ColdList, float(cold_counts.list)),
            (Figure::ColdConnections, float(cold_counts.connections)),
        ]);
        let Some(calls) = calls else {
            function.end().await?;
            return Ok(Measurement {
                scenario,
                contender,
                round,
                figures,
                warm_ms: Vec::new(),
            });
        };

        let mut warm = Vec::new();
        while warm.len() < calls.max as usize
            && (warm.len() < calls.min as usize || began.elapsed() < calls.budget)
        {
            warm.push(function.call().await?);
            function.wait_until_ready().await?;
        }
        let after_warm = function.processor_time()?;
        let warm_counts = fake.take_counts().await?;
        let warm_calls = after_warm.saturating_sub(after_cold);
        figures.insert(Figure::Memory, float(function.peak_memory()?) / 1e6);
        function.end().await?;

        if let Work::Accounts(count) = scenario.work {
            let each = figures[&Figure::ColdProcessor] / f64::from(count);
            figures.insert(Figure::ProcessorPerAccount, each);
        }
        let warm_ms: Vec<f64> = warm.into_iter().map(milliseconds).collect();
        if let (Some(p50), Some(p99)) = (median(&warm_ms), quantile(&warm_ms, 0.99)) {
            let count = float(warm_ms.len() as u64);
            // With fewer, it is nearly the maximum.
            if warm_ms.len() >= 100 {
                figures.insert(Figure::WarmP99, p99);
            }
            figures.extend([
                (Figure::WarmP50, p50),
                (Figure::WarmProcessor, milliseconds(warm_calls) / count),
                (Figure::WarmAssume, float(warm_counts.assume) / count),
                (Figure::WarmList, float(warm_counts.list) / count),
                (
                    Figure::WarmConnections,
                    float(warm_counts.connections) / count,
                ),
            ]);
        }
        Ok(Measurement {
            scenario,
            contender,
            round,
            figures,
            warm_ms,
        })
    };
    let outcome: Result<Measurement> = measure.await;
    outcome.with_context(|| {
        let title = contender.title(scenario.work);
        format!("Failed to measure {title} with {scenario}")
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes, far below 2^52"
)]
fn float(number: u64) -> f64 {
    number as f64
}
