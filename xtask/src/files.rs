//! The one place that reads and writes files. A failure names the file; a write is whole or does not happen.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that they are disallowed in favour of"
)]

use std::{
    fs,
    io::{self, Read, Write},
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

/// The first `most` bytes of an ordinary file. A folder or a device is refused before it is opened.
///
/// # Errors
/// It is no ordinary file, or cannot be read.
pub(crate) fn read_at_most(path: &Path, most: usize) -> Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let kind = fs::metadata(path)?.file_type();
        if !kind.is_file() {
            let what = if kind.is_dir() {
                "it is a folder"
            } else {
                "it is no file"
            };
            return Err(io::Error::other(what));
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().with_context(|| format!("Failed to read `{}`", path.display()))
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

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// It cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// Locks a file, making it and its folder, until the answer is dropped or this process ends, however it ends. `waiting` is
/// called where another process holds the lock.
///
/// # Errors
/// The file cannot be made or locked.
pub(crate) fn lock(path: &Path, waiting: impl FnOnce()) -> Result<fs::File> {
    let lock = || -> io::Result<fs::File> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = fs::File::create(path)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => waiting(),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        file.lock()?;
        Ok(file)
    };
    lock().with_context(|| format!("Failed to lock `{}`", path.display()))
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
