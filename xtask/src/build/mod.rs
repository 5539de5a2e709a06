//! The function as Lambda takes it: `handler.zip`, with an executable `bootstrap` at its root, and `targets.json` beside it
//! where the stage has many targets.
//!
//! cargo-lambda builds the executable; the zip is written here, since cargo-lambda's own carries the time of the build.
//! The same sources give the same bytes, in whichever folder they lie: the archive's date is fixed, and the paths that
//! the compiler would leave in panic messages are mapped to names that are the same everywhere.

mod cargo_lambda;
mod elf;
mod zip;

use std::{fmt::Write, path::PathBuf};

use anyhow::{Context, Result};
use contract::Selection;
use hmac_sha256::Hash;

pub(crate) use cargo_lambda::Package;

use crate::{
    environment::{Architecture, Environment},
    sys::{console::Step, files, workspace::Workspace},
};

/// A built and checked `handler.zip`.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// The executable inside, where the build has left it.
    pub(crate) executable: PathBuf,
    /// Its size in bytes.
    pub(crate) executable_size: usize,
}

impl Artifact {
    /// Builds the function for the stage's architecture, checks it, and writes `dist/STAGE/handler.zip`.
    ///
    /// # Errors
    /// The build fails, the Rust target is not installed, or the executable would not run on `provided.al2023`; then an
    /// earlier `handler.zip` is still there.
    pub(crate) fn build(workspace: &Workspace, environment: &Environment) -> Result<Self> {
        let targets = match environment.selection() {
            Selection::One(_) => None,
            Selection::Many(file) => Some(file.to_json()),
        };
        let package = Package::Handler;
        let path = workspace.dist(&environment.stage).join(package.zip_name());
        let architecture = environment.variables.function.architecture;
        Self::build_as(workspace, package, architecture, targets.as_deref(), path)
    }

    /// Builds a package as the function is built, checks it, and writes the zip to `path`, with `targets.json` beside the
    /// executable where there are `targets`.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub(crate) fn build_as(
        workspace: &Workspace,
        package: Package,
        architecture: Architecture,
        targets: Option<&str>,
        path: PathBuf,
    ) -> Result<Self> {
        let built = cargo_lambda::build(workspace, package, architecture)?;
        let executable = files::read(&built)?;
        let step = Step::begin("Checking and packing the function");
        let members = files::names_in(&workspace.root().join("crates"))?;
        let folders = cargo_lambda::own_folders(
            workspace.root(),
            &members,
            &workspace.target(),
            architecture,
        );
        elf::check(&executable, architecture, &folders)
            .context("Failed to build a function that Lambda can run")?;
        let bytes = zip::pack(&executable, targets)?;
        zip::check(&bytes, targets)?;
        files::write(&path, &bytes)?;
        let artifact = Self {
            path,
            sha256: hexadecimal(&Hash::hash(&bytes)),
            size: bytes.len(),
            executable: built,
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

/// Whether the Rust toolchain can build for `architecture`.
///
/// # Errors
/// It has no standard library for it; the error says how to get it.
pub(crate) fn require_target(workspace: &Workspace, architecture: Architecture) -> Result<()> {
    cargo_lambda::require_target(workspace, architecture)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// A file of an archive such as `handler.zip`; nothing where it has none of that name.
///
/// # Errors
/// The archive is damaged.
pub(crate) fn file_in(archive: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let files = zip::unpack(archive).context("The archive cannot be read")?;
    let file = files.into_iter().find(|file| file.name == name);
    Ok(file.map(|file| file.content))
}

/// Bytes as two digits each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
