//! Tools from the Python Package Index: each in a virtual environment of its own, made where it stays, as it cannot be moved.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{expect_installed, version::Version};
use crate::sys::process::{Program, find_program};

/// What decides what is installed.
pub(super) const LOCK_FILES: [&str; 1] = ["requirements.txt"];

/// The oldest Python that the lock files hold for.
const OLDEST: Version = Version {
    major: 3,
    minor: 10,
};

/// Names to try: the usual one first, then newer ones beside an old one (macOS brings 3.9).
const NAMES: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
];

/// The Python of the virtual environment in `folder`.
pub(super) fn python_in(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

/// Keeps the person's own Python settings and packages away from the program.
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

/// A Python in `PATH` that can make a virtual environment: the `preferred` one where it can.
///
/// # Errors
/// There is none, or it is too old, or comes without `venv`.
pub(super) fn find_python(preferred: Option<&str>) -> Result<PathBuf> {
    let mut problem = Problem::Missing;
    let names = preferred.into_iter().chain(NAMES);
    for python in names.filter_map(find_program) {
        match examine(&python)? {
            None => return Ok(python),
            Some(found) if problem == Problem::Missing => problem = found,
            Some(_) => {}
        }
    }
    match problem {
        Problem::Missing => bail!(
            "There is no Python 3 in `PATH`, and {OLDEST} or newer is needed\n\
             hint: `apt install python3 python3-venv` (Debian, Ubuntu), `dnf install python3` (Fedora), \
             `brew install python` (macOS)"
        ),
        Problem::TooOld(version) => bail!(
            "The `python3` in `PATH` is {version}, and {OLDEST} or newer is needed\n\
             hint: install a newer one; `python3.13` down to `python3.10` in `PATH` are found as well"
        ),
        Problem::NoVenv => bail!(
            "The `python3` in `PATH` cannot make virtual environments: its `venv` or `ensurepip` is missing\n\
             hint: `apt install python3-venv` (Debian, Ubuntu)"
        ),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Missing,
    TooOld(Version),
    NoVenv,
}

fn examine(python: &Path) -> Result<Option<Problem>> {
    const QUESTION: &str = "import sys, importlib.util as u\n\
        print('%d.%d' % sys.version_info[:2], bool(u.find_spec('venv') and u.find_spec('ensurepip')))";
    let output = isolated(Program::new(python))
        .args(["-c", QUESTION])
        .quiet()
        .collect()?;
    // A name that answers with a failure is no Python: a version manager's placeholder for one that is not installed.
    let mut words = output.stdout.split_whitespace();
    let version: Option<Version> = words.next().and_then(|version| version.parse().ok());
    Ok(match (version, words.next()) {
        (Some(version), _) if version < OLDEST => Some(Problem::TooOld(version)),
        (Some(_), Some("True")) => None,
        (Some(_), _) => Some(Problem::NoVenv),
        (None, _) => Some(Problem::Missing),
    })
}

/// Makes the virtual environment in `folder` and installs what `pins` says into it, wheels with the right hashes only: no
/// package's own code runs. Returns its Python.
///
/// # Errors
/// A package could not be had.
pub(super) fn install(base: &Path, pins: &Path, folder: &Path, lock: &File) -> Result<PathBuf> {
    let environment = isolated(Program::new(base))
        .args(["-m", "venv"])
        .args([folder])
        .quiet();
    let output = environment.collect_under(lock)?;
    expect_installed(&environment, &output).context("Failed to make a virtual environment")?;

    let python = python_in(folder);
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
