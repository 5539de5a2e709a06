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
use tempfile::NamedTempFile;

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
    let folder = folder_of(path);
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = temporary_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| {
        let hint = dangling(folder).unwrap_or_default();
        format!("Failed to write `{}`{hint}", path.display())
    })
}

/// Writes a person's own file anew: it keeps its permissions, and a link to it stays one.
///
/// # Errors
/// The file is not there, or cannot be written; then what was there is still there.
pub(crate) fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let rewrite = || -> io::Result<()> {
        let path = fs::canonicalize(path)?;
        let permissions = fs::metadata(&path)?.permissions();
        let mut file = temporary_in(folder_of(&path))?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(permissions)?;
        file.persist(path)?;
        Ok(())
    };
    rewrite().with_context(|| format!("Failed to write `{}`", path.display()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A temporary file, locked while it is written: so [`sweep`] tells it from one that a killed process has left.
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(readable())
            .tempfile_in(folder)?;
        file.as_file().lock()?;
        // It may have been swept before it was locked.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// What the names of temporary files begin with; six letters and digits follow.
const TEMPORARY: &str = ".tmp";

/// Removes the temporary files that killed processes have left in a folder. Those that are being written stay.
///
/// # Errors
/// The folder cannot be read, or a file in it not be removed.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    let is_temporary = |name: &String| {
        let rest = name.strip_prefix(TEMPORARY);
        rest.is_some_and(|rest| {
            rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    for name in names_in(folder)?.into_iter().filter(is_temporary) {
        let path = folder.join(name);
        // Whoever writes it may be done with it in the meantime.
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

/// A hint where `folder`, or one above it, is a link to what is not there: the system only says that it exists.
fn dangling(folder: &Path) -> Option<String> {
    let link = folder
        .ancestors()
        .find(|folder| folder.is_symlink() && !folder.exists())?;
    let to = fs::read_link(link).ok()?;
    Some(format!(
        "\nhint: `{}` is a link to `{}`, which does not exist: make that folder, or remove the link\n",
        link.display(),
        to.display()
    ))
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
    fs::create_dir_all(path).with_context(|| {
        let hint = dangling(path).unwrap_or_default();
        format!("Failed to make the folder `{}`{hint}", path.display())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_has_left_is_swept_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".tmpAb12cD", ".tmp", ".tmpAb12cD.yml", "serverless.yml"] {
            fs::write(path(name), b"x").unwrap();
        }
        fs::create_dir(path(".tmpFolder")).unwrap();
        let live = temporary_in(folder.path()).unwrap();
        sweep(folder.path()).unwrap();
        assert!(live.path().exists());
        assert!(!path(".tmpAb12cD").exists());
        for name in [".tmp", ".tmpAb12cD.yml", "serverless.yml", ".tmpFolder"] {
            assert!(path(name).exists(), "{name}");
        }
        sweep(&path("none")).unwrap();
    }

    #[test]
    fn writing_and_sweeping_at_once_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..300).try_for_each(|_| write(&path, b"whole")));
            while !writer.is_finished() {
                sweep(folder.path()).unwrap();
            }
            writer.join().unwrap().unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names_in(folder.path()).unwrap(), ["file"]);
    }

    #[test]
    fn a_persons_file_keeps_its_permissions_and_its_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
        symlink("file", &link).unwrap();
        rewrite(&link, b"after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    }

    #[test]
    fn a_link_to_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("gone", folder.path().join("dist")).unwrap();
        let path = folder.path().join("dist/dev/file");
        for error in [write(&path, b"x"), make_folder(folder_of(&path))] {
            let told = format!("{:#}", error.unwrap_err());
            assert!(told.contains("dist` is a link to `gone`"), "{told}");
        }
    }
}
