//! The zip: `bootstrap`, and beside it `targets.json` where the stage has many targets; with a fixed date, so that the
//! same files give the same archive.

use std::io::{Cursor, Read, Write};

use anyhow::{Context, Result, ensure};
use contract::TargetsFile;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// What Lambda starts (Lambda developer guide, "Building a custom runtime").
const BOOTSTRAP: &str = "bootstrap";

/// An ordinary executable: `rwxr-xr-x`.
const EXECUTABLE: u32 = 0o755;

/// An ordinary file: `rw-r--r--`. Lambda's own user must be able to read it.
const READABLE: u32 = 0o644;

/// Packs the executable, and the text of `targets.json` where there is one.
///
/// # Errors
/// They are too large for a zip.
pub(super) fn pack(executable: &[u8], targets: Option<&str>) -> Result<Vec<u8>> {
    // `DateTime::default` is 1980-01-01, the earliest that a zip can tell.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(EXECUTABLE);
    let pack = || -> Result<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(BOOTSTRAP, options)?;
        archive.write_all(executable)?;
        if let Some(targets) = targets {
            archive.start_file(TargetsFile::NAME, options.unix_permissions(READABLE))?;
            archive.write_all(targets.as_bytes())?;
        }
        Ok(archive.finish()?.into_inner())
    };
    pack().context("Failed to pack the function")
}

/// The archive must hold `bootstrap` at its root, executable: without either, Lambda ends with `Runtime.InvalidEntrypoint`.
/// Beside it `targets.json` must be the one given, or none: by one of another time the function would list other accounts.
///
/// # Errors
/// It does not.
pub(super) fn check(archive: &[u8], targets: Option<&str>) -> Result<()> {
    let mut archive =
        ZipArchive::new(Cursor::new(archive)).context("The archive cannot be read back")?;
    let files = 1 + usize::from(targets.is_some());
    ensure!(
        archive.len() == files,
        "The archive holds {} files, not {files}",
        archive.len()
    );
    if let Some(targets) = targets {
        let name = TargetsFile::NAME;
        let mut file = archive
            .by_name(name)
            .with_context(|| format!("The archive has no `{name}` at its root"))?;
        let mode = file.unix_mode().unwrap_or(0);
        ensure!(
            mode & 0o444 == 0o444,
            "`{name}` is not readable in the archive (mode {mode:o})"
        );
        let mut packed = String::new();
        file.read_to_string(&mut packed)
            .with_context(|| format!("`{name}` cannot be unpacked"))?;
        ensure!(packed == targets, "`{name}` in the archive is another");
    }
    let mut bootstrap = archive
        .by_name(BOOTSTRAP)
        .context("The archive has no `bootstrap` at its root")?;
    let mode = bootstrap.unix_mode().unwrap_or(0);
    ensure!(
        mode & 0o111 == 0o111,
        "`bootstrap` is not executable in the archive (mode {mode:o})"
    );
    std::io::copy(&mut bootstrap, &mut std::io::sink())
        .context("`bootstrap` cannot be unpacked")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_passes_the_check_and_is_the_same_twice() {
        let archive = pack(b"an executable", None).unwrap();
        check(&archive, None).unwrap();
        assert_eq!(archive, pack(b"an executable", None).unwrap());
        let mut read = ZipArchive::new(Cursor::new(&archive)).unwrap();
        let mut text = String::new();
        read.by_name("bootstrap")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "an executable");
    }

    #[test]
    fn an_archive_without_an_executable_bootstrap_is_refused() {
        for (name, mode) in [("bin/bootstrap", 0o755), ("bootstrap", 0o644)] {
            let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
            archive
                .start_file(name, SimpleFileOptions::default().unix_permissions(mode))
                .unwrap();
            let bytes = archive.finish().unwrap().into_inner();
            assert!(check(&bytes, None).is_err(), "{name} {mode:o}");
        }
        assert!(check(b"no archive", None).is_err());
    }

    #[test]
    fn the_targets_lie_beside_it_where_there_are_many() {
        const TARGETS: &str = "{\"version\":1}\n";
        let archive = pack(b"an executable", Some(TARGETS)).unwrap();
        check(&archive, Some(TARGETS)).unwrap();
        assert_eq!(archive, pack(b"an executable", Some(TARGETS)).unwrap());
        let mut read = ZipArchive::new(Cursor::new(&archive)).unwrap();
        assert_eq!(read.by_index(0).unwrap().name().unwrap(), "bootstrap");
        assert_eq!(read.by_index(1).unwrap().name().unwrap(), "targets.json");
        let file = read.by_name("targets.json").unwrap();
        assert_eq!(file.unix_mode(), Some(0o100_644));
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        drop(file);

        let without = pack(b"an executable", None).unwrap();
        assert!(check(&archive, None).is_err(), "targets of another time");
        assert!(check(&without, Some(TARGETS)).is_err(), "no targets");
        assert!(check(&archive, Some("{}")).is_err(), "other targets");
    }
}
