//! Reads and writes files: templates, the certificates of `AWS_CA_BUNDLE` and fetched objects.
#![expect(
    clippy::disallowed_methods,
    reason = "only this module accesses files; xtask's counterpart is not in its tree"
)]

use std::path::Path;

use anyhow::{Context as _, Result};

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// Writes a file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("failed to write `{}`", path.display()))
}
