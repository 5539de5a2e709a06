//! Runs every scenario with every contender, in rounds, and writes the results.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{
    checks,
    fake::{Fake, Settings},
    files,
    machine::Machine,
    measurement::{self, Measurement},
    picture, print, publish, report,
    scenario::{Contender, Planned, Scenario, WarmCalls, plan},
    setup::Setup,
    summary::Summary,
};

/// After this time, a quick run starts no further round.
const QUICK_TIME_LIMIT: Duration = Duration::from_secs(25);

/// A contender whose process takes longer than this is not measured again in the same scenario: noise is small compared
/// with its time, and three rounds of the slowest would take half of the whole run.
const SINGLE_ROUND_THRESHOLD: Duration = Duration::from_secs(10);

/// Measures the whole plan, writes the report to the setup's output directory, and prints its tables.
///
/// # Errors
/// A process fails or does not list all buckets, or the function fails a [check](checks). The report is written even so,
/// but nothing is published.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let machine = Machine::this()?;
    if machine.is_busy() {
        let load = machine.load;
        print::note(&format!(
            "warning: the machine's load is {load:.1}; times may be too long"
        ));
    }
    let plan = plan(setup.quick);
    let mut fakes = Fakes::default();
    warm_up(setup, &plan, &mut fakes).await?;
    let Measured {
        measurements,
        failures,
    } = measure(setup, &plan, &mut fakes).await?;

    let summary = Summary::new(setup, machine, &measurements, failures);
    let report = report::whole(&summary);
    let output = &setup.output;
    files::write_json(&output.join("measurements.json"), &measurements)?;
    files::write_json(&output.join("summary.json"), &summary)?;
    files::write(&output.join("report.md"), &report)?;
    let picture = picture::draw(&summary)?;
    files::write(&output.join("bench.svg"), &picture)?;
    print::result(&report)?;
    // The first line; the rest was printed when it happened.
    let failures = summary
        .failures
        .iter()
        .filter_map(|failure| failure.lines().next());
    let mut problems: Vec<String> = failures.map(ToOwned::to_owned).collect();
    problems.extend(checks::violations(&summary));
    if !problems.is_empty() {
        let unchanged = match &setup.published {
            Some(directory) => format!(
                "; `{}` was not changed",
                directory.join("bench.json").display()
            ),
            None => String::new(),
        };
        bail!(
            "The benchmark failed:\n  {}\nhint: all other figures are in `{}`{unchanged}",
            problems.join("\n  "),
            output.display()
        );
    }
    if let Some(directory) = &setup.published {
        publish::figures(directory, &summary)?;
        files::write(&directory.join("bench.svg"), &picture)?;
        files::write(&output.join("performance.md"), &report::for_page(&summary))?;
    }
    Ok(())
}

/// Reads every program into the page cache, and lets the services render their pages.
async fn warm_up(setup: &Setup, plan: &[Planned], fakes: &mut Fakes) -> Result<()> {
    print::note("Warming up …");
    for (index, planned) in plan.iter().enumerate() {
        let scenario = planned.scenario;
        let fake = fakes.of(scenario).await?;
        for contender in Contender::all(scenario.work) {
            if index == 0 || *contender == Contender::Baseline {
                measurement::measure(setup, (scenario, *contender, 0), None, fake).await?;
            }
        }
    }
    Ok(())
}

/// Measures every contender once per round, so that a slow phase of the machine affects all of them. Each round starts
/// with another contender.
///
/// A contender that fails is reported and left out of the following rounds.
async fn measure(setup: &Setup, plan: &[Planned], fakes: &mut Fakes) -> Result<Measured> {
    let quick = setup.quick;
    let began = Instant::now();
    let rounds = plan.iter().map(|planned| planned.rounds).max().unwrap_or(0);
    let mut measurements = Vec::new();
    let mut failures = Vec::new();
    let mut finished: Vec<(Scenario, Contender)> = Vec::new();
    for round in 0..rounds {
        if quick && round > 0 && began.elapsed() > QUICK_TIME_LIMIT {
            break;
        }
        for planned in plan.iter().filter(|planned| round < planned.rounds) {
            let scenario = planned.scenario;
            print::note(&format!(
                "Round {} of {}: {scenario} ({:.0} s so far)",
                round + 1,
                planned.rounds,
                began.elapsed().as_secs_f64()
            ));
            let fake = fakes.of(scenario).await?;
            let mut contenders = Contender::all(scenario.work).to_vec();
            contenders.retain(|contender| planned.with_python || !contender.is_python());
            let first = round as usize % contenders.len().max(1);
            contenders.rotate_left(first);
            for (contender, calls) in processes(&contenders, planned) {
                if finished.contains(&(scenario, contender)) {
                    continue;
                }
                let case = (scenario, contender, round);
                let started = Instant::now();
                match measurement::measure(setup, case, calls, fake).await {
                    Ok(measurement) => {
                        measurements.push(measurement);
                        if started.elapsed() > SINGLE_ROUND_THRESHOLD {
                            finished.push((scenario, contender));
                        }
                    }
                    Err(error) => {
                        let failure = print::chain(&error);
                        print::note(&failure);
                        failures.push(failure);
                        finished.push((scenario, contender));
                    }
                }
            }
        }
    }
    Ok(Measured {
        measurements,
        failures,
    })
}

/// The processes of a round, in order: one per contender, and after each of them a share of the processes that are
/// started for their first call alone, so that these also follow every kind of process.
fn processes(contenders: &[Contender], planned: &Planned) -> Vec<(Contender, Option<WarmCalls>)> {
    let mut processes = Vec::new();
    for (index, contender) in contenders.iter().enumerate() {
        processes.push((*contender, Some(planned.warm)));
        let until = |index: usize| planned.starts as usize * index / contenders.len();
        for _ in until(index)..until(index + 1) {
            let native = contenders.iter().filter(|one| !one.is_python());
            processes.extend(native.map(|one| (*one, None)));
        }
    }
    processes
}

/// The result of all rounds.
#[derive(Debug)]
struct Measured {
    measurements: Vec<Measurement>,
    /// One per contender and scenario that failed.
    failures: Vec<String>,
}

/// The services: one process for each behaviour.
#[derive(Debug, Default)]
struct Fakes(Vec<Fake>);

impl Fakes {
    async fn of(&mut self, scenario: Scenario) -> Result<&mut Fake> {
        let settings = Settings {
            buckets: scenario.buckets_each(),
            latency_ms: scenario.latency_ms,
        };
        let known = self.0.iter().position(|fake| fake.settings() == settings);
        let index = if let Some(index) = known {
            index
        } else {
            self.0.push(Fake::start(settings).await?);
            self.0.len() - 1
        };
        Ok(&mut self.0[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contender_is_measured_once_and_the_starts_come_after_all_of_them() {
        for planned in plan(false) {
            let contenders = Contender::all(planned.scenario.work);
            let processes = processes(contenders, &planned);
            for contender in contenders {
                let of = |calls: bool| {
                    let of = |(one, some): &&(Contender, Option<WarmCalls>)| {
                        one == contender && some.is_some() == calls
                    };
                    processes.iter().filter(of).count()
                };
                assert_eq!(of(true), 1);
                let starts = if contender.is_python() {
                    0
                } else {
                    planned.starts as usize
                };
                assert_eq!(of(false), starts);
            }
            let follows = |pair: &[(Contender, Option<WarmCalls>)]| {
                pair[0].0.is_python() && pair[1].1.is_none()
            };
            assert_eq!(processes.windows(2).any(follows), planned.starts > 0);
        }
    }
}
