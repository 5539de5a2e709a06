//! Installs and runs the pinned tools.
//!
//! Each tool is installed from its lock files (`xtask/tools/NAME`) into `target/tools/NAME/KEY`. The key is a hash of the lock
//! files, so a changed pin gets a new directory. A stamp is written last: a directory without one is incomplete and is installed
//! again.
//!
//! Not here: the tools' arguments.

mod npm;
mod pypi;
mod version;

use std::{
    fmt::Write as _,
    fs::File,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result, bail};
use hmac_sha256::Hash;
use serde::{Deserialize, Serialize};

use crate::sys::{
    console::{self, Step},
    files,
    process::{Collected, Program},
    workspace::Workspace,
};

/// The version of the installation procedure. Changing it reinstalls every tool.
const RECIPE: &str = "1";

/// A tool with a pinned version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The maintained open-source fork of Serverless v3.
    Osls,
    /// The last Serverless release that needs no account.
    Serverless3,
    /// The release build, with zig as its linker.
    CargoLambda,
    /// The emulator.
    Ministack,
    /// The linter for `CloudFormation` templates.
    CfnLint,
    /// The spell checker.
    Typos,
    /// Lambda's runtime for Python, with boto3, for comparison in the benchmark.
    Awslambdaric,
}

/// The registry of a tool, and the program that is started.
#[derive(Debug)]
enum Registry {
    /// A script of the npm package, run by node.
    Npm {
        script: &'static str,
        /// The supported Node.js releases: the first minor of each supported major; majors after the last are supported too.
        nodes: &'static [(u32, u32)],
    },
    /// A program in the virtual environment of the Python package.
    PyPi { program: &'static str },
}

impl Tool {
    /// Every tool.
    pub(crate) const ALL: [Self; 7] = [
        Self::Osls,
        Self::Serverless3,
        Self::CargoLambda,
        Self::Ministack,
        Self::CfnLint,
        Self::Typos,
        Self::Awslambdaric,
    ];

    /// The tools that build, package and deploy a stage; the others are for developing this project.
    pub(crate) const FOR_PACKAGES: [Self; 3] = [Self::Osls, Self::CargoLambda, Self::CfnLint];

    /// The name of its package, and of the directory with its lock files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Osls => "osls",
            Self::Serverless3 => "serverless",
            Self::CargoLambda => "cargo-lambda",
            Self::Ministack => "ministack",
            Self::CfnLint => "cfn-lint",
            Self::Typos => "typos",
            Self::Awslambdaric => "awslambdaric",
        }
    }

    fn registry(self) -> Registry {
        match self {
            Self::Osls => Registry::Npm {
                script: "node_modules/osls/bin/serverless.js",
                nodes: &[(20, 19), (22, 13), (24, 0)],
            },
            Self::Serverless3 => Registry::Npm {
                script: "node_modules/serverless/bin/serverless.js",
                nodes: &[(12, 0)],
            },
            Self::CargoLambda => Registry::PyPi {
                program: "cargo-lambda",
            },
            // Started by xtask/tools/ministack/launch.py and by crates/bench.
            Self::Ministack | Self::Awslambdaric => Registry::PyPi { program: "python" },
            Self::CfnLint => Registry::PyPi {
                program: "cfn-lint",
            },
            Self::Typos => Registry::PyPi { program: "typos" },
        }
    }

    /// The preferred Python, if any.
    fn preferred_python(self) -> Option<&'static str> {
        // The release that the published benchmark uses.
        (self == Self::Awslambdaric).then_some("python3.11")
    }

    fn lock_files(self) -> &'static [&'static str] {
        match self.registry() {
            Registry::Npm { .. } => &npm::LOCK_FILES,
            Registry::PyPi { .. } => &pypi::LOCK_FILES,
        }
    }
}

/// An installed tool.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The tool.
    pub(crate) tool: Tool,
    /// Its pinned version.
    pub(crate) version: String,
    /// The directory of the installation.
    pub(crate) directory: PathBuf,
    /// Its interpreter: node, or the virtual environment's Python.
    pub(crate) runtime: PathBuf,
}

impl Installed {
    /// The tool without arguments; does not depend on `PATH`.
    pub(crate) fn program(&self) -> Program {
        let program = match self.tool.registry() {
            Registry::Npm { script, .. } => {
                Program::new(&self.runtime).args([self.directory.join(script)])
            }
            Registry::PyPi { program } => {
                pypi::isolated(Program::new(self.directory.join("bin").join(program)))
            }
        };
        program.called(self.tool.name())
    }
}

/// Returns a tool, and installs it if necessary.
///
/// # Errors
/// A prerequisite (Python, Node.js, npm, a network) is missing; the error says how to fix that.
pub(crate) fn ensure(workspace: &Workspace, tool: Tool) -> Result<Installed> {
    let installation = Installation::of(workspace, tool)?;
    if let Some(installed) = installation.look()? {
        return Ok(installed);
    }
    let lock = files::lock(&installation.lock, || {
        console::note(&format!(
            "Waiting for another process that is installing {}",
            tool.name()
        ));
    })?;
    if let Some(installed) = installation.look()? {
        return Ok(installed);
    }
    installation.install(&lock)
}

/// The Serverless Framework, without arguments.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn osls(workspace: &Workspace) -> Result<Program> {
    Ok(ensure(workspace, Tool::Osls)?
        .program()
        // Suppresses a long warning about Node.js 20, which the pinned release supports.
        .env("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true")
        .env("SLS_SCHEMA_CACHE_BASE_DIR", cache(workspace, "osls")))
}

/// cargo-lambda with its first argument: `cargo-lambda lambda`. It runs the `cargo` in `PATH`, and its own zig.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn cargo_lambda(workspace: &Workspace) -> Result<Program> {
    let installed = ensure(workspace, Tool::CargoLambda)?;
    Ok(installed
        .program()
        .called("cargo")
        .args(["lambda"])
        // The Python whose zig is used (`python -m ziglang`), in preference to `PATH`.
        .env("CARGO_ZIGBUILD_PYTHON_PATH", &installed.runtime)
        .without_env("CARGO_ZIGBUILD_ZIG_PATH")
        .env(
            "CARGO_ZIGBUILD_CACHE_DIR",
            cache(workspace, "cargo-zigbuild"),
        )
        .env("ZIG_GLOBAL_CACHE_DIR", cache(workspace, "zig"))
        .without_env("ZIG_LIB_DIR")
        .without_env("ZIG_LOCAL_CACHE_DIR"))
}

/// cfn-lint, without arguments.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn cfn_lint(workspace: &Workspace) -> Result<Program> {
    Ok(ensure(workspace, Tool::CfnLint)?.program())
}

/// The spell checker, without arguments.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn typos(workspace: &Workspace) -> Result<Program> {
    Ok(ensure(workspace, Tool::Typos)?.program())
}

/// Installs the tools that a package needs, if necessary.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn ensure_for_packages(workspace: &Workspace) -> Result<()> {
    Tool::FOR_PACKAGES
        .into_iter()
        .try_for_each(|tool| ensure(workspace, tool).map(drop))
}

/// Returns every tool, and installs missing ones.
///
/// # Errors
/// See [`ensure`].
pub(crate) fn ensure_all(workspace: &Workspace) -> Result<Vec<Installed>> {
    Tool::ALL
        .into_iter()
        .map(|tool| ensure(workspace, tool))
        .collect()
}

/// A tool's pinned version, and whether it is installed. Installs nothing.
///
/// # Errors
/// The lock files cannot be read, or the tool's interpreter is missing or too old.
pub(crate) fn look(workspace: &Workspace, tool: Tool) -> Result<(String, bool)> {
    let installation = Installation::of(workspace, tool)?;
    let installed = installation.look()?.is_some();
    Ok((installation.version, installed))
}

/// The version of the node in `PATH`, if it is new enough for osls.
///
/// # Errors
/// Node.js is missing or too old; the error says how to fix that.
pub(crate) fn node() -> Result<String> {
    let node = npm::find_node()?;
    if let Registry::Npm { nodes, .. } = Tool::Osls.registry() {
        npm::check_node(&node, Tool::Osls, nodes)?;
    }
    Ok(npm::version(&node)?.trim_start_matches('v').to_owned())
}

/// The version of the Python in `PATH` that installs the tools.
///
/// # Errors
/// Python is missing, too old, or has no `venv`; the error says how to fix that.
pub(crate) fn python() -> Result<String> {
    let python = pypi::find_python(None)?;
    let version = "import platform; print(platform.python_version())";
    let program = pypi::isolated(Program::new(python)).args(["-c", version]);
    Ok(program.quiet().capture()?.trim().to_owned())
}

/// The directory of a tool's cache.
fn cache(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.tools().join("cache").join(name)
}

/// The directory and the lock files of an installation.
#[derive(Debug)]
struct Installation {
    tool: Tool,
    version: String,
    /// The directory of the lock files.
    pins: PathBuf,
    directory: PathBuf,
    lock: PathBuf,
}

/// Written when an installation is complete.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    runtime: Runtime,
}

/// A tool's interpreter, with enough information to detect a replacement without starting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Runtime {
    path: PathBuf,
    modified_ns: u128,
}

impl Runtime {
    fn of(path: &Path) -> Option<Self> {
        // Links are resolved, so a newer Python in the same place is a different file.
        let path = path.canonicalize().ok()?;
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        let since_epoch = modified.ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            path,
            modified_ns: since_epoch.as_nanos(),
        })
    }
}

impl Installation {
    fn of(workspace: &Workspace, tool: Tool) -> Result<Self> {
        let pins = workspace.tool_locks().join(tool.name());
        let mut contents = Vec::new();
        for name in tool.lock_files() {
            contents.push((*name, files::read(&pins.join(name))?));
        }
        let (_, requirements) = contents
            .first()
            .with_context(|| format!("{} has no lock files", tool.name()))?;
        let version = pinned_version(tool.name(), &String::from_utf8_lossy(requirements))
            .with_context(|| format!("`{}` pins no {}", pins.display(), tool.name()))?;
        let home = workspace.tools().join(tool.name());
        Ok(Self {
            tool,
            version,
            pins,
            directory: home.join(key(&contents)),
            lock: home.join("lock"),
        })
    }

    fn stamp_file(&self) -> PathBuf {
        self.directory.join("installed.json")
    }

    /// Returns the installation if it is complete and its interpreter has not changed.
    fn look(&self) -> Result<Option<Installed>> {
        let stamp: Option<Stamp> = files::read_if_there(&self.stamp_file())?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(stamp) = stamp else {
            return Ok(None);
        };
        let runtime = match self.tool.registry() {
            Registry::PyPi { .. } => {
                let python = pypi::python_in(&self.directory);
                // Another Python does not have the packages.
                if Runtime::of(&python) != Some(stamp.runtime) {
                    return Ok(None);
                }
                python
            }
            Registry::Npm { nodes, .. } => {
                let node = npm::find_node()?;
                // npm packages do not depend on the node, so another node only has to be new enough.
                if Runtime::of(&node) != Some(stamp.runtime) {
                    npm::check_node(&node, self.tool, nodes)?;
                    self.write_stamp(&node)?;
                }
                node
            }
        };
        Ok(Some(self.installed(runtime)))
    }

    fn install(&self, lock: &File) -> Result<Installed> {
        files::remove_directory(&self.directory)?;
        let label = format!("Installing {} {}", self.tool.name(), self.version);
        let install = || match self.tool.registry() {
            Registry::PyPi { .. } => {
                let base = pypi::find_python(self.tool.preferred_python())?;
                let step = Step::begin(&label);
                let python = pypi::install(&base, &self.pins, &self.directory, lock)?;
                step.done("");
                Ok(python)
            }
            Registry::Npm { nodes, .. } => {
                let node = npm::find_node()?;
                npm::check_node(&node, self.tool, nodes)?;
                let npm = npm::find_npm()?;
                let step = Step::begin(&label);
                npm::install(&npm, &self.pins, &self.directory, lock)?;
                step.done("");
                Ok(node)
            }
        };
        let runtime: Result<PathBuf> = install();
        let runtime = runtime
            .with_context(|| format!("Failed to install {} {}", self.tool.name(), self.version))?;
        self.write_stamp(&runtime)?;
        Ok(self.installed(runtime))
    }

    fn write_stamp(&self, runtime: &Path) -> Result<()> {
        let runtime = Runtime::of(runtime)
            .with_context(|| format!("Failed to read the metadata of `{}`", runtime.display()))?;
        let stamp = serde_json::to_vec(&Stamp { runtime }).context("Failed to write a stamp")?;
        files::write(&self.stamp_file(), &stamp)
    }

    fn installed(&self, runtime: PathBuf) -> Installed {
        Installed {
            tool: self.tool,
            version: self.version.clone(),
            directory: self.directory.clone(),
            runtime,
        }
    }
}

/// The key of an installation: a hash of the procedure and the lock files.
fn key(contents: &[(&str, Vec<u8>)]) -> String {
    let mut hash = Hash::new();
    hash.update(RECIPE);
    for (name, bytes) in contents {
        hash.update(format!("\n{name} {}\n", bytes.len()));
        hash.update(bytes);
    }
    let mut key = String::new();
    for byte in hash.finalize().iter().take(8) {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// The version of `name` in a `package.json` (`"name": "1.2.3"`) or a requirements file (`name==1.2.3`).
fn pinned_version(name: &str, text: &str) -> Option<String> {
    let quoted = format!("\"{name}\": \"");
    let equal = format!("{name}==");
    text.lines().map(str::trim_start).find_map(|line| {
        let rest = line
            .strip_prefix(&quoted)
            .or_else(|| line.strip_prefix(&equal))?;
        let end = rest.find(['"', ' ', '\\']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    })
}

/// Returns an error with the last lines of a failed installer, and a hint if the cause is known.
fn expect_installed(program: &Program, output: &Collected) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let text = format!("{}\n{}", output.stdout.trim_end(), output.stderr.trim_end());
    let hint = hint(&text).map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    bail!(
        "`{}` failed ({})\n{}{hint}",
        program.shown(),
        output.status,
        tail(text.trim(), 20)
    );
}

fn hint(output: &str) -> Option<&'static str> {
    const OFFLINE: [&str; 10] = [
        "Failed to establish a new connection",
        "Name or service not known",
        "Temporary failure in name resolution",
        "nodename nor servname",
        "Network is unreachable",
        "EAI_AGAIN",
        "ENOTFOUND",
        "ECONNREFUSED",
        "ENETUNREACH",
        "ETIMEDOUT",
    ];
    if output.contains("DO NOT MATCH THE HASHES") || output.contains("EINTEGRITY") {
        return Some(
            "the registry's file does not match the hash in the lock file; nothing was installed",
        );
    }
    if output.contains("ENOSPC") || output.contains("No space left on device") {
        return Some("the disk is full");
    }
    if OFFLINE.iter().any(|sign| output.contains(sign)) {
        return Some(
            "the package registry cannot be reached; check the network, or set a mirror (`PIP_INDEX_URL`, \
             `npm_config_registry`) or a proxy (`HTTPS_PROXY`)",
        );
    }
    output.contains("No matching distribution found").then_some(
        "there is no package for this Python on this platform; use CPython 3.10 to 3.13 on Linux or macOS",
    )
}

/// The last `count` lines.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests;
