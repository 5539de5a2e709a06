//! Development only: measures the function, the same function in Python, and the baseline.
//!
//! `cargo xtask bench` builds what is measured and runs `bench measure SETUP.json`.
//!
//! Setup (what, and where it lies) → [`scenario`] (what is done, and how often) → [`measurement`] (one process) →
//! [`summary`] (all rounds) → [`report`] and [`picture`]. The functions run as processes under `runtime-api`, which is
//! in this process; STS and S3 are a process of their own ([`fake`]).
//!
//! What is *not* here: building and installing, which xtask does, and any judgement of times (see [`checks`]).

mod checks;
mod fake;
mod figure;
mod files;
mod function;
mod generator;
mod headline;
mod machine;
mod measurement;
mod picture;
mod print;
mod publish;
mod report;
mod run;
mod scenario;
mod setup;
mod statistics;
mod summary;
mod usage;

use std::{env, future::Future, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match begin() {
        Ok(status) => status,
        Err(error) => {
            print::note(&format!("error: {}", print::chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn begin() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [fake::ARGUMENT] => fake::serve().map(|()| ExitCode::SUCCESS),
        ["measure", setup] => {
            let setup = files::read_json(Path::new(setup))?;
            until_interrupted(run::run(&setup))
        }
        ["draw", folder] => publish::draw(Path::new(folder)).map(|()| ExitCode::SUCCESS),
        ["generator", setup] => {
            let setup = files::read_json(Path::new(setup))?;
            until_interrupted(generator::run(&setup))
        }
        _ => bail!(
            "bench measure|generator SETUP.json, or bench draw FOLDER\nhint: `cargo xtask bench` starts it as it must be"
        ),
    }
}

/// Runs it to its end. When this process is asked to end before, it is dropped, and all that it started ends with it.
fn until_interrupted(run: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    // Current-thread: whoever is measured needs the processors.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("Failed to start")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("Failed to watch signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("Failed to watch signals")?;
        tokio::select! {
            outcome = run => outcome.map(|()| ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
        }
    })
}
