//! Tools from the npm registry: each a folder with its own `node_modules`, run by the node of `PATH`.

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

/// What decides what is installed.
pub(super) const LOCK_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The node in `PATH`.
///
/// # Errors
/// There is none.
pub(super) fn find_node() -> Result<PathBuf> {
    find_program("node").context(
        "There is no `node` in `PATH`\n\
         hint: install Node.js 24, or 22.13 or 20.19 and newer: `brew install node` (macOS), nodejs.org or a version \
         manager (elsewhere; Debian 12's own is too old)",
    )
}

/// The npm in `PATH`.
///
/// # Errors
/// There is none.
pub(super) fn find_npm() -> Result<PathBuf> {
    find_program("npm").context(
        "There is no `npm` in `PATH`\n\
         hint: it comes with Node.js; Debian and Ubuntu have it apart: `apt install npm`",
    )
}

/// Whether the node at `node` is new enough for `tool`.
///
/// # Errors
/// It is not.
pub(super) fn check_node(node: &Path, tool: Tool, lines: &[(u32, u32)]) -> Result<()> {
    let printed = version(node)?;
    let version: Version = printed
        .parse()
        .map_err(|()| anyhow!("`{}` printed no version: `{printed}`", node.display()))?;
    if !is_supported(version, lines) {
        bail!(
            "{} needs Node.js {}, and the `node` in `PATH` is {printed}\n\
             hint: install a newer one, or put it first in `PATH`",
            tool.name(),
            shown(lines)
        );
    }
    Ok(())
}

/// What the node at `node` calls its version: `v24.1.0`.
///
/// # Errors
/// It cannot be started.
pub(super) fn version(node: &Path) -> Result<String> {
    let output = Program::new(node).args(["--version"]).quiet().collect()?;
    Ok(output.stdout.trim().to_owned())
}

/// Each line is a major and the first of its minors that will do; everything after the last line will do as well.
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

/// Installs what `pins` says into `folder`; no package's own code runs.
///
/// # Errors
/// A package could not be had.
pub(super) fn install(npm: &Path, pins: &Path, folder: &Path, lock: &File) -> Result<()> {
    for name in LOCK_FILES {
        files::write(&folder.join(name), &files::read(&pins.join(name))?)?;
    }
    let packages = Program::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--no-progress", "--no-update-notifier", "--loglevel=error"])
        .in_folder(folder)
        .quiet();
    expect_installed(&packages, &packages.collect_under(lock)?)
}
