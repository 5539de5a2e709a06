//! The emulator: ministack on a free port of the loopback interface, with TLS and with IAM enforced, for as long as an
//! [`Emulator`] lives and not longer, however xtask ends.
//!
//! It gets an empty environment, so that nothing of the person's AWS settings reaches it. Clients get
//! [`Emulator::environment`], which names no endpoint but its own.
//!
//! Not here: what is put into it (accounts, roles, buckets).

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

/// How long it may take to answer. It takes two seconds on two idle cores; a busy machine takes its time.
const TIME_TO_START: Duration = Duration::from_secs(90);

/// An environment variable: its value, or nothing where it has to be taken away.
pub(crate) type Variable = (String, Option<String>);

/// The emulator, running. Dropping it ends it with every function that it runs, and removes what it kept.
#[derive(Debug)]
pub(crate) struct Emulator {
    // In the order of their end: the processes, then the folder they write to.
    process: Started,
    folder: TempDir,
    _undo: Pending,
    port: u16,
}

impl Emulator {
    /// Where it listens: `https://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate authority that its clients have to trust, as PEM; made for this run.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it and its functions print.
    pub(crate) fn log_file(&self) -> PathBuf {
        log_file(self.folder.path())
    }

    /// The folder that it keeps its things in, and that goes when it ends.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the processes of the functions, and with them what they have cached: the next invocation is a cold one.
    ///
    /// # Errors
    /// The emulator has ended.
    pub(crate) fn end_functions(&mut self) -> Result<()> {
        self.process.tell("end the functions")
    }

    /// Everything a client needs to talk to it as the root of `account`, and nothing that would lead to a real AWS.
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

/// Starts the emulator and waits until it answers.
///
/// # Errors
/// ministack is not installed and cannot be, or it does not start; the error has the end of its log.
pub(crate) fn start(workspace: &Workspace) -> Result<Emulator> {
    let ministack = tools::ensure(workspace, Tool::Ministack)?;
    let launcher = workspace.tool_locks().join("ministack").join("launch.py");
    let step = Step::begin("Starting the emulator");

    // Below `target`, as the functions run from here: a temporary folder of the system may forbid that.
    let home = workspace.target().join("emulator");
    files::make_folder(&home)?;
    let (folder, undo) = interrupt::start(|| {
        let folder = tempfile::tempdir_in(&home)
            .with_context(|| format!("Failed to make a folder in `{}`", home.display()))?;
        let undo = Undo::RemoveFolder(folder.path().to_owned());
        Ok((folder, undo))
    })?;
    let log = fs::File::create(log_file(folder.path()))
        .with_context(|| format!("Failed to write in `{}`", folder.path().display()))?;
    let mut process = Program::new(&ministack.runtime)
        // Isolated: neither the person's Python settings nor the script's folder are looked into.
        .args(["-I"])
        .args([&launcher, folder.path()])
        .bare()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .quiet()
        .start(log)?;
    let port = wait_until_ready(&mut process, folder.path())?;
    let emulator = Emulator {
        process,
        folder,
        _undo: undo,
        port,
    };
    step.done(&emulator.endpoint());
    Ok(emulator)
}

/// Subcommand `emulator`: starts it, prints one line of JSON when it is ready, and runs until standard input ends or a
/// signal comes.
///
/// The line is an object: `endpoint`, `caFile`, `logFile`, `pid`, and `environment`, an object of the variables that a
/// client needs, `null` for one that has to be taken away. `AWS_ACCESS_KEY_ID` in it is to be replaced by the account that
/// the client is to be, a 12-digit number.
///
/// # Errors
/// As [`start`]; or the emulator ended by itself.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let account = "000000000000"
        .parse()
        .context("Failed to make an account")?;
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
            bail!(ended_by_itself(status, emulator.folder.path()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("emulator.log")
}

/// What the launcher writes once the emulator answers.
#[derive(Debug, Deserialize)]
struct Ready {
    port: u16,
}

fn wait_until_ready(process: &mut Started, folder: &Path) -> Result<u16> {
    let ready = folder.join("ready.json");
    let deadline = Instant::now() + TIME_TO_START;
    loop {
        if let Some(bytes) = files::read_if_there(&ready)? {
            let ready: Ready = serde_json::from_slice(&bytes)
                .with_context(|| format!("Failed to read `{}`", ready.display()))?;
            return Ok(ready.port);
        }
        if let Some(status) = process.ended()? {
            bail!(ended_by_itself(status, folder));
        }
        if Instant::now() > deadline {
            bail!(
                "The emulator did not answer within {} s\n{}",
                TIME_TO_START.as_secs(),
                end_of_log(folder)
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended_by_itself(status: ExitStatus, folder: &Path) -> String {
    format!("The emulator ended ({status})\n{}", end_of_log(folder))
}

fn end_of_log(folder: &Path) -> String {
    let log = files::read(&log_file(folder)).unwrap_or_default();
    tools::tail(&String::from_utf8_lossy(&log), 30)
}

/// The variables of every client, whoever it is; `present` are the names in the environment that it would inherit.
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
        // Empty: no profile of the person's is read.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("SSL_CERT_FILE", &ca_file),
        ("AWS_CA_BUNDLE", &ca_file),
        ("NODE_EXTRA_CA_CERTS", &ca_file),
        ("NO_PROXY", "127.0.0.1"),
        // Milliseconds between two looks at a deployment's progress; the Framework's default is 5000.
        ("SLS_AWS_MONITORING_FREQUENCY", "250"),
    ] {
        set(&mut variables, name, value.to_owned());
    }
    variables
}

/// Whether a variable could make a client talk to somebody else, or as somebody else: every setting of an AWS client, the
/// proxies, and further certificates to trust.
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
