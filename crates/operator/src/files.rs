//! The one place that reads and writes files: the template, the certificates that `AWS_CA_BUNDLE` names, and what is fetched.
#![expect(
    clippy::disallowed_methods,
    reason = "the operator's own such place; that of xtask is not in its tree"
)]

use std::path::Path;

use anyhow::{Context as _, Result};

/// The file's content; an error names the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// Writes the file; an error names it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("failed to write `{}`", path.display()))
}
