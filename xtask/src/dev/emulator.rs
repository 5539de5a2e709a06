//! Runs the emulator: ministack on a free loopback port, with TLS and with IAM enforced. It ends when its [`Emulator`] is
//! dropped or xtask ends, even if xtask is killed.
//!
//! The emulator starts with an empty environment, so it never sees the user's AWS settings. Clients use
//! [`Emulator::environment`], whose only endpoint is the emulator's.
//!
//! Not here: the accounts, roles and buckets in it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use contract::{AccountId, Region};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    sys::{
        console::{self, Step},
        files,
        interrupt::{self, Pending, Undo},
        process::{Program, Started},
        workspace::Workspace,
    },
    tools::{self, Tool},
};

/// How long to wait for the emulator. It starts in two seconds on two idle cores; a busy machine needs longer.
const TIME_TO_START: Duration = Duration::from_secs(90);

/// An environment variable and its value, or `None` to remove it.
pub(crate) type Variable = (String, Option<String>);

/// A running emulator. Dropping it ends it and its functions, and removes its files.
#[derive(Debug)]
pub(crate) struct Emulator {
    // Dropped in this order: the processes first, then the directory they write to.
    process: Started,
    directory: TempDir,
    _undo: Pending,
    port: u16,
}

impl Emulator {
    /// Its endpoint: `https://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate authority that clients must trust, as PEM; generated for this run.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The log of the emulator and its functions.
    pub(crate) fn log_file(&self) -> PathBuf {
        log_file(self.directory.path())
    }

    /// Its temporary directory, removed when it ends.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the functions' processes and their caches: the next invocation is a cold start.
    ///
    /// # Errors
    /// The emulator has ended.
    pub(crate) fn end_functions(&mut self) -> Result<()> {
        self.process.tell("end the functions")
    }

    /// The environment of a client that acts as the root user of `account`. It cannot reach AWS.
    pub(crate) fn environment(&self, account: &AccountId, region: &Region) -> Vec<Variable> {
        let present = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut variables = environment(&self.endpoint(), &self.ca_file(), present);
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", account.as_str()),
            ("AWS_REGION", region.as_str()),
            ("AWS_DEFAULT_REGION", region.as_str()),
        ] {
            set(&mut variables, name, value.to_owned());
        }
        variables
    }
}

/// Starts the emulator and waits until it is ready.
///
/// # Errors
/// ministack cannot be installed or started; the error contains the end of its log.
pub(crate) fn start(workspace: &Workspace) -> Result<Emulator> {
    let ministack = tools::ensure(workspace, Tool::Ministack)?;
    let launcher = workspace.tool_locks().join("ministack").join("launch.py");
    let step = Step::begin("Starting the emulator");

    // In `target`, because functions run from here and the system's temporary directory may be mounted `noexec`.
    let home = workspace.target().join("emulator");
    files::create_directory(&home)?;
    let (directory, undo) = interrupt::start(|| {
        let directory = tempfile::tempdir_in(&home)
            .with_context(|| format!("Failed to create a directory in `{}`", home.display()))?;
        let undo = Undo::RemoveDirectory(directory.path().to_owned());
        Ok((directory, undo))
    })?;
    let log = fs::File::create(log_file(directory.path()))
        .with_context(|| format!("Failed to write in `{}`", directory.path().display()))?;
    let mut process = Program::new(&ministack.runtime)
        // Isolated mode: ignores the user's Python settings and the script's directory.
        .args(["-I"])
        .args([&launcher, directory.path()])
        .bare()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .quiet()
        .start(log)?;
    let port = wait_until_ready(&mut process, directory.path())?;
    let emulator = Emulator {
        process,
        directory,
        _undo: undo,
        port,
    };
    step.done(&emulator.endpoint());
    Ok(emulator)
}

/// Starts the emulator, prints one line of JSON when it is ready, and runs until standard input closes or a signal arrives.
///
/// The line is an object with `endpoint`, `caFile`, `logFile`, `pid` and `environment`, the variables that a client needs (`null`
/// for variables to remove). Set `AWS_ACCESS_KEY_ID` to the 12-digit account ID to act as that account.
///
/// # Errors
/// See [`start`]; or the emulator ended unexpectedly.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let account = "000000000000"
        .parse()
        .context("Failed to create an account ID")?;
    let mut emulator = start(workspace)?;
    let line = json!({
        "endpoint": emulator.endpoint(),
        "caFile": emulator.ca_file(),
        "logFile": emulator.log_file(),
        "pid": emulator.process.id(),
        "environment": emulator
            .environment(&account, &Region::us_east_1())
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>(),
    });
    if console::result(&format!("{line}\n")).is_err() {
        return Ok(());
    }
    let input = thread::spawn(|| io::copy(&mut io::stdin().lock(), &mut io::sink()));
    while !input.is_finished() {
        if let Some(status) = emulator.process.ended()? {
            bail!(ended_by_itself(status, emulator.directory.path()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("emulator.log")
}

/// The file that the launcher writes when the emulator is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    port: u16,
}

fn wait_until_ready(process: &mut Started, directory: &Path) -> Result<u16> {
    let ready = directory.join("ready.json");
    let deadline = Instant::now() + TIME_TO_START;
    loop {
        if let Some(bytes) = files::read_if_there(&ready)? {
            let ready: Ready = serde_json::from_slice(&bytes)
                .with_context(|| format!("Failed to read `{}`", ready.display()))?;
            return Ok(ready.port);
        }
        if let Some(status) = process.ended()? {
            bail!(ended_by_itself(status, directory));
        }
        if Instant::now() > deadline {
            bail!(
                "The emulator was not ready within {} s\n{}",
                TIME_TO_START.as_secs(),
                end_of_log(directory)
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended_by_itself(status: ExitStatus, directory: &Path) -> String {
    format!(
        "The emulator ended unexpectedly ({status})\n{}",
        end_of_log(directory)
    )
}

fn end_of_log(directory: &Path) -> String {
    let log = files::read(&log_file(directory)).unwrap_or_default();
    tools::tail(&String::from_utf8_lossy(&log), 30)
}

/// The variables that are the same for every client; `present` are the names in the environment that it would inherit.
fn environment(
    endpoint: &str,
    ca_file: &Path,
    present: impl Iterator<Item = String>,
) -> Vec<Variable> {
    let mut variables: Vec<Variable> = present
        .filter(|name| leads_elsewhere(name))
        .map(|name| (name, None))
        .collect();
    let ca_file = ca_file.display().to_string();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // Empty, so that no profile of the user is read.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("SSL_CERT_FILE", &ca_file),
        ("AWS_CA_BUNDLE", &ca_file),
        ("NODE_EXTRA_CA_CERTS", &ca_file),
        ("NO_PROXY", "127.0.0.1"),
        // The interval of the deployment's progress checks, in milliseconds; the Serverless Framework's default is 5000.
        ("SLS_AWS_MONITORING_FREQUENCY", "250"),
    ] {
        set(&mut variables, name, value.to_owned());
    }
    variables
}

/// Returns whether a variable could make a client use another endpoint or other credentials: AWS settings, proxies, and additional
/// trusted certificates.
fn leads_elsewhere(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.starts_with("AWS_")
        || upper.ends_with("_PROXY")
        || ["PROXY", "SSL_CERT_DIR"].contains(&upper.as_str())
}

fn set(variables: &mut Vec<Variable>, name: &str, value: String) {
    variables.retain(|(present, _)| present != name);
    variables.push((name.to_owned(), Some(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(present: &[&str]) -> Vec<Variable> {
        environment(
            "https://127.0.0.1:4566",
            Path::new("/tmp/ca.pem"),
            present.iter().map(|&name| name.to_owned()),
        )
    }

    #[test]
    fn no_setting_of_the_persons_reaches_a_client() {
        let variables = variables(&[
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL_STS",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_ENDPOINT_URL",
            "https_proxy",
            "ALL_PROXY",
            "no_proxy",
            "SSL_CERT_DIR",
            "PATH",
            "HOME",
        ]);
        let value = |name: &str| {
            let found: Vec<_> = variables.iter().filter(|(n, _)| n == name).collect();
            assert!(found.len() < 2, "{name} is there twice");
            found.first().map(|(_, value)| value.clone())
        };
        for name in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL_STS",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "https_proxy",
            "ALL_PROXY",
            "no_proxy",
            "SSL_CERT_DIR",
        ] {
            assert_eq!(value(name), Some(None), "{name}");
        }
        assert_eq!(
            value("AWS_ENDPOINT_URL"),
            Some(Some("https://127.0.0.1:4566".to_owned()))
        );
        assert_eq!(value("PATH"), None);
        assert_eq!(value("HOME"), None);
    }

    #[test]
    fn every_address_is_on_this_machine() {
        for (name, value) in variables(&[]) {
            let value = value.unwrap_or_default();
            let address = value.split("://").nth(1);
            assert!(
                address.is_none_or(|address| address.starts_with("127.0.0.1:")),
                "{name}={value}"
            );
            assert!(!value.contains("amazonaws"), "{name}={value}");
        }
    }
}
