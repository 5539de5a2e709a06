//! Starts processes. Each command is echoed to standard error as it would be typed, and errors name it.

#![expect(
    clippy::disallowed_methods,
    reason = "all processes start in this module"
)]

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, kill_process_group};

use crate::sys::{
    console,
    error::AlreadyReported,
    interrupt::{self, Pending, Undo},
};

/// A program with its arguments.
///
/// It inherits the environment of this process except AWS settings, which are passed on request only: build scripts and tools must
/// not see credentials.
#[derive(Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    bare: bool,
    aws_settings: bool,
    directory: Option<PathBuf>,
    quiet: bool,
    /// The display name, and how many arguments it stands for.
    name: Option<(String, usize)>,
}

impl Program {
    /// Creates a program from a path or a name in `PATH`.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            bare: false,
            aws_settings: false,
            directory: None,
            quiet: false,
            name: None,
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

    /// Removes an environment variable.
    pub(crate) fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), None));
        self
    }

    /// Sets environment variables, and removes those without a value.
    pub(crate) fn envs<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.variables
            .extend(variables.map(|(name, value)| (name.into(), value.map(Into::into))));
        self
    }

    /// Passes on the caller's AWS settings.
    pub(crate) fn with_aws_settings(mut self) -> Self {
        self.aws_settings = true;
        self
    }

    /// Starts from an empty environment, with only the variables that `env` sets.
    pub(crate) fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Runs in `directory`.
    pub(crate) fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the display name, which stands for the path and the arguments so far.
    pub(crate) fn called(mut self, name: impl Into<String>) -> Self {
        self.name = Some((name.into(), self.arguments.len()));
        self
    }

    /// Does not echo the command.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The command as it would be typed in a shell.
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
        let (name, hidden) = self
            .name
            .clone()
            .unwrap_or_else(|| (quoted(&self.path.to_string_lossy()), 0));
        let arguments = self.arguments.iter().skip(hidden);
        std::iter::once(name)
            .chain(arguments.map(|argument| quoted(&argument.to_string_lossy())))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs the program with its output on standard error, so that it does not mix with results.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.status()?;
        self.expect_success(status)
    }

    /// Runs the program and prints its output only if it fails.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(crate) fn run_quietly(&self) -> Result<()> {
        let Collected {
            status,
            stdout,
            stderr,
        } = self.collect()?;
        if !status.success() {
            console::note(&format!("{}{}", stdout, stderr.trim_end()));
        }
        self.expect_success(status)
    }

    /// Runs the program with this process's standard output.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(crate) fn run_for_results(&self) -> Result<()> {
        let mut command = self.command();
        command.stdout(Stdio::inherit());
        let status = self.to_its_end(command)?.status;
        self.expect_success(status)
    }

    /// Runs the program with its output on standard error, and returns its exit status.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn status(&self) -> Result<ExitStatus> {
        Ok(self.to_its_end(self.command())?.status)
    }

    /// Runs the program and returns its standard output; its standard error is passed through.
    ///
    /// # Errors
    /// It cannot be started, fails, or prints invalid UTF-8.
    pub(crate) fn capture(&self) -> Result<String> {
        let mut command = self.command();
        command.stdout(Stdio::piped());
        let output = self.to_its_end(command)?;
        self.standard_output(output)
    }

    /// Like [`capture`](Self::capture), for a program that prints its own errors and then exits with 1.
    ///
    /// # Errors
    /// [`AlreadyReported`] if it exits with 1, or see [`capture`](Self::capture).
    pub(crate) fn capture_reported(&self) -> Result<String> {
        let mut command = self.command();
        command.stdout(Stdio::piped());
        let output = self.to_its_end(command)?;
        if output.status.code() == Some(1) {
            return Err(AlreadyReported.into());
        }
        self.standard_output(output)
    }

    /// Runs the program and returns its output and exit status; prints nothing.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn collect(&self) -> Result<Collected> {
        self.collect_with(Stdio::null())
    }

    /// Like [`collect`](Self::collect), with a lock that the program inherits as its standard input: if this process is
    /// killed, the lock is held until the program has ended too.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn collect_under(&self, lock: &File) -> Result<Collected> {
        let lock = lock.try_clone().context("Failed to share a lock")?;
        self.collect_with(lock.into())
    }

    fn collect_with(&self, input: Stdio) -> Result<Collected> {
        let mut command = self.command();
        command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = self.to_its_end(command)?;
        Ok(Collected {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts the program in its own process group, with its output in `log`. Its standard input is a pipe that closes when this
    /// process ends, even if it is killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(&self, log: File) -> Result<Started> {
        let mut command = self.command();
        let errors = log.try_clone().context("Failed to share the log file")?;
        command
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let (mut child, undo) = self.spawn(&mut command, Undo::KillGroup)?;
        Ok(Started {
            input: child.stdin.take(),
            child,
            undo: Some(undo),
        })
    }

    /// Runs the program during an interrupt and returns whether it succeeded. Its output is discarded.
    pub(crate) fn succeeds_apart(&self) -> bool {
        let mut command = self.command();
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command.status().is_ok_and(|status| status.success())
    }

    /// Runs `command` to its end; an interrupt of this process ends it too.
    fn to_its_end(&self, mut command: Command) -> Result<Output> {
        // In its own process group, so that its children can be ended too. Such a group cannot read from the terminal, and none
        // of these programs has to.
        command.process_group(0);
        let (child, pending) = self.spawn(&mut command, Undo::EndGroup)?;
        let output = child
            .wait_with_output()
            .with_context(|| format!("Failed to wait for `{}`", self.shown()))?;
        drop(pending);
        interrupt::stop_here_if_interrupted();
        Ok(output)
    }

    /// Starts `command` and registers `undo` for an interrupt.
    fn spawn(&self, command: &mut Command, undo: fn(u32) -> Undo) -> Result<(Child, Pending)> {
        interrupt::start(|| {
            let child = command.spawn().with_context(|| self.not_started())?;
            let undo = undo(child.id());
            Ok((child, undo))
        })
    }

    fn command(&self) -> Command {
        if !self.quiet {
            console::note(&format!("$ {}", self.shown()));
        }
        let mut command = Command::new(&self.path);
        if self.bare {
            command.env_clear();
        }
        for (name, _) in std::env::vars_os() {
            if is_own(&name) || (is_aws_setting(&name) && !self.aws_settings) {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(io::stderr());
        command
    }

    fn standard_output(&self, output: Output) -> Result<String> {
        self.expect_success(output.status)?;
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed invalid UTF-8", self.shown()))
    }

    fn expect_success(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown());
        }
        Ok(())
    }

    fn not_started(&self) -> String {
        let is_bare = self.path.components().count() == 1;
        let name = self.path.to_string_lossy();
        let hint = match &*name {
            _ if !is_bare || find_program(&name).is_some() => String::new(),
            "cargo" | "rustc" => format!(
                "\nhint: `{name}` is not in PATH; add its directory (rustup installs it in `~/.cargo/bin`)\n"
            ),
            _ => format!("\nhint: `{name}` is not in PATH\n"),
        };
        format!("Failed to start `{}`{hint}", self.shown())
    }
}

/// Returns whether cargo set this variable for `cargo xtask` itself. Passed on to another cargo, it would look like a change and
/// rerun build scripts that read it, such as ring's (0.17), and rebuild everything that depends on them.
fn is_own(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

/// Returns whether this is a setting of the AWS SDKs and tools; the Rust SDK also accepts an older name for the secret (aws-config 1.13,
/// `EnvironmentVariableCredentialsProvider`).
fn is_aws_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.starts_with("AWS_") || name == "SECRET_ACCESS_KEY"
}

/// Shows the command without its environment, which may contain credentials.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.shown()).finish()
    }
}

/// The output and exit status of a finished program.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// A running program in its own process group. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    /// Held open; when it closes, the program knows that this process is gone.
    input: Option<ChildStdin>,
    undo: Option<Pending>,
}

impl Started {
    /// Its process ID, which is also its group's ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("The process takes no input")?;
        writeln!(input, "{line}").context("Failed to write to a process")
    }

    /// Returns its exit status if it has ended by itself.
    ///
    /// # Errors
    /// The system call fails.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .context("Failed to get the status of a process")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Kill the group first: after its leader has been reaped, the ID may be reused.
        if let Some(group) = interrupt::pid(self.child.id()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.input.take());
        drop(self.undo.take());
        let _ = self.child.wait();
    }
}

/// The path of this executable. If cargo has replaced the file since, as a test run does, it is the path of the new build.
///
/// # Errors
/// The system call fails.
pub(crate) fn own_path() -> Result<PathBuf> {
    let path = std::env::current_exe().context("Failed to find this program")?;
    // Linux appends this to the path of a replaced file (proc(5), `/proc/PID/exe`).
    let text = path.to_string_lossy();
    Ok(text
        .strip_suffix(" (deleted)")
        .map_or_else(|| path.clone(), PathBuf::from))
}

/// Finds `name` in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use rustix::process::test_kill_process_group;

    use super::*;

    #[test]
    fn cargos_variables_for_this_package_are_not_passed_on() {
        for (name, own) in [
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_HOME", false),
            ("PATH", false),
        ] {
            assert_eq!(is_own(name.as_ref()), own, "{name}");
        }
    }

    fn shell(script: &str) -> Program {
        Program::new("/bin/sh").args(["-c", script]).quiet()
    }

    #[test]
    fn dropping_a_started_program_kills_its_group() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let started = shell("trap '' TERM INT; sleep 600 & echo started; wait; sleep 600")
            .start(log.reopen().unwrap())
            .unwrap();
        while !std::fs::read_to_string(log.path())
            .unwrap()
            .contains("started")
        {
            thread::sleep(Duration::from_millis(5));
        }
        let group = interrupt::pid(started.id()).unwrap();
        assert!(test_kill_process_group(group).is_ok());
        drop(started);
        // A killed grandchild remains until its new parent has reaped it.
        assert!(
            (0..200).any(|_| {
                thread::sleep(Duration::from_millis(10));
                !has_living_member(group.as_raw_nonzero().get())
            }),
            "the group is still there"
        );
    }

    /// Returns whether a process of the group is not a zombie.
    fn has_living_member(group: i32) -> bool {
        let list = Program::new("ps")
            .args(["-A", "-o", "pgid=,stat="])
            .quiet()
            .capture()
            .unwrap();
        list.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(&group.to_string())
                && !words.next().unwrap_or_default().starts_with('Z')
        })
    }

    #[test]
    fn a_bare_program_gets_only_the_given_variables() {
        let program = Program::new("/usr/bin/env").bare().env("A", "1").quiet();
        assert_eq!(program.capture().unwrap(), "A=1\n");
        let program = shell("echo \"$A-${B-none}\"").env("B", "2");
        let program = program.envs([("A", Some("1")), ("B", None)]);
        assert_eq!(program.capture().unwrap(), "1-none\n");
    }

    #[test]
    fn an_error_names_the_command_as_it_would_be_typed() {
        let error = shell("exit 3").run().unwrap_err().to_string();
        assert_eq!(error, "`/bin/sh -c 'exit 3'` failed (exit status: 3)");
        let missing = Program::new("/no/such program").quiet().run().unwrap_err();
        assert_eq!(missing.to_string(), "Failed to start `'/no/such program'`");
        let missing = Program::new("no-such-program").quiet().run().unwrap_err();
        assert_eq!(
            missing.to_string(),
            "Failed to start `no-such-program`\nhint: `no-such-program` is not in PATH\n"
        );
    }
}
