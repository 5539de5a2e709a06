//! Every check and test the project has, the same that CI runs.

use std::env;

use anyhow::Result;

use crate::{
    sys::{
        console,
        process::{self, Program},
        workspace::Workspace,
    },
    tools,
};

/// From the quickest to the slowest; the first that fails ends the run.
pub(crate) fn run(workspace: &Workspace, quick: bool) -> Result<()> {
    let cargo = |arguments: &[&str]| local(workspace, cargo()).args(arguments);
    cargo(&["fmt", "--all", "--check"]).run()?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ])
    .run()?;
    typos(workspace)?.run()?;
    xtask(workspace)?.args(["check"]).run()?;
    cargo(&["test", "--locked"]).run_for_results()?;
    if quick {
        console::note("left out, for `--quick`: the benchmark and the end-to-end tests");
        return Ok(());
    }
    tools::ensure_all(workspace)?;
    // Fails on requests, connections and sizes; the times are told, and judged by nobody.
    xtask(workspace)?.args(["bench", "--quick"]).run()?;
    // Last, so that the output ends with a test runner's closing lines.
    cargo(&[
        "test",
        "--locked",
        "--package",
        "e2e",
        "--test",
        "end_to_end",
    ])
    .env("XTASK_BINARY", process::own_path()?)
    .run_for_results()
}

fn cargo() -> Program {
    Program::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).called("cargo")
}

fn typos(workspace: &Workspace) -> Result<Program> {
    Ok(local(workspace, tools::typos(workspace)?))
}

fn xtask(workspace: &Workspace) -> Result<Program> {
    let this = Program::new(process::own_path()?).called("cargo xtask");
    Ok(local(workspace, this))
}

/// No test may reach AWS: no setting of an AWS client is handed on, as to any [`Program`], the endpoint is one that nobody
/// answers, and the credentials are nobody's. The tests that need more bring their own.
fn local(workspace: &Workspace, program: Program) -> Program {
    program
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        // Cargo would take a relative one from the workspace's root.
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_folder(workspace.root())
}
