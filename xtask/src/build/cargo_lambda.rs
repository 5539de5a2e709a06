//! Runs cargo-lambda: the release build of the function for Lambda.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::elf::GLIBC;
use crate::{
    sys::{
        console, files,
        process::{self, Program},
        workspace::Workspace,
    },
    tools,
};
use environment::Architecture;

/// A package whose binary, of the same name, is built for Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    /// The function.
    Handler,
    /// What the benchmark holds it against.
    Baseline,
}

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Baseline => "baseline",
        }
    }

    /// The name of its zip.
    pub(crate) fn zip_name(self) -> &'static str {
        match self {
            Self::Handler => "handler.zip",
            Self::Baseline => "baseline.zip",
        }
    }
}

/// A built executable.
#[derive(Debug)]
pub(super) struct Executable {
    /// Its path. The next build replaces the file.
    pub(super) path: PathBuf,
    /// Its content, read before another build could replace it.
    pub(super) bytes: Vec<u8>,
}

/// Builds `package` for `architecture` and reads the executable.
///
/// # Errors
/// The Rust target is not installed, or the build fails.
pub(super) fn build(
    workspace: &Workspace,
    package: Package,
    architecture: Architecture,
) -> Result<Executable> {
    let target = target(architecture);
    require_rust(process::find_program)?;
    require_target(workspace, architecture)?;
    let lambda_directory = workspace
        .target()
        .join("lambda")
        .join(architecture.as_str());
    // cargo-lambda moves the executable out of cargo's directory, so of two concurrent builds one would not find it.
    let _lock = files::lock(&lambda_directory.join("lock"), || {
        console::note("Waiting for another build of the function …");
    })?;
    tools::cargo_lambda(workspace)?
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            package.name(),
            "--bin",
            package.name(),
        ])
        .args([
            "--target",
            &format!("{target}.{GLIBC}"),
            "--output-format",
            "binary",
        ])
        .args([Path::new("--lambda-dir"), &lambda_directory])
        .env("CARGO_TARGET_DIR", workspace.target())
        .env("CARGO_ENCODED_RUSTFLAGS", path_mappings().join("\u{1f}"))
        .without_env("RUSTFLAGS")
        .in_directory(workspace.root())
        .run()?;
    let path = lambda_directory.join(package.name()).join("bootstrap");
    let bytes = files::read(&path)?;
    Ok(Executable { path, bytes })
}

fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Remaps the paths of dependencies' sources, which the compiler writes into panic messages, so that they are the same on every
/// machine. Cargo uses relative paths for the workspace's own sources; remapping these too would make every directory a
/// different build to cargo.
fn path_mappings() -> Vec<String> {
    cargo_home()
        .map(|home| format!("--remap-path-prefix={}=/cargo", home.display()))
        .into_iter()
        .collect()
}

/// The directories whose paths must not occur in the executable: the sources of the workspace's crates, and the output of build
/// scripts.
pub(super) fn own_directories(
    root: &Path,
    members: &[String],
    target_directory: &Path,
    architecture: Architecture,
) -> Vec<PathBuf> {
    let sources = members
        .iter()
        .map(|name| root.join("crates").join(name).join("src"));
    let generated = target_directory.join(target(architecture));
    sources.chain([generated]).collect()
}

fn cargo_home() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .filter(|directory| !directory.is_empty())
        .map(PathBuf::from)
        .or_else(home)
}

/// Checks that `PATH` has the Rust toolchain: cargo-lambda runs the `cargo` in `PATH`.
///
/// # Errors
/// `cargo` or `rustc` is missing; the error says how to install it.
fn require_rust(find: impl Fn(&str) -> Option<PathBuf>) -> Result<()> {
    for name in ["cargo", "rustc"] {
        if find(name).is_none() {
            bail!(
                "The build needs `{name}`, which is not in PATH\n\
                 hint: add the directory that holds it to PATH (rustup puts it in `~/.cargo/bin`), or install Rust: \
                 https://rustup.rs"
            );
        }
    }
    Ok(())
}

/// # Errors
/// The standard library for `architecture` is not installed; the error says how to install it.
pub(super) fn require_target(workspace: &Workspace, architecture: Architecture) -> Result<()> {
    let target = target(architecture);
    let libraries = Program::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .in_directory(workspace.root())
        .quiet()
        .capture()?;
    if Path::new(libraries.trim_end()).is_dir() {
        return Ok(());
    }
    let fix = if process::find_program("rustup").is_some() {
        format!("rustup target add {target}")
    } else {
        format!("install the Rust standard library for {target} (`rustup target add {target}`)")
    };
    bail!("The Rust target `{target}` is not installed\nhint: {fix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_cargo_is_reported() {
        let only = |there: &'static str| {
            move |name: &str| (name == there).then(|| PathBuf::from("/bin").join(name))
        };
        for (there, missing) in [("rustc", "`cargo`"), ("cargo", "`rustc`")] {
            let told = require_rust(only(there)).unwrap_err().to_string();
            assert!(told.contains(missing) && told.contains("hint: "), "{told}");
        }
        assert!(require_rust(|_| Some(PathBuf::new())).is_ok());
    }
}
