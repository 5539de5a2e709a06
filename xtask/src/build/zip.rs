//! Packs `bootstrap` and, for a stage with many targets, `targets.json`. The date is fixed, so the same files give the same
//! archive.

use std::io::{self, Write};

use anyhow::{Context, Result, ensure};
use contract::TargetsFile;
use flate2::{Compression, bufread::DeflateDecoder, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter, time::UtcDateTime};

/// The name of the executable that Lambda starts (Lambda developer guide, "Building a custom runtime").
const BOOTSTRAP: &str = "bootstrap";

/// The mode of an executable: `rwxr-xr-x`.
const EXECUTABLE: u32 = 0o100_755;

/// The mode of a file: `rw-r--r--`. Lambda's user must be able to read it.
const READABLE: u32 = 0o100_644;

/// 1980-01-01, the earliest date in a zip.
const EARLIEST: i64 = 315_532_800;

/// Packs the executable and, if given, `targets.json`.
///
/// # Errors
/// They are too large for a zip.
pub(super) fn pack(executable: &[u8], targets: Option<&str>) -> Result<Vec<u8>> {
    let pack = || -> Result<Vec<u8>> {
        let mut archive = ZipArchiveWriter::new(Vec::new());
        add(&mut archive, BOOTSTRAP, EXECUTABLE, executable)?;
        if let Some(targets) = targets {
            add(
                &mut archive,
                TargetsFile::NAME,
                READABLE,
                targets.as_bytes(),
            )?;
        }
        Ok(archive.finish()?)
    };
    pack().context("Failed to pack the function")
}

fn add<W: Write>(
    archive: &mut ZipArchiveWriter<W>,
    name: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let (mut entry, config) = archive
        .new_file(name)
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified(UtcDateTime::from_unix(EARLIEST))
        .unix_permissions(mode)
        .start()?;
    let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
    writer.write_all(content)?;
    let (encoder, descriptor) = writer.finish()?;
    encoder.finish()?;
    entry.finish(descriptor)?;
    Ok(())
}

/// Checks the archive: `bootstrap` must be at its root and executable, or Lambda fails with `Runtime.InvalidEntrypoint`, and
/// `targets.json` must be the given one, or the function would list other accounts.
///
/// # Errors
/// The archive does not meet these conditions.
pub(super) fn check(archive: &[u8], targets: Option<&str>) -> Result<()> {
    let files = unpack(archive).context("Failed to read back the archive")?;
    let expected = 1 + usize::from(targets.is_some());
    ensure!(
        files.len() == expected,
        "The archive has {} files, expected {expected}",
        files.len()
    );
    let named = |name| {
        let file = files.iter().find(|file| file.name == name);
        file.with_context(|| format!("The archive has no `{name}` at its root"))
    };
    if let Some(targets) = targets {
        let name = TargetsFile::NAME;
        let File { mode, content, .. } = named(name)?;
        ensure!(
            mode & 0o444 == 0o444,
            "`{name}` is not readable in the archive (mode {mode:o})"
        );
        ensure!(
            content == targets.as_bytes(),
            "`{name}` in the archive differs from the one that was packed"
        );
    }
    let File { mode, .. } = named(BOOTSTRAP)?;
    ensure!(
        mode & 0o111 == 0o111,
        "`bootstrap` is not executable in the archive (mode {mode:o})"
    );
    Ok(())
}

/// A file in an archive.
pub(super) struct File {
    pub(super) name: String,
    mode: u32,
    pub(super) content: Vec<u8>,
}

/// Reads every file of an archive and verifies its checksum.
pub(super) fn unpack(archive: &[u8]) -> Result<Vec<File>> {
    let archive = ZipArchive::from_slice(archive)?;
    let mut entries = archive.entries();
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry()? {
        let name = String::from_utf8(entry.file_path().as_ref().to_vec())?;
        let packed = archive.get_entry(entry.wayfinder())?;
        let mut content = Vec::new();
        let mut unpacked = packed.verifying_reader(DeflateDecoder::new(packed.data()));
        io::copy(&mut unpacked, &mut content)
            .with_context(|| format!("`{name}` cannot be unpacked"))?;
        let mode = entry.mode().value();
        files.push(File {
            name,
            mode,
            content,
        });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_passes_the_check_and_is_the_same_twice() {
        let archive = pack(b"an executable", None).unwrap();
        check(&archive, None).unwrap();
        assert_eq!(archive, pack(b"an executable", None).unwrap());
        let files = unpack(&archive).unwrap();
        assert_eq!(files[0].content, b"an executable");
    }

    #[test]
    fn an_archive_without_an_executable_bootstrap_is_refused() {
        for (name, mode) in [("bin/bootstrap", EXECUTABLE), ("bootstrap", READABLE)] {
            let mut archive = ZipArchiveWriter::new(Vec::new());
            add(&mut archive, name, mode, b"an executable").unwrap();
            let archive = archive.finish().unwrap();
            let error = check(&archive, None).unwrap_err().to_string();
            assert!(error.contains("`bootstrap`"), "{name} {mode:o}: {error}");
        }
        assert!(check(b"no archive", None).is_err());
    }

    #[test]
    fn a_damaged_archive_is_refused() {
        let mut archive = pack(&[7; 4_000], None).unwrap();
        // The first byte after the local header and the name is of the compressed data.
        let data = 30 + BOOTSTRAP.len() + 9;
        archive[data] ^= 0x10;
        assert!(check(&archive, None).is_err());
    }

    #[test]
    fn the_targets_lie_beside_it_where_there_are_many() {
        const TARGETS: &str = "{\"version\":1}\n";
        let archive = pack(b"an executable", Some(TARGETS)).unwrap();
        check(&archive, Some(TARGETS)).unwrap();
        assert_eq!(archive, pack(b"an executable", Some(TARGETS)).unwrap());
        let files = unpack(&archive).unwrap();
        let found: Vec<_> = files
            .iter()
            .map(|file| (file.name.as_str(), file.mode))
            .collect();
        assert_eq!(
            found,
            [("bootstrap", 0o100_755), ("targets.json", 0o100_644)]
        );

        let without = pack(b"an executable", None).unwrap();
        assert!(check(&archive, None).is_err(), "targets of another time");
        assert!(check(&without, Some(TARGETS)).is_err(), "no targets");
        assert!(check(&archive, Some("{}")).is_err(), "other targets");
    }
}
