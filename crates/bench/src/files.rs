//! The one place that reads and writes files. A failure names the file.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place of this crate that they are used in"
)]

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("Failed to read `{}`", path.display()))
}

/// What a JSON file says.
///
/// # Errors
/// It cannot be read, or says something else.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?)
        .with_context(|| format!("Failed to understand `{}`", path.display()))
}

/// Writes a file; makes its folder.
///
/// # Errors
/// The folder or the file cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, text).with_context(|| format!("Failed to write `{}`", path.display()))
}

/// Writes a JSON file, indented; makes its folder.
///
/// # Errors
/// The folder or the file cannot be written.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("Failed to write JSON")?;
    write(path, &format!("{text}\n"))
}

/// Makes a folder and those above it.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("Failed to make the folder `{}`", path.display()))
}

/// Copies a folder of text files, with those in it.
///
/// # Errors
/// It cannot be read, or not be written.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from)
        .with_context(|| format!("Failed to read the folder `{}`", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("Failed to read `{}`", from.display()))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            write(&copy, &read(&path)?)?;
        }
    }
    Ok(())
}
