//! The zip: one file, `bootstrap`, with a fixed date, so that the same executable gives the same archive.

use std::io::{Cursor, Write};

use anyhow::{Context, Result, ensure};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// What Lambda starts (Lambda developer guide, "Building a custom runtime").
const BOOTSTRAP: &str = "bootstrap";

/// An ordinary executable: `rwxr-xr-x`.
const MODE: u32 = 0o755;

/// Packs the executable.
///
/// # Errors
/// It is too large for a zip.
pub(super) fn pack(executable: &[u8]) -> Result<Vec<u8>> {
    // `DateTime::default` is 1980-01-01, the earliest that a zip can tell.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let pack = || -> Result<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(BOOTSTRAP, options)?;
        archive.write_all(executable)?;
        Ok(archive.finish()?.into_inner())
    };
    pack().context("Failed to pack the function")
}

/// The archive must hold `bootstrap` at its root, executable: without either, Lambda ends with `Runtime.InvalidEntrypoint`.
///
/// # Errors
/// It does not.
pub(super) fn check(archive: &[u8]) -> Result<()> {
    let mut archive =
        ZipArchive::new(Cursor::new(archive)).context("The archive cannot be read back")?;
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
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_passes_the_check_and_is_the_same_twice() {
        let archive = pack(b"an executable").unwrap();
        check(&archive).unwrap();
        assert_eq!(archive, pack(b"an executable").unwrap());
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
            assert!(check(&bytes).is_err(), "{name} {mode:o}");
        }
        assert!(check(b"no archive").is_err());
    }
}
