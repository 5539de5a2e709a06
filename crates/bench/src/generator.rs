//! Measures the generator: its first start, including compilation, and its everyday commands.
//!
//! Each command runs as a process in a workspace of its own. The goals are for an idle machine, and only reported.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike as _},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    figure::{Unit, digits},
    files,
    machine::Machine,
    print,
    statistics::{median, quantile},
};

/// The number of runs of a fast command.
const RUNS: u32 = 21;

/// The input from `cargo xtask bench --generator`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GeneratorSetup {
    /// The path of cargo.
    cargo: PathBuf,
    /// The generator, as `cargo xtask` builds it.
    xtask: PathBuf,
    /// The workspace.
    workspace: PathBuf,
    /// The directory for the report.
    output: PathBuf,
}

/// A figure and its goal.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: &'static str,
    unit: &'static str,
    /// The figure should be less than this.
    goal: Option<f64>,
    /// One per run; none if the generator rejects the input.
    values: Vec<f64>,
    /// The CPU time of a run, in the same unit. Other processes on the machine do not affect it.
    processor: Option<f64>,
}

/// Runs of a command, in milliseconds.
#[derive(Debug, Default)]
struct Runs {
    times: Vec<f64>,
    /// The mean.
    processor: Option<f64>,
}

impl Row {
    fn of_runs(name: &'static str, runs: Runs, goal: f64) -> Self {
        Self {
            name,
            unit: "ms",
            goal: Some(goal),
            values: runs.times,
            processor: runs.processor,
        }
    }

    fn of_one(name: &'static str, value: f64, unit: &'static str, goal: Option<f64>) -> Self {
        Self {
            name,
            unit,
            goal,
            values: vec![value],
            processor: None,
        }
    }
}

/// Measures everything, writes `generator.md` and `generator.json`, and prints the table.
///
/// # Errors
/// A command fails.
pub(crate) async fn run(setup: &GeneratorSetup) -> Result<()> {
    let machine = Machine::this()?;
    let mut rows = Vec::new();

    print::note("render …");
    let small = Workspace::like(setup)?;
    let render = ["render", "--env", "dev", "--stdout"];
    let runs = small.runs(setup, &render, RUNS).await?;
    rows.push(Row::of_runs("`render`", runs, 30.0));
    // The maximum of all child processes so far, which are all `render`.
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN).context("Failed to read the peak memory")?;
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of a small program")]
    let megabytes = memory.max_rss() as f64 * 1_024.0 / 1e6;
    rows.push(Row::of_one(
        "`render`, peak RSS",
        megabytes,
        "MB",
        Some(20.0),
    ));

    print::note("check, 1,000 stages …");
    let many_stages = Workspace::like(setup)?;
    for number in 1..=1_000 {
        many_stages.add_stage(&format!("s{number}"), &stage(number))?;
    }
    let runs = many_stages.runs(setup, &["check"], 5).await?;
    rows.push(Row::of_runs("`check`, 1,000 stages", runs, 1_000.0));

    print::note("render, 5,000 targets …");
    let many_targets = Workspace::like(setup)?;
    many_targets.add_stage("many", &stage_of_targets(5_000))?;
    let render = ["render", "--env", "many"];
    let runs = if many_targets.accepts(setup, &render).await? {
        many_targets.runs(setup, &render, 5).await?
    } else {
        Runs::default()
    };
    rows.push(Row::of_runs("`render`, 5,000 targets", runs, 200.0));

    print::note("cargo xtask --help, from an empty target directory …");
    let name = "first `cargo xtask --help`, with compilation";
    let FirstStart {
        seconds,
        processor,
        crates,
    } = first_start(setup).await?;
    let mut row = Row::of_one(name, seconds, "s", Some(40.0));
    row.processor = Some(processor);
    rows.push(row);
    rows.push(Row::of_one("crates in xtask's tree", crates, "", None));

    let table = table(&machine, &rows);
    files::write_json(&setup.output.join("generator.json"), &rows)?;
    files::write(&setup.output.join("generator.md"), &table)?;
    print::result(&table)?;
    Ok(())
}

fn table(machine: &Machine, rows: &[Row]) -> String {
    let mut text =
        "# At the terminal\n\n| figure | median | min–max | CPU | goal |\n|---|--:|--:|--:|--:|\n"
            .to_owned();
    for row in rows {
        let unit = if row.unit.is_empty() {
            String::new()
        } else {
            format!(" {}", row.unit)
        };
        let show = |value: f64| {
            if row.unit.is_empty() {
                Unit::Count.show(value)
            } else {
                digits(value)
            }
        };
        let dash = || "–".to_owned();
        let median = median(&row.values).map_or_else(
            || "not supported yet".to_owned(),
            |value| show(value) + &unit,
        );
        let ends = quantile(&row.values, 0.0).zip(quantile(&row.values, 1.0));
        let spread = ends
            .filter(|(least, most)| least < most)
            .map_or_else(dash, |(least, most)| {
                format!("{}–{}", show(least), show(most))
            });
        let processor = row.processor.map_or_else(dash, |value| show(value) + &unit);
        let goal = row
            .goal
            .map_or_else(dash, |goal| format!("< {}{unit}", Unit::Count.show(goal)));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {median} | {spread} | {processor} | {goal} |",
            row.name
        );
    }
    let _ = writeln!(
        text,
        "\nCPU is user and system time per run. Measured on {} ({} cores, {} GB), Linux {}.",
        machine.processor, machine.cores, machine.memory_gb, machine.linux
    );
    text
}

/// A temporary workspace for the generator.
#[derive(Debug)]
struct Workspace(TempDir);

impl Workspace {
    /// Copies the templates, the stage `dev` and the generated files of the real workspace.
    fn like(setup: &GeneratorSetup) -> Result<Self> {
        let directory = TempDir::new().context("Failed to create a directory for a workspace")?;
        for path in [
            "environments/variables.dev.yml",
            "environments/variables.schema.json",
        ] {
            files::write(
                &directory.path().join(path),
                &files::read(&setup.workspace.join(path))?,
            )?;
        }
        for name in ["docs", "templates"] {
            files::copy_dir(&setup.workspace.join(name), &directory.path().join(name))?;
        }
        Ok(Self(directory))
    }

    fn add_stage(&self, name: &str, text: &str) -> Result<()> {
        let file = format!("variables.{name}.yml");
        files::write(&self.0.path().join("environments").join(file), text)
    }

    /// Measures `count` runs of the generator.
    async fn runs(&self, setup: &GeneratorSetup, arguments: &[&str], count: u32) -> Result<Runs> {
        let mut times = Vec::new();
        let mut before = Duration::ZERO;
        // The first run fills the page cache.
        for run in 0..=count {
            if run == 1 {
                before = processor_time_of_children()?;
            }
            let started = Instant::now();
            if !self.accepts(setup, arguments).await? {
                bail!(
                    "The generator rejected its input: `xtask {}`",
                    arguments.join(" ")
                );
            }
            if run > 0 {
                times.push(milliseconds(started.elapsed()));
            }
        }
        let used = processor_time_of_children()?.saturating_sub(before);
        let processor = Some(milliseconds(used) / f64::from(count));
        Ok(Runs { times, processor })
    }

    /// Returns whether the generator accepts its input.
    ///
    /// # Errors
    /// It fails for another reason.
    async fn accepts(&self, setup: &GeneratorSetup, arguments: &[&str]) -> Result<bool> {
        let status = Command::new(&setup.xtask)
            .arg("--workspace")
            .arg(self.0.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .with_context(|| format!("Failed to start `{}`", setup.xtask.display()))?;
        match status.code() {
            Some(0) => Ok(true),
            Some(2) => Ok(false),
            _ => bail!("`xtask {}` failed ({status})", arguments.join(" ")),
        }
    }
}

/// The first `cargo xtask --help` in a new clone.
#[derive(Debug)]
struct FirstStart {
    seconds: f64,
    /// CPU time of the compiler, in seconds.
    processor: f64,
    /// The number of crates it compiles.
    crates: f64,
}

async fn first_start(setup: &GeneratorSetup) -> Result<FirstStart> {
    let target = TempDir::new().context("Failed to create a target directory")?;
    let before = processor_time_of_children()?;
    let started = Instant::now();
    cargo(setup, &["xtask", "--help"], target.path()).await?;
    let seconds = started.elapsed().as_secs_f64();
    let processor = processor_time_of_children()?.saturating_sub(before);
    let tree = [
        "tree",
        "--package",
        "xtask",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ];
    let tree = cargo(setup, &tree, target.path()).await?;
    // By name and version: a crate that is built twice counts once.
    let crates: BTreeSet<Vec<&str>> = tree
        .lines()
        .map(|line| line.split(' ').take(2).collect())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "some hundred")]
    let crates = crates.len() as f64;
    Ok(FirstStart {
        seconds,
        processor: processor.as_secs_f64(),
        crates,
    })
}

/// The user and system time of all descendants that have ended.
fn processor_time_of_children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("Failed to read processor times")?;
    let time = |value: TimeVal| {
        let micros = u64::try_from(value.num_microseconds()).unwrap_or(0);
        Duration::from_micros(micros)
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

async fn cargo(setup: &GeneratorSetup, arguments: &[&str], target: &Path) -> Result<String> {
    let output = Command::new(&setup.cargo)
        .args(arguments)
        .current_dir(&setup.workspace)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("Failed to start cargo")?;
    if !output.status.success() {
        bail!(
            "`cargo {}` failed ({})\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A single-account stage.
fn stage(number: u32) -> String {
    format!(
        "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
         target-account-id: \"{number:012}\"\ns3-read-role: MyS3ReadRole\n"
    )
}

/// A stage with many targets.
fn stage_of_targets(count: u32) -> String {
    let mut text =
        "admin-account-id: \"111111111111\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
                    s3-read-role: MyS3ReadRole\ntargets:\n"
            .to_owned();
    for number in 1..=count {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - account-id: \"{number:012}\"");
    }
    text
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
