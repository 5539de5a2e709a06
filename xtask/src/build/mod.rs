//! Builds `handler.zip`: the executable `bootstrap` and, for a stage with many targets, `targets.json`.
//!
//! cargo-lambda builds the executable. The zip is written here, because cargo-lambda's own contains the build time. The same
//! sources give the same bytes in any directory: the archive's date is fixed, and source paths in panic messages are
//! remapped.

mod cargo_lambda;
mod elf;
mod zip;

use std::{fmt::Write, path::PathBuf};

use anyhow::{Context, Result};
use contract::Selection;
use hmac_sha256::Hash;

pub(crate) use cargo_lambda::Package;

use crate::sys::{console::Step, files, workspace::Workspace};
use environment::{Architecture, Environment};

/// A built and checked `handler.zip`.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The SHA-256 of its bytes, in lowercase hexadecimal.
    pub(crate) sha256: String,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// The path of the executable outside the archive.
    pub(crate) executable: PathBuf,
    /// The size of the executable in bytes.
    pub(crate) executable_size: usize,
}

impl Artifact {
    /// Builds the function for the stage's architecture, checks it, and writes `dist/STAGE/handler.zip`.
    ///
    /// # Errors
    /// The build fails, the Rust target is not installed, or the executable would not run on `provided.al2023`. An existing
    /// `handler.zip` is then unchanged.
    pub(crate) fn build(workspace: &Workspace, environment: &Environment) -> Result<Self> {
        let targets = match environment.selection() {
            Selection::Single(_) => None,
            Selection::Fleet(file) => Some(file.to_json()),
        };
        let package = Package::Handler;
        let path = workspace.dist(&environment.stage).join(package.zip_name());
        let architecture = environment.variables.function.architecture;
        Self::build_as(workspace, package, architecture, targets.as_deref(), path)
    }

    /// Builds `package` like the function, checks it, and writes the zip to `path`, with `targets` as `targets.json` if given.
    ///
    /// # Errors
    /// See [`build`](Self::build).
    pub(crate) fn build_as(
        workspace: &Workspace,
        package: Package,
        architecture: Architecture,
        targets: Option<&str>,
        path: PathBuf,
    ) -> Result<Self> {
        let built = cargo_lambda::build(workspace, package, architecture)?;
        let executable = built.bytes;
        let step = Step::begin("Checking and packing the function");
        let members = files::names_in(&workspace.root().join("crates"))?;
        let directories = cargo_lambda::own_directories(
            workspace.root(),
            &members,
            &workspace.target(),
            architecture,
        );
        elf::check(&executable, architecture, &directories)
            .context("Failed to build a function that Lambda can run")?;
        let bytes = zip::pack(&executable, targets)?;
        zip::check(&bytes, targets)?;
        files::write(&path, &bytes)?;
        let artifact = Self {
            path,
            sha256: hexadecimal(&Hash::hash(&bytes)),
            size: bytes.len(),
            executable: built.path,
            executable_size: executable.len(),
        };
        step.done(&format!(
            "{} ({}, {:.1} MB, {:.1} MB unpacked)",
            workspace.shown(&artifact.path),
            architecture.as_str(),
            megabytes(artifact.size),
            megabytes(artifact.executable_size)
        ));
        Ok(artifact)
    }
}

/// Checks that the Rust toolchain can build for `architecture`.
///
/// # Errors
/// Its standard library for that target is not installed; the error says how to install it.
pub(crate) fn require_target(workspace: &Workspace, architecture: Architecture) -> Result<()> {
    cargo_lambda::require_target(workspace, architecture)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Reads a file from an archive such as `handler.zip`. Returns `None` if the archive has no such file.
///
/// # Errors
/// The archive is invalid.
pub(crate) fn file_in(archive: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let files = zip::unpack(archive).context("Failed to read the archive")?;
    let file = files.into_iter().find(|file| file.name == name);
    Ok(file.map(|file| file.content))
}

/// Formats bytes as lowercase hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
