//! What is measured, and where it lies: told by `cargo xtask bench`, which builds and installs it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// A run of the benchmark, as one JSON file says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Setup {
    /// Whether it is to end within a minute, at the price of precision.
    pub(crate) quick: bool,
    /// The function, as it ships.
    pub(crate) handler: Program,
    /// The same requests, and nothing else.
    pub(crate) baseline: Program,
    /// A Python with `awslambdaric` and boto3.
    pub(crate) python: PathBuf,
    /// The folder of the Python functions.
    pub(crate) python_code: PathBuf,
    /// The folder that the report goes to.
    pub(crate) output: PathBuf,
    /// The folder of what is committed of a full run: figures and picture. Nothing where they are to stay as they are.
    pub(crate) published: Option<PathBuf>,
    /// Versions to tell, by the name of what has them.
    pub(crate) versions: BTreeMap<String, String>,
}

/// A program that is deployed as a zip with one file.
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
