//! The input from `cargo xtask bench`: what to measure, and its paths.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// The setup of a run, from a JSON file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Setup {
    /// Whether to finish within a minute, with less precision.
    pub(crate) quick: bool,
    /// The function, as it ships.
    pub(crate) handler: Program,
    /// The baseline.
    pub(crate) baseline: Program,
    /// A Python with `awslambdaric` and boto3.
    pub(crate) python: PathBuf,
    /// The directory of the Python functions.
    pub(crate) python_code: PathBuf,
    /// The directory for the report.
    pub(crate) output: PathBuf,
    /// The directory for the committed figures and picture of a full run. `None`: they do not change.
    pub(crate) published: Option<PathBuf>,
    /// Versions to report, by program.
    pub(crate) versions: BTreeMap<String, String>,
}

/// A program that is deployed as a zip file with one executable.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Program {
    /// The executable.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The size of the zip, in bytes.
    pub(crate) zip_size: u64,
}
