//! Tools from the Python Package Index, each in its own virtual environment.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{expect_installed, version::Version};
use crate::sys::process::{Program, find_program};

/// The lock files.
pub(super) const LOCK_FILES: [&str; 1] = ["requirements.txt"];

/// The oldest Python that the lock files support.
const OLDEST: Version = Version {
    major: 3,
    minor: 10,
};

/// The names to try. macOS ships Python 3.9 as `python3`, so newer ones may have a versioned name.
const NAMES: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
];

/// The Python of a virtual environment.
pub(super) fn python_in(directory: &Path) -> PathBuf {
    directory.join("bin").join("python")
}

/// Removes the user's Python settings and packages from the program's environment.
pub(super) fn isolated(program: Program) -> Program {
    [
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
        "__PYVENV_LAUNCHER__",
    ]
    .into_iter()
    .fold(program, Program::without_env)
    .env("PYTHONNOUSERSITE", "1")
}

/// Finds a Python in `PATH` that can create a virtual environment, `preferred` first.
///
/// # Errors
/// Python is missing, too old, or has no `venv`.
pub(super) fn find_python(preferred: Option<&str>) -> Result<PathBuf> {
    let mut problem = Unsuitable::Missing;
    let names = preferred.into_iter().chain(NAMES);
    for python in names.filter_map(find_program) {
        match examine(&python)? {
            None => return Ok(python),
            Some(found) if problem == Unsuitable::Missing => problem = found,
            Some(_) => {}
        }
    }
    match problem {
        Unsuitable::Missing => bail!(
            "Python {OLDEST} or newer is not in `PATH`\n\
             hint: `apt install python3 python3-venv` (Debian, Ubuntu), `dnf install python3` (Fedora), \
             `brew install python` (macOS)"
        ),
        Unsuitable::TooOld(version) => bail!(
            "Python {OLDEST} or newer is needed; the `python3` in `PATH` is {version}\n\
             hint: install a newer one; `python3.10` to `python3.14` in `PATH` are found too"
        ),
        Unsuitable::NoVenv => bail!(
            "The `python3` in `PATH` cannot create virtual environments: `venv` or `ensurepip` is missing\n\
             hint: `apt install python3-venv` (Debian, Ubuntu)"
        ),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Unsuitable {
    Missing,
    TooOld(Version),
    NoVenv,
}

fn examine(python: &Path) -> Result<Option<Unsuitable>> {
    const QUESTION: &str = "import sys, importlib.util as u\n\
        print('%d.%d' % sys.version_info[:2], bool(u.find_spec('venv') and u.find_spec('ensurepip')))";
    let output = isolated(Program::new(python))
        .args(["-c", QUESTION])
        .quiet()
        .collect()?;
    // A version manager's placeholder for a Python that is not installed fails.
    let mut words = output.stdout.split_whitespace();
    let version: Option<Version> = words.next().and_then(|version| version.parse().ok());
    Ok(match (version, words.next()) {
        (Some(version), _) if version < OLDEST => Some(Unsuitable::TooOld(version)),
        (Some(_), Some("True")) => None,
        (Some(_), _) => Some(Unsuitable::NoVenv),
        (None, _) => Some(Unsuitable::Missing),
    })
}

/// Creates a virtual environment in `directory`, installs the packages of `pins`, and returns its Python. Accepts only wheels with
/// the pinned hashes, so no package code runs.
///
/// # Errors
/// A package cannot be downloaded or does not match its hash.
pub(super) fn install(base: &Path, pins: &Path, directory: &Path, lock: &File) -> Result<PathBuf> {
    let environment = isolated(Program::new(base))
        .args(["-m", "venv"])
        .args([directory])
        .quiet();
    let output = environment.collect_under(lock)?;
    expect_installed(&environment, &output).context("Failed to create a virtual environment")?;

    let python = python_in(directory);
    let packages = [
        "PIP_CONSTRAINT",
        "PIP_NO_BINARY",
        "PIP_PREFIX",
        "PIP_REQUIREMENT",
        "PIP_ROOT",
        "PIP_TARGET",
        "PIP_USER",
    ]
    .into_iter()
    .fold(isolated(Program::new(&python)), Program::without_env)
    .args(["-m", "pip", "install", "--no-user", "--require-hashes"])
    .args(["--no-deps", "--only-binary", ":all:"])
    .args(["--quiet", "--no-input", "--disable-pip-version-check"])
    .args(["--requirement"])
    .args([pins.join("requirements.txt")])
    .quiet();
    expect_installed(&packages, &packages.collect_under(lock)?)?;
    Ok(python)
}
