//! Tools from the npm registry, each with its own `node_modules`, run by the node in `PATH`.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};

use super::{Tool, expect_installed, version::Version};
use crate::sys::{
    files,
    process::{Program, find_program},
};

/// The lock files.
pub(super) const LOCK_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Finds node in `PATH`.
///
/// # Errors
/// It is missing.
pub(super) fn find_node() -> Result<PathBuf> {
    find_program("node").context(
        "`node` is not in `PATH`\n\
         hint: install Node.js 24 or newer, 22.13 or newer, or 20.19 or newer: `brew install node` (macOS), nodejs.org or a \
         version manager (Debian 12's package is too old)",
    )
}

/// Finds npm in `PATH`.
///
/// # Errors
/// It is missing.
pub(super) fn find_npm() -> Result<PathBuf> {
    find_program("npm").context(
        "`npm` is not in `PATH`\n\
         hint: npm is part of Node.js; on Debian and Ubuntu, run `apt install npm`",
    )
}

/// Checks that `node` is new enough for `tool`.
///
/// # Errors
/// It is too old.
pub(super) fn check_node(node: &Path, tool: Tool, lines: &[(u32, u32)]) -> Result<()> {
    let printed = version(node)?;
    let version: Version = printed.parse().map_err(|()| {
        anyhow!(
            "`{} --version` printed `{printed}`, which is not a version",
            node.display()
        )
    })?;
    if !is_supported(version, lines) {
        bail!(
            "{} needs Node.js {}; the `node` in `PATH` is {printed}\n\
             hint: install a newer one, and put it first in `PATH`",
            tool.name(),
            shown(lines)
        );
    }
    Ok(())
}

/// The version that `node` prints, such as `v24.1.0`.
///
/// # Errors
/// It cannot be started.
pub(super) fn version(node: &Path) -> Result<String> {
    let output = Program::new(node).args(["--version"]).quiet().collect()?;
    Ok(output.stdout.trim().to_owned())
}

/// Returns whether a version is supported. Each entry is a major and its first supported minor; later majors are supported too.
pub(super) fn is_supported(version: Version, lines: &[(u32, u32)]) -> bool {
    let after_the_last = lines.last().is_some_and(|last| version.major > last.0);
    let in_a_line = |line: &(u32, u32)| version.major == line.0 && version.minor >= line.1;
    after_the_last || lines.iter().any(in_a_line)
}

fn shown(lines: &[(u32, u32)]) -> String {
    let mut shown: Vec<String> = lines
        .iter()
        .map(|(major, minor)| format!("{major}.{minor}"))
        .collect();
    if let Some(last) = shown.last_mut() {
        last.push_str(" or newer");
    }
    shown.join(", ")
}

/// Installs the packages of `pins` into `directory`. No package code runs.
///
/// # Errors
/// A package cannot be downloaded or does not match its hash.
pub(super) fn install(npm: &Path, pins: &Path, directory: &Path, lock: &File) -> Result<()> {
    for name in LOCK_FILES {
        files::write(&directory.join(name), &files::read(&pins.join(name))?)?;
    }
    let packages = Program::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--no-progress", "--no-update-notifier", "--loglevel=error"])
        .in_directory(directory)
        .quiet();
    expect_installed(&packages, &packages.collect_under(lock)?)
}
