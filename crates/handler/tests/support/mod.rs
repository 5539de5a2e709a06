//! Runs the real binary as a process, with Lambda's Runtime API on loopback.

#![allow(
    dead_code,
    reason = "each test file is a separate program and uses a part"
)]

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File},
    io::{Read as _, Write as _},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use runtime_api::{Outcome, RuntimeApi};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

pub(crate) const TARGET: &str = "222222222222";
pub(crate) const SECRET_KEY: &str = "the-functions-secret-access-key";
pub(crate) const SESSION_TOKEN: &str = "the-functions-session-token";
/// The prefixes of the secrets in the fake's sessions.
const SESSIONS_SECRET_KEY: &str = "FakeSecretKey";
const SESSIONS_TOKEN: &str = "FakeSessionToken";

/// The function's environment: the variables that Lambda sets and the two of the single-account form.
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    /// The directory of the function's code.
    root: TempDir,
    /// The Runtime API responds to every request with an error.
    broken: bool,
    /// Standard output is not read.
    unread: bool,
}

impl Setup {
    /// A function with the services at `endpoint`, a loopback address.
    pub(crate) fn new(endpoint: &str) -> Self {
        assert!(endpoint.starts_with("http://127.0.0.1:"));
        let variables = [
            ("AWS_LAMBDA_FUNCTION_NAME", "list"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAFUNCTION"),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN),
            ("AWS_ENDPOINT_URL", endpoint),
            ("TARGET_ACCOUNT_ID", TARGET),
            ("S3_READ_ROLE", "MyS3ReadRole"),
        ];
        Self {
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            root: TempDir::new().unwrap(),
            broken: false,
            unread: false,
        }
    }

    /// A function with a `targets.json` instead of the variables for a target.
    pub(crate) fn many(endpoint: &str, targets: &str) -> Self {
        Self::new(endpoint)
            .without("TARGET_ACCOUNT_ID")
            .without("S3_READ_ROLE")
            .with_file(targets)
    }

    /// Adds a `targets.json` next to the function.
    pub(crate) fn with_file(self, targets: &str) -> Self {
        let mut file = File::create(self.root.path().join("targets.json")).unwrap();
        file.write_all(targets.as_bytes()).unwrap();
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name).unwrap();
        self
    }

    /// Adds a directory in place of `targets.json`, which cannot be read.
    pub(crate) fn with_directory(self) -> Self {
        DirBuilder::new()
            .create(self.root.path().join("targets.json"))
            .unwrap();
        self
    }

    /// Makes the Runtime API respond with an error to every request for an event.
    pub(crate) fn without_events(mut self) -> Self {
        self.broken = true;
        self
    }

    /// Leaves standard output unread, so the log is not available.
    pub(crate) fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Starts the Runtime API and the function.
    pub(crate) async fn start(self) -> Function {
        let api = if self.broken {
            RuntimeApi::start_broken().await.unwrap()
        } else {
            RuntimeApi::start().await.unwrap()
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_handler"))
            .env_clear()
            .envs(self.variables)
            .env("LAMBDA_TASK_ROOT", self.root.path())
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let output = tokio::spawn(async move {
            if self.unread {
                std::future::pending::<()>().await;
            }
            let (mut out, mut err) = (String::new(), String::new());
            let (a, b) = tokio::join!(
                stdout.read_to_string(&mut out),
                stderr.read_to_string(&mut err)
            );
            a.unwrap();
            b.unwrap();
            (out, err)
        });
        Function {
            child,
            api,
            output,
            _root: self.root,
        }
    }
}

/// A running function.
pub(crate) struct Function {
    child: Child,
    api: RuntimeApi,
    output: JoinHandle<(String, String)>,
    _root: TempDir,
}

impl Function {
    pub(crate) async fn invoke(&mut self, payload: &str) -> Outcome {
        self.invoke_within(payload, Duration::from_secs(30)).await
    }

    /// Invokes the function with the timeout `limit`.
    pub(crate) async fn invoke_within(&mut self, payload: &str, limit: Duration) -> Outcome {
        let outcome = self.api.invoke(payload, limit).await;
        outcome.expect("the function posts a response in time")
    }

    /// The peak memory in bytes (`VmHWM`, proc(5)).
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let mut status = String::new();
        File::open(path)
            .unwrap()
            .read_to_string(&mut status)
            .unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes: usize = line.unwrap().trim_end_matches("kB").trim().parse().unwrap();
        kilobytes * 1024
    }

    /// The outcome that it posts without an event.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = self.api.outcome(Duration::from_secs(40)).await;
        outcome.expect("the function posts a response in time")
    }

    /// Stops the function and returns its log.
    pub(crate) async fn stop(mut self) -> Log {
        self.child.kill().await.unwrap();
        let (out, err) = self.output.await.unwrap();
        Log { out, err }
    }

    /// Waits until the function exits.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Log) {
        let status = timeout(Duration::from_secs(20), self.child.wait())
            .await
            .expect("the function exits")
            .unwrap();
        (status, self.stop().await)
    }
}

/// The output of a function.
pub(crate) struct Log {
    pub(crate) out: String,
    err: String,
}

impl Log {
    /// The lines except metrics. Checks that each is an object with a time, a level and a message, and that there is no
    /// secret.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.assert_no_secret();
        assert_eq!(self.err, "", "standard error is empty");
        let (_, lines): (_, Vec<Value>) = self.objects().partition(is_metrics);
        for line in &lines {
            let timestamp = line["timestamp"].as_str().unwrap();
            assert!(is_rfc_3339(timestamp), "{line}");
            assert!(line["level"].is_string(), "{line}");
            assert!(line["message"].is_string(), "{line}");
        }
        lines
    }

    /// The metrics lines.
    pub(crate) fn metrics(&self) -> Vec<Value> {
        self.objects().filter(is_metrics).collect()
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.out.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        })
    }

    /// The only line with this message.
    pub(crate) fn line(&self, message: &str) -> Value {
        let lines = self.lines();
        let mut found = lines.iter().filter(|line| line["message"] == message);
        let line = found.next().unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(found.next().is_none(), "{lines:#?}");
        line.clone()
    }

    /// Checks that the log has neither the function's credentials nor those of a session.
    pub(crate) fn assert_no_secret(&self) {
        for text in [&self.out, &self.err] {
            for secret in [
                SECRET_KEY,
                SESSION_TOKEN,
                SESSIONS_SECRET_KEY,
                SESSIONS_TOKEN,
            ] {
                if let Some(at) = text.find(secret) {
                    let from = at.saturating_sub(600);
                    panic!("{secret} in: {}", &text[from..at + secret.len()]);
                }
            }
        }
    }
}

fn is_metrics(line: &Value) -> bool {
    line.get("_aws").is_some()
}

fn is_rfc_3339(text: &str) -> bool {
    let (Some(date), Some(time)) = (text.get(..11), text.get(11..)) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    date.ends_with('T')
        && date[..10].split('-').all(digits)
        && time.ends_with('Z')
        && time[..time.len() - 1].split([':', '.']).all(digits)
        && time.split(':').count() == 3
}
