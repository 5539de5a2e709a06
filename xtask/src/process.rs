//! The one place that starts processes. Each is echoed to standard error as a person would type it, and a failure names
//! it.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that processes start in"
)]

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::console;

/// A program with its arguments, yet to be started.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    bare: bool,
    folder: Option<PathBuf>,
    quiet: bool,
}

impl Program {
    /// A program by its path, or by its name in `PATH`.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            bare: false,
            folder: None,
            quiet: false,
        }
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), Some(value.into())));
        self
    }

    /// Takes an environment variable away.
    pub(crate) fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), None));
        self
    }

    /// Starts from an empty environment: what `env` sets is all there is.
    pub(crate) fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Runs in `folder`.
    pub(crate) fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Does not echo the command: for what a person need not know of.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The command as a person would type it.
    pub(crate) fn shown(&self) -> String {
        let quoted = |text: &str| {
            let plain = |character: char| {
                character.is_ascii_alphanumeric() || "-_./=:,@+%".contains(character)
            };
            if !text.is_empty() && text.chars().all(plain) {
                text.to_owned()
            } else {
                format!("'{}'", text.replace('\'', r"'\''"))
            }
        };
        let words = std::iter::once(self.path.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str));
        words
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to its end, its output on standard error: what a tool tells on the way is no result of ours.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.status()?;
        self.expect_success(status)
    }

    /// Runs it to its end with its standard output as ours: its results are the person's.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(crate) fn run_for_results(&self) -> Result<()> {
        let mut command = self.command();
        command.stdout(Stdio::inherit());
        self.expect_success(command.status().with_context(|| self.not_started())?)
    }

    /// Runs it to its end, its output on standard error, and tells how it ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn status(&self) -> Result<ExitStatus> {
        self.command().status().with_context(|| self.not_started())
    }

    /// Runs it to its end and takes its standard output; its standard error comes through.
    ///
    /// # Errors
    /// It cannot be started, fails, or prints what is not UTF-8.
    pub(crate) fn capture(&self) -> Result<String> {
        let output = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| self.not_started())?;
        self.expect_success(output.status)?;
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed what is not UTF-8", self.shown()))
    }

    /// Runs it to its end and takes all it printed; the caller judges its end. Nothing of it reaches the person.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn collect(&self) -> Result<Collected> {
        let output = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .with_context(|| self.not_started())?;
        Ok(Collected {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts it in a process group of its own, its output in `log`; its standard input is a pipe that closes when this
    /// process ends, however it ends.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(&self, log: std::fs::File) -> Result<Started> {
        let mut command = self.command();
        let errors = log.try_clone().context("Failed to share the log file")?;
        command
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let mut child = command.spawn().with_context(|| self.not_started())?;
        let input = child.stdin.take();
        Ok(Started { child, input })
    }

    fn command(&self) -> Command {
        if !self.quiet {
            console::note(&format!("$ {}", self.shown()));
        }
        let mut command = Command::new(&self.path);
        if self.bare {
            command.env_clear();
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.args(&self.arguments).stdout(std::io::stderr());
        command
    }

    fn expect_success(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown());
        }
        Ok(())
    }

    fn not_started(&self) -> String {
        format!("Failed to start `{}`", self.shown())
    }
}

/// What a finished program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Collected {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// A program under way, in a process group of its own. Dropping it ends the group.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    /// Held open: its end tells the program that we are gone.
    input: Option<ChildStdin>,
}

impl Started {
    /// Its process id, which is its group's too.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself, and how.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .context("Failed to ask after a process")
    }
}

/// Where `name` lies in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
