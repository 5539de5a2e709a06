//! A whole run: every scenario, every contender, in rounds, and what is written of it.

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

/// When a quick run begins no further round.
const ENOUGH: Duration = Duration::from_secs(25);

/// Measures all that the plan says, writes the report into the setup's output folder, and prints its tables.
///
/// # Errors
/// A process fails or answers with something else than all the buckets, or the function is not as it must be in what noise
/// cannot cause (see [`checks`]); the report is written all the same.
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
    for (name, picture) in picture::single(&summary)? {
        files::write(&output.join(format!("{name}.svg")), &picture)?;
    }
    print::result(&report)?;
    // The first line: the rest was told when it happened.
    let failures = summary
        .failures
        .iter()
        .filter_map(|told| told.lines().next());
    let mut violations: Vec<String> = failures.map(ToOwned::to_owned).collect();
    violations.extend(checks::violations(&summary));
    if !violations.is_empty() {
        bail!("Not all is as it must be:\n  {}", violations.join("\n  "));
    }
    if let Some(folder) = &setup.published {
        publish::figures(folder, &summary)?;
        files::write(&folder.join("bench.svg"), &picture::whole(&summary)?)?;
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

/// Round by round, and in each round everything once: what slows the machine for a while slows all of them. Who begins is
/// another each round.
///
/// Who fails is told, and left out of the rounds that follow: the others' figures are worth their half an hour.
async fn measure(setup: &Setup, plan: &[Planned], fakes: &mut Fakes) -> Result<Measured> {
    let quick = setup.quick;
    let began = Instant::now();
    let rounds = plan.iter().map(|planned| planned.rounds).max().unwrap_or(0);
    let mut measurements = Vec::new();
    let mut failures: Vec<((Scenario, Contender), String)> = Vec::new();
    for round in 0..rounds {
        if quick && round > 0 && began.elapsed() > ENOUGH {
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
                let case = (scenario, contender, round);
                if failures
                    .iter()
                    .any(|(failed, _)| *failed == (scenario, contender))
                {
                    continue;
                }
                match measurement::measure(setup, case, calls, fake).await {
                    Ok(measurement) => measurements.push(measurement),
                    Err(error) => {
                        let told = print::chain(&error);
                        print::note(&told);
                        failures.push(((scenario, contender), told));
                    }
                }
            }
        }
    }
    Ok(Measured {
        measurements,
        failures: failures.into_iter().map(|(_, told)| told).collect(),
    })
}

/// The processes of a round, in order: each contender's, and after each of them its share of those that are started for
/// their first call alone, so that these, too, come after all kinds of others.
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

/// What came of all rounds.
#[derive(Debug)]
struct Measured {
    measurements: Vec<Measurement>,
    /// Who failed, and why.
    failures: Vec<String>,
}

/// The services, started once for each way they behave.
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
