//! The one place that reads and writes files. A failure names the file; a write is whole or does not happen.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that they are disallowed in favour of"
)]

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};

/// The bytes of a file.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("Failed to read `{}`", path.display()))
}

/// The bytes of a file, or nothing where there is none.
///
/// # Errors
/// The file is there and cannot be read.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to read `{}`", path.display())),
    }
}

/// Writes a file through a temporary one beside it, so that no reader sees half of it; makes its folder.
///
/// # Errors
/// The folder or the file cannot be written; then what was there is still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .permissions(readable())
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("Failed to write `{}`", path.display()))
}

/// The mode of an ordinary file; `tempfile` makes private ones.
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Makes a folder and those above it.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("Failed to make the folder `{}`", path.display()))
}

/// Removes a folder with everything in it; one that is not there is fine.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove the folder `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// The names in a folder, sorted; none where there is no folder. Names that are not Unicode are shown with `�`.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.with_context(|| format!("Failed to read the folder `{}`", folder.display())),
    }
}
