//! Runs every check and test of the project, like CI.

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

/// Runs the checks, fastest first, and stops at the first failure.
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
    cargo(&[
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--locked",
    ])
    .env("RUSTDOCFLAGS", "--deny warnings")
    .run()?;
    typos(workspace)?.run()?;
    xtask(workspace)?.args(["check"]).run()?;
    cargo(&["test", "--locked"]).run_for_results()?;
    if quick {
        console::note("Skipped with `--quick`: the benchmark and the end-to-end tests");
        return Ok(());
    }
    tools::ensure_all(workspace)?;
    // Checks numbers of requests and connections, and sizes. Times are printed but not checked.
    xtask(workspace)?.args(["bench", "--quick"]).run()?;
    // Last, so that the output ends with the test runner's closing lines.
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

/// Ensures that no test can reach AWS: AWS settings are not passed on, nothing listens at the endpoint, and the credentials are
/// invalid. Tests that need more set their own.
fn local(workspace: &Workspace, program: Program) -> Program {
    program
        .env("AWS_ACCESS_KEY_ID", "none")
        .env("AWS_SECRET_ACCESS_KEY", "none")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        // Cargo would resolve a relative path from the workspace's root.
        .env("CARGO_TARGET_DIR", workspace.target())
        .in_directory(workspace.root())
}
