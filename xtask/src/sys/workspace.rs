//! Where things lie: every path that xtask reads or writes is made here.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use contract::Stage;

/// The workspace on disk.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace at `root`; without one, the one that holds this xtask, as cargo tells it, or the nearest one around the current
    /// folder that has templates.
    ///
    /// # Errors
    /// The folder does not exist, or nothing says which it is.
    pub(crate) fn locate(root: Option<&Path>) -> Result<Self> {
        let root = match (root, env::var_os("CARGO_MANIFEST_DIR")) {
            (Some(root), _) => root.to_owned(),
            (None, Some(xtask)) => PathBuf::from(xtask).join(".."),
            (None, None) => {
                let here = env::current_dir().context("Failed to find the current folder")?;
                let holds_templates = |folder: &&Path| folder.join("templates").is_dir();
                here.ancestors()
                    .find(holds_templates)
                    .unwrap_or(&here)
                    .to_owned()
            }
        };
        let root = root
            .canonicalize()
            .with_context(|| format!("Failed to find the workspace: `{}`", root.display()))?;
        Ok(Self { root })
    }

    /// The folder that holds everything.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the variables files.
    pub(crate) fn environments(&self) -> PathBuf {
        self.root.join("environments")
    }

    /// The folder of the templates.
    pub(crate) fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// The folder that a stage is made in; it can be deployed as it is.
    pub(crate) fn dist(&self, stage: &Stage) -> PathBuf {
        self.root.join("dist").join(stage.as_str())
    }

    /// Cargo's target folder: `CARGO_TARGET_DIR`, or `target`.
    pub(crate) fn target(&self) -> PathBuf {
        match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
            // Cargo takes a relative one from the current folder; `join` keeps an absolute one as it is.
            Some(folder) => env::current_dir()
                .unwrap_or_else(|_| self.root.clone())
                .join(folder),
            None => self.root.join("target"),
        }
    }

    /// The folder of the pinned tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The folder of the tools' lock files.
    pub(crate) fn tool_locks(&self) -> PathBuf {
        self.root.join("xtask").join("tools")
    }

    /// `path` as a person reads it: from the workspace's root where it lies inside.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
