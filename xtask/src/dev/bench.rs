//! Measures the function against Python and a baseline, or measures the generator.
//!
//! This module builds and installs the programs; `crates/bench` measures them.

use std::{env, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    build::{Artifact, Package},
    dev::generated,
    sys::{
        console::{self, Step},
        files,
        process::{self, Program},
        workspace::Workspace,
    },
    tools::{self, Installed, Tool},
};
use environment::Architecture;

/// Requires an operating system that the benchmark supports.
///
/// # Errors
/// The operating system is not Linux.
pub(crate) fn require_linux() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!(
            "The benchmark runs on Linux only: it starts the function like Lambda and reads `/proc`"
        );
    }
    Ok(())
}

/// Measures the function and prints the tables. A full run also updates the figures in the documentation.
pub(crate) fn function(workspace: &Workspace, quick: bool) -> Result<()> {
    let python = tools::ensure(workspace, Tool::Awslambdaric)?;
    let handler = built(workspace, Package::Handler)?;
    let baseline = built(workspace, Package::Baseline)?;
    let output = output(workspace);
    let published = (!quick).then(|| published(workspace));
    let setup = json!({
        "quick": quick,
        "handler": handler,
        "baseline": baseline,
        "python": python.runtime,
        "pythonCode": workspace.root().join("crates").join("bench").join("python"),
        "output": output,
        "published": published,
        "versions": versions(workspace, &python)?,
    });
    measure(workspace, "measure", &setup)?;
    if quick { Ok(()) } else { redraw(workspace) }
}

/// Regenerates the figures in the documentation from those of the last full run.
pub(crate) fn redraw(workspace: &Workspace) -> Result<()> {
    let blocks = bench(workspace)?
        .args(["draw"])
        .args([published(workspace)])
        .quiet()
        .capture()?;
    let Blocks { readme, page } =
        serde_json::from_str(&blocks).context("Failed to read what the benchmark printed")?;
    generated::publish(workspace, "README.md", "performance", &readme)?;
    generated::publish(workspace, "docs/performance.md", "bench", &page)?;
    console::note("wrote docs/bench.svg, docs/performance.md and README.md from docs/bench.json");
    Ok(())
}

/// The blocks that the benchmark prints, in Markdown.
#[derive(Debug, Deserialize)]
struct Blocks {
    readme: String,
    page: String,
}

pub(crate) fn generator(workspace: &Workspace) -> Result<()> {
    let setup = json!({
        "cargo": cargo(),
        "xtask": process::own_path()?,
        "workspace": workspace.root(),
        "output": output(workspace),
    });
    measure(workspace, "generator", &setup)
}

/// Builds a package like the deployed function, but for this machine's architecture.
fn built(workspace: &Workspace, package: Package) -> Result<Value> {
    let architecture = if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86
    };
    let zip = workspace.target().join("bench").join(package.zip_name());
    let artifact = Artifact::build_as(workspace, package, architecture, None, zip)?;
    Ok(json!({
        "path": artifact.executable,
        "size": artifact.executable_size,
        "zipSize": artifact.size,
    }))
}

fn versions(workspace: &Workspace, python: &Installed) -> Result<Value> {
    const QUESTION: &str = "import json, platform; from importlib.metadata import version\n\
        print(json.dumps({'Python': platform.python_version(), 'boto3': version('boto3'), \
        'awslambdaric': version('awslambdaric')}))";
    let printed = python.program().args(["-c", QUESTION]).quiet().capture()?;
    let mut versions: Value =
        serde_json::from_str(&printed).context("Failed to read the versions of Python packages")?;
    let rustc = Program::new("rustc")
        .args(["--version"])
        .in_directory(workspace.root())
        .quiet()
        .capture()?;
    // `rustc 1.95.0 (hash date)`
    versions["Rust"] = rustc.split(' ').nth(1).unwrap_or_default().into();
    Ok(versions)
}

/// Starts the benchmark program with `setup`.
fn measure(workspace: &Workspace, what: &str, setup: &Value) -> Result<()> {
    let path = output(workspace).join(format!("{what}-setup.json"));
    files::write(&path, setup.to_string().as_bytes())?;
    bench(workspace)?
        .args([what])
        .args([path])
        .quiet()
        .run_for_results()
}

/// The benchmark program, built if it is out of date.
fn bench(workspace: &Workspace) -> Result<Program> {
    let step = Step::begin("Building the benchmark");
    Program::new(cargo())
        .called("cargo")
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "measure",
            "--package",
            "bench",
        ])
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_directory(workspace.root())
        .quiet()
        .run()?;
    step.done("");
    let program = workspace.target().join("measure").join("bench");
    Ok(Program::new(program).called("bench"))
}

/// The directory of the committed figures of a full run.
fn published(workspace: &Workspace) -> PathBuf {
    workspace.root().join("docs")
}

fn output(workspace: &Workspace) -> PathBuf {
    workspace.root().join("dist").join("bench")
}

fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
