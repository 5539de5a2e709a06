//! The paths of the workspace: every path that xtask reads or writes starts here.

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
    /// Finds the workspace: `root` if given, otherwise the workspace of the running cargo, otherwise the nearest directory above the
    /// current one that contains `templates`.
    ///
    /// # Errors
    /// The directory does not exist.
    pub(crate) fn locate(root: Option<&Path>) -> Result<Self> {
        let root = match (root, env::var_os("CARGO_MANIFEST_DIR")) {
            (Some(root), _) => root.to_owned(),
            (None, Some(xtask)) => PathBuf::from(xtask).join(".."),
            (None, None) => {
                let here = env::current_dir().context("Failed to get the current directory")?;
                let holds_templates = |directory: &&Path| directory.join("templates").is_dir();
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

    /// The root directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the variables files.
    pub(crate) fn environments(&self) -> PathBuf {
        self.root.join("environments")
    }

    /// The directory of the templates.
    pub(crate) fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// The output directory of a stage. The Serverless Framework can deploy it as is.
    pub(crate) fn dist(&self, stage: &Stage) -> PathBuf {
        self.root.join("dist").join(stage.as_str())
    }

    /// Cargo's target directory: `CARGO_TARGET_DIR`, or `target`.
    pub(crate) fn target(&self) -> PathBuf {
        match env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty()) {
            // Like cargo, resolve a relative path from the current directory; `join` keeps an absolute one.
            Some(directory) => env::current_dir()
                .unwrap_or_else(|_| self.root.clone())
                .join(directory),
            None => self.root.join("target"),
        }
    }

    /// The directory of the pinned tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The directory of the tools' lock files.
    pub(crate) fn tool_locks(&self) -> PathBuf {
        self.root.join("xtask").join("tools")
    }

    /// Formats `path` for messages: relative to the workspace's root if it is inside.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
