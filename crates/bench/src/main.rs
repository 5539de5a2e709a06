//! Development only: measures the function, the same function in Python, and the baseline.
//!
//! `cargo xtask bench` builds what is measured and runs `bench measure SETUP.json`.
//!
//! [`setup`] (paths) → [`scenario`] (the plan) → [`measurement`] (one process) → [`summary`] (all rounds) → [`report`] and
//! [`picture`]. The functions run as processes with a Runtime API in this process; STS and S3 run in another process
//! ([`fake`]).
//!
//! Not here: building and installing, which xtask does, and limits on times (see [`checks`]).

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
            "Usage: bench measure|generator SETUP.json, or bench draw DIRECTORY\nhint: run `cargo xtask bench` instead"
        ),
    }
}

/// Runs to the end or to a signal, which drops `run` and ends the processes that it started.
fn until_interrupted(run: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    // A single thread, which leaves the CPU to the measured processes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("Failed to start the async runtime")?;
    runtime.block_on(async {
        let mut interrupt =
            signal(SignalKind::interrupt()).context("Failed to register signal handlers")?;
        let mut terminate =
            signal(SignalKind::terminate()).context("Failed to register signal handlers")?;
        tokio::select! {
            outcome = run => outcome.map(|()| ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
        }
    })
}
