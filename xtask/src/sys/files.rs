//! Reads and writes files. Errors name the file; a write either completes or changes nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "all file access is in this module"
)]

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Reads a file.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("Failed to read `{}`", path.display()))
}

/// Reads at most `most` bytes of a regular file. Directories and devices are rejected before they are opened.
///
/// # Errors
/// The path is not a regular file, or it cannot be read.
pub(crate) fn read_at_most(path: &Path, most: usize) -> Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let kind = fs::metadata(path)?.file_type();
        if !kind.is_file() {
            let what = if kind.is_dir() {
                "it is a directory"
            } else {
                "it is not a regular file"
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

/// Reads a file, or returns `None` if it does not exist.
///
/// # Errors
/// The file exists and cannot be read.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to read `{}`", path.display())),
    }
}

/// Writes a file atomically, through a temporary file in the same directory. Creates the directory if it is missing.
///
/// # Errors
/// The directory or the file cannot be written; an existing file is unchanged.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = parent_of(path);
    let write = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let mut file = temporary_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| {
        let hint = dangling(directory).unwrap_or_default();
        format!("Failed to write `{}`{hint}", path.display())
    })
}

/// Overwrites an existing file atomically. Keeps its permissions, and follows a symbolic link.
///
/// # Errors
/// The file does not exist, or cannot be written; it is then unchanged.
pub(crate) fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let rewrite = || -> io::Result<()> {
        let path = fs::canonicalize(path)?;
        let permissions = fs::metadata(&path)?.permissions();
        let mut file = temporary_in(parent_of(&path))?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(permissions)?;
        file.persist(path)?;
        Ok(())
    };
    rewrite().with_context(|| format!("Failed to write `{}`", path.display()))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Creates a temporary file, locked while it is written, so that [`sweep`] can recognize files that a killed process left.
fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(readable())
            .tempfile_in(directory)?;
        file.as_file().lock()?;
        // Another process may have swept it before it was locked.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// The prefix of temporary file names; six letters or digits follow.
const TEMPORARY: &str = ".tmp";

/// Removes the temporary files that killed processes left in a directory, except those that are being written.
///
/// # Errors
/// The directory cannot be read, or a file in it cannot be removed.
pub(crate) fn sweep(directory: &Path) -> Result<()> {
    let is_temporary = |name: &String| {
        let rest = name.strip_prefix(TEMPORARY);
        rest.is_some_and(|rest| {
            rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    for name in names_in(directory)?.into_iter().filter(is_temporary) {
        let path = directory.join(name);
        // Its writer may have renamed it since.
        let Ok(file) = fs::File::open(&path) else {
            continue;
        };
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file && file.try_lock().is_ok() {
            remove(&path)?;
        }
    }
    Ok(())
}

/// A hint if `directory` or one of its parents is a dangling symbolic link; the system error only says that it exists.
fn dangling(directory: &Path) -> Option<String> {
    let link = directory
        .ancestors()
        .find(|directory| directory.is_symlink() && !directory.exists())?;
    let to = fs::read_link(link).ok()?;
    Some(format!(
        "\nhint: `{}` is a link to `{}`, which does not exist; create that directory or remove the link\n",
        link.display(),
        to.display()
    ))
}

/// The mode of a regular file; `tempfile` creates files that only their owner can read.
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Creates a directory and its parents.
///
/// # Errors
/// The directory cannot be created.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| {
        let hint = dangling(path).unwrap_or_default();
        format!("Failed to create the directory `{}`{hint}", path.display())
    })
}

/// Removes a directory and its contents, if it exists.
///
/// # Errors
/// The directory cannot be removed.
pub(crate) fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error)
            .with_context(|| format!("Failed to remove the directory `{}`", path.display())),
        _ => Ok(()),
    }
}

/// Removes a file, if it exists.
///
/// # Errors
/// The file cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// Locks a file until the returned handle is dropped or this process ends. Creates the file and its directory. Calls `waiting`
/// if another process holds the lock.
///
/// # Errors
/// The file cannot be created or locked.
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

/// Like [`lock`]. The file also names the holder, which is passed to `waiting`.
///
/// # Errors
/// The file cannot be created, written or locked.
pub(crate) fn lock_as(path: &Path, holder: &str, waiting: impl FnOnce(&str)) -> Result<fs::File> {
    let lock = || -> io::Result<fs::File> {
        fs::create_dir_all(parent_of(path))?;
        let mut options = fs::File::options();
        options.write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                waiting(&fs::read_to_string(path)?);
                file.lock()?;
            }
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(holder.as_bytes())?;
        Ok(file)
    };
    lock().with_context(|| {
        let hint = dangling(parent_of(path)).unwrap_or_default();
        format!("Failed to lock `{}`{hint}", path.display())
    })
}

/// Lists the names in a directory, sorted. A missing directory has none. Invalid Unicode is replaced with `�`.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn names_in(directory: &Path) -> Result<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => {
            other.with_context(|| format!("Failed to read the directory `{}`", directory.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_of_killed_processes_are_swept_and_open_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in [".tmpAb12cD", ".tmp", ".tmpAb12cD.yml", "serverless.yml"] {
            fs::write(path(name), b"x").unwrap();
        }
        fs::create_dir(path(".tmpFolder")).unwrap();
        let live = temporary_in(directory.path()).unwrap();
        sweep(directory.path()).unwrap();
        assert!(live.path().exists());
        assert!(!path(".tmpAb12cD").exists());
        for name in [".tmp", ".tmpAb12cD.yml", "serverless.yml", ".tmpFolder"] {
            assert!(path(name).exists(), "{name}");
        }
        sweep(&path("none")).unwrap();
    }

    #[test]
    fn concurrent_writing_and_sweeping_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..300).try_for_each(|_| write(&path, b"whole")));
            while !writer.is_finished() {
                sweep(directory.path()).unwrap();
            }
            writer.join().unwrap().unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names_in(directory.path()).unwrap(), ["file"]);
    }

    #[test]
    fn rewriting_keeps_permissions_and_links() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, b"before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
        symlink("file", &link).unwrap();
        rewrite(&link, b"after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    }

    #[test]
    fn a_dangling_link_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("gone", directory.path().join("dist")).unwrap();
        let path = directory.path().join("dist/dev/file");
        for error in [write(&path, b"x"), create_directory(parent_of(&path))] {
            let message = format!("{:#}", error.unwrap_err());
            assert!(message.contains("dist` is a link to `gone`"), "{message}");
        }
    }

    #[test]
    fn a_process_that_waits_for_a_lock_gets_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dev/.lock");
        let held = lock_as(&path, "`cargo xtask deploy`", |_| panic!("it is free")).unwrap();
        let (sender, waits) = std::sync::mpsc::channel();
        let waiting = {
            let path = path.clone();
            std::thread::spawn(move || {
                lock_as(&path, "second", |holder| {
                    sender.send(holder.to_owned()).unwrap();
                })
                .unwrap()
            })
        };
        assert_eq!(waits.recv().unwrap(), "`cargo xtask deploy`");
        assert!(!waiting.is_finished());
        drop(held);
        let _second = waiting.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    }
}
