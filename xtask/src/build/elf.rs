//! Checks that the executable runs on Lambda, before it is deployed.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use object::{
    Endianness, FileKind,
    elf::{EM_AARCH64, EM_X86_64, FileHeader64},
    read::elf::{FileHeader, SectionHeader},
};

use environment::Architecture;

/// The glibc of `provided.al2023`: Amazon Linux 2023 has 2.34 (Amazon Linux 2023 user guide, "Comparing AL2 and AL2023").
pub(super) const GLIBC: GlibcVersion = GlibcVersion(2, 34);

/// A glibc version: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GlibcVersion(u32, u32);

impl std::fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Checks that the executable is for `architecture`, needs no newer glibc than Lambda has, and contains no path of the
/// source directories `directories`, which would make the build depend on its location.
///
/// # Errors
/// One of these conditions is not met; the error names it.
pub(super) fn check(
    executable: &[u8],
    architecture: Architecture,
    directories: &[PathBuf],
) -> Result<()> {
    ensure!(
        matches!(FileKind::parse(executable), Ok(FileKind::Elf64)),
        "The executable is not a 64-bit ELF file"
    );
    let header = FileHeader64::<Endianness>::parse(executable)
        .context("Failed to read the executable's ELF header")?;
    let endian = header
        .endian()
        .context("Failed to read the executable's ELF header")?;
    let wanted = match architecture {
        Architecture::X86 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    };
    let machine = header.e_machine(endian);
    ensure!(
        machine == wanted,
        "The executable is not for {}: ELF machine {machine:?}, not {wanted:?}",
        architecture.as_str()
    );
    let newest = newest_glibc(header, endian, executable)
        .context("Failed to read the executable's symbol versions")?;
    if newest > GLIBC {
        bail!(
            "The executable needs glibc {newest}; Lambda's provided.al2023 has {GLIBC}\n\
             hint: build it with `cargo xtask build`, which builds against glibc {GLIBC}"
        );
    }
    if let Some(directory) = directories
        .iter()
        .find(|directory| holds(executable, directory))
    {
        bail!(
            "The executable contains the path `{}`; a build in another directory would not be identical",
            directory.display()
        );
    }
    Ok(())
}

/// Returns whether `bytes` contain the path of a file in `directory`. Strings in an executable are not separated, so the bytes
/// before the path do not matter.
fn holds(bytes: &[u8], directory: &Path) -> bool {
    let path = [directory.as_os_str().as_bytes(), b"/"].concat();
    memchr::memmem::find(bytes, &path).is_some()
}

/// The newest `GLIBC_…` version that a symbol needs; `0.0` if none does.
fn newest_glibc(
    header: &FileHeader64<Endianness>,
    endian: Endianness,
    data: &[u8],
) -> Result<GlibcVersion> {
    let sections = header.sections(endian, data)?;
    let mut newest = GlibcVersion(0, 0);
    for section in sections.iter() {
        let Some((mut libraries, strings)) = section.gnu_verneed(endian, data)? else {
            continue;
        };
        let strings = sections.strings(endian, data, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?);
                newest = newest.max(glibc_version(&name).unwrap_or(newest));
            }
        }
    }
    Ok(newest)
}

/// Parses `GLIBC_2.34`; of `GLIBC_2.2.5`, only 2.2.
fn glibc_version(name: &str) -> Option<GlibcVersion> {
    let mut parts = name.strip_prefix("GLIBC_")?.split('.');
    Some(GlibcVersion(
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(glibc_version("GLIBC_2.9").unwrap() < glibc_version("GLIBC_2.34").unwrap());
        assert_eq!(glibc_version("GLIBC_2.2.5").unwrap(), GlibcVersion(2, 2));
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version("GCC_3.0"), None);
    }

    #[test]
    fn what_is_no_executable_is_refused() {
        for bytes in [
            &b""[..],
            b"#!/bin/sh\n",
            &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0],
        ] {
            assert!(check(bytes, Architecture::X86, &[]).is_err());
        }
    }

    /// A checkout's directory name may be part of every path of the compiler's own sources.
    #[test]
    fn a_path_of_the_workspace_is_told_from_paths_that_look_like_it() {
        let compilers = b"/rustc/0123/library/core/src/option.rs/rustc/0123/library/stdarch/crates/core_arch/src/x.rs\
                          /cargo/registry/src/index.crates.io-0123/bytes-1.0.0/src/lib.rs";
        let held = |text: &[u8], root: &str| {
            let members = ["core", "handler"].map(str::to_owned);
            let directories = super::super::cargo_lambda::own_directories(
                Path::new(root),
                &members,
                &Path::new(root).join("target"),
                Architecture::X86,
            );
            directories.iter().any(|directory| holds(text, directory))
        };
        for root in ["/src", "/", "/library"] {
            assert!(!held(compilers, root), "{root}");
        }
        for (text, root) in [
            ("text/src/crates/handler/src/main.rs", "/src"),
            ("text/crates/core/src/lib.rs", "/"),
            (
                "text/home/me/it/target/x86_64-unknown-linux-gnu/release/build/x/out/y.rs",
                "/home/me/it",
            ),
        ] {
            assert!(held(text.as_bytes(), root), "{root}");
        }
        assert!(!held(b"/home/me/it/crates/core/src/x.rs", "/home/me"));
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn another_machine_is_refused_and_a_needed_glibc_is_found() {
        let ourselves = files::read(&std::env::current_exe().unwrap()).unwrap();
        let error = check(&ourselves, Architecture::Arm64, &[]).unwrap_err();
        assert!(error.to_string().contains("not for arm64"), "{error}");
        let header = FileHeader64::<Endianness>::parse(&*ourselves).unwrap();
        let newest = newest_glibc(header, header.endian().unwrap(), &ourselves).unwrap();
        assert!(newest > GlibcVersion(2, 2), "{newest}");
    }
}
