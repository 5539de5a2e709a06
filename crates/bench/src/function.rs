//! Runs a function as a process with a Runtime API, in the environment that Lambda gives it.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use contract::TargetsFile;
use runtime_api::{Outcome, OutcomeKind, RuntimeApi};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    files,
    scenario::{Contender, Scenario, Work},
    setup::Setup,
    usage::{self, ProcessorTime},
};

/// The timeout of a start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The timeout of a call. Python takes a minute for 1,000 accounts, one after the other.
const CALL_TIMEOUT: Duration = Duration::from_mins(5);

const ACCOUNT: &str = "222222222222";
const ROLE: &str = "MyS3ReadRole";

/// A running function. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Function {
    scenario: Scenario,
    api: RuntimeApi,
    child: Child,
    id: u32,
    processor: ProcessorTime,
    log: PathBuf,
    // Removed when it is dropped.
    _task_root: TempDir,
}

/// The duration of a start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// From process start to the first request for an event.
    pub(crate) init: Duration,
}

impl Function {
    /// Starts the process and waits until it requests an event.
    ///
    /// # Errors
    /// It does not start, or ends before it requests an event.
    pub(crate) async fn start(
        setup: &Setup,
        scenario: Scenario,
        contender: Contender,
        endpoint: &str,
    ) -> Result<(Self, Started)> {
        let task_root = TempDir::new().context("Failed to create a directory for the function")?;
        let api = RuntimeApi::start()
            .await
            .context("Failed to start the Runtime API")?;
        let log = setup
            .output
            .join("logs")
            .join(format!("{}.log", contender.name()));
        files::create_dir(log.parent().unwrap_or(Path::new(".")))?;
        let output =
            File::create(&log).with_context(|| format!("Failed to write `{}`", log.display()))?;
        let errors = output.try_clone().context("Failed to share the log")?;

        let mut command = command(setup, scenario, contender);
        command
            .env_clear()
            .env("LAMBDA_TASK_ROOT", task_root.path())
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_ENDPOINT_URL", endpoint)
            .envs(ENVIRONMENT);
        if let Work::Accounts(_) = scenario.work {
            let path = task_root.path().join(TargetsFile::NAME);
            files::write(&path, &targets(scenario)?)?;
        } else {
            command
                .env("TARGET_ACCOUNT_ID", ACCOUNT)
                .env("S3_READ_ROLE", ROLE);
        }
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true);
        let spawned = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("Failed to start `{command:?}`"))?;
        let id = child.id().context("The function ended at once")?;
        let processor = ProcessorTime::of(id)?;
        let mut function = Self {
            scenario,
            api,
            child,
            id,
            processor,
            log,
            _task_root: task_root,
        };
        let asked = function.wait_until_ready().await?;
        let init = asked.saturating_duration_since(spawned);
        Ok((function, Started { init }))
    }

    /// Waits until it requests an event; returns the time of that request. Until it gets one, it is idle.
    ///
    /// # Errors
    /// It ends, fails to start, or does not request an event in time.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<Instant> {
        tokio::select! {
            asked = self.api.ready(START_TIMEOUT) => {
                asked.with_context(|| self.with_log("The function did not request an event in time"))
            }
            status = self.child.wait() => bail!("{}", self.ended(status)),
        }
    }

    /// Sends an event and checks the response; returns the time between the two.
    ///
    /// # Errors
    /// It ends, or does not list all buckets.
    pub(crate) async fn call(&mut self) -> Result<Duration> {
        let outcome = tokio::select! {
            outcome = self.api.invoke("{}", CALL_TIMEOUT) => {
                outcome.with_context(|| self.with_log("The function did not respond in time"))?
            }
            status = self.child.wait() => bail!("{}", self.ended(status)),
        };
        check(&outcome, self.scenario)
            .with_context(|| self.with_log("The function did not list all buckets"))?;
        Ok(outcome.after)
    }

    /// Its CPU time so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        self.processor.so_far()
    }

    /// Its peak resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        usage::peak_memory(self.id)
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("Failed to end a function")
    }

    fn ended(&self, status: io::Result<ExitStatus>) -> String {
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.with_log(&format!("The function ended ({how})"))
    }

    fn with_log(&self, problem: &str) -> String {
        let log = files::read(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        format!(
            "{problem}; the end of its log, `{}`:\n{last}",
            self.log.display()
        )
    }
}

/// The variables that Lambda sets (Lambda developer guide, "Defined runtime environment variables"), with dummy
/// credentials.
const ENVIRONMENT: [(&str, &str); 15] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "list"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_DEFAULT_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "ASIABENCHMARK"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "nobodys-secret-access-key-for-benchmarks",
    ),
    ("AWS_SESSION_TOKEN", "nobodys-session-token"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    // No user's settings: without `HOME`, boto3 finds the home directory by other means.
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("HOME", "/nonexistent"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    // Lambda's own file system is read-only there.
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

fn command(setup: &Setup, scenario: Scenario, contender: Contender) -> Command {
    let python = |handler: &str| {
        let mut command = Command::new(&setup.python);
        command
            .args(["-m", "awslambdaric", handler])
            .current_dir(&setup.python_code);
        command
    };
    match (contender, scenario.work) {
        (Contender::Handler, _) => Command::new(&setup.handler.path),
        (Contender::Baseline, _) => Command::new(&setup.baseline.path),
        (Contender::Python, Work::Buckets(_)) => python("seed.handler"),
        (Contender::TunedPython, Work::Buckets(_)) => python("tuned.handler"),
        (Contender::Python, Work::Accounts(_)) => python("many.sequential"),
        (Contender::PythonPool, _) => python("many.pool"),
        (Contender::TunedPython, Work::Accounts(_)) => python("many.one_session"),
    }
}

/// The scenario's targets, one per account, as the generator writes them.
fn targets(scenario: Scenario) -> Result<String> {
    let targets: Vec<Value> = (1..=scenario.account_count())
        .map(|number| json!({ "accountId": format!("{number:012}"), "role": ROLE }))
        .collect();
    let file = json!({
        "version": TargetsFile::VERSION,
        "concurrency": scenario.concurrency(),
        "targets": targets,
    });
    match TargetsFile::from_json(&file.to_string()) {
        Ok(file) => Ok(file.to_json()),
        Err(error) => bail!("Failed to write the targets: {error}"),
    }
}

/// Checks that the response lists all buckets: a contender that leaves some out would seem fast.
fn check(outcome: &Outcome, scenario: Scenario) -> Result<()> {
    let start = || outcome.text.chars().take(600).collect::<String>();
    ensure!(
        outcome.kind == OutcomeKind::Response,
        "the invocation failed: {}",
        start()
    );
    let response = outcome.json();
    let body: Value = response["body"]
        .as_str()
        .and_then(|body| serde_json::from_str(body).ok())
        .with_context(|| format!("the response has no JSON body: {}", start()))?;
    let each = scenario.buckets_each() as usize;
    let is_whole = |names: &Value| names.as_array().is_some_and(|names| names.len() == each);
    let right = match scenario.work {
        Work::Buckets(_) => is_whole(&body),
        Work::Accounts(count) => {
            body["complete"] == true
                && body["accounts"].as_array().is_some_and(|accounts| {
                    accounts.len() == count as usize
                        && accounts.iter().all(|account| is_whole(&account["buckets"]))
                })
        }
    };
    ensure!(right, "unexpected response: {}", start());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: OutcomeKind, body: &Value) -> Outcome {
        let response = json!({ "statusCode": 200, "body": body.to_string() });
        Outcome {
            kind,
            error_type_header: None,
            text: response.to_string(),
            after: Duration::ZERO,
        }
    }

    #[test]
    fn an_incomplete_response_is_rejected() {
        let response = OutcomeKind::Response;
        let two = Scenario::buckets(2, 0);
        let names = json!(["a", "b"]);
        assert!(check(&outcome(response, &names), two).is_ok());
        assert!(check(&outcome(OutcomeKind::Error, &names), two).is_err());
        assert!(check(&outcome(response, &names), Scenario::buckets(3, 0)).is_err());

        let ten: Vec<u32> = (0..10).collect();
        let account = json!({ "accountId": "000000000001", "buckets": ten });
        let listing = |complete, accounts: &[&Value]| {
            let body = json!({ "complete": complete, "accounts": accounts });
            outcome(response, &body)
        };
        let scenario = Scenario::accounts(2, 0);
        assert!(check(&listing(true, &[&account, &account]), scenario).is_ok());
        assert!(check(&listing(false, &[&account, &account]), scenario).is_err());
        assert!(check(&listing(true, &[&account]), scenario).is_err());
        let failed = json!({ "accountId": "000000000002", "error": "x" });
        assert!(check(&listing(true, &[&account, &failed]), scenario).is_err());
    }

    #[test]
    fn every_account_has_a_target() {
        let text = targets(Scenario::accounts(1_000, 0)).unwrap();
        assert_eq!(text.matches("\"accountId\"").count(), 1_000);
        assert!(text.contains("\"000000001000\""));
    }
}
