//! Reads and writes files. Every error names its file.

#![expect(
    clippy::disallowed_methods,
    reason = "the only module of this crate that uses them"
)]

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};

/// Reads a text file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("Failed to read `{}`", path.display()))
}

/// Reads a JSON file.
///
/// # Errors
/// It cannot be read or parsed.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?)
        .with_context(|| format!("Failed to parse `{}`", path.display()))
}

/// Writes a file and creates its directory.
///
/// # Errors
/// The directory or the file cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    create_dir(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, text).with_context(|| format!("Failed to write `{}`", path.display()))
}

/// Writes an indented JSON file and creates its directory.
///
/// # Errors
/// The directory or the file cannot be written.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("Failed to write JSON")?;
    write(path, &format!("{text}\n"))
}

/// Creates a directory and its parents.
///
/// # Errors
/// It cannot be created.
pub(crate) fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("Failed to create the directory `{}`", path.display()))
}

/// Copies a directory of text files recursively.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from)
        .with_context(|| format!("Failed to read the directory `{}`", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("Failed to read `{}`", from.display()))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_dir(&path, &copy)?;
        } else {
            write(&copy, &read(&path)?)?;
        }
    }
    Ok(())
}
