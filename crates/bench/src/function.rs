//! A function as a process under the Runtime API, in the environment that Lambda would give it.

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

/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a call may take: a thousand accounts in sequence take Python a minute.
const TIMEOUT: Duration = Duration::from_mins(5);

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

/// How long the start took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// From the start of the process to its asking for an event.
    pub(crate) init: Duration,
}

impl Function {
    /// Starts the process and waits until it asks for an event.
    ///
    /// # Errors
    /// It does not start, or ends before it asks.
    pub(crate) async fn start(
        setup: &Setup,
        scenario: Scenario,
        contender: Contender,
        endpoint: &str,
    ) -> Result<(Self, Started)> {
        let task_root = TempDir::new().context("Failed to make a folder for the function")?;
        let api = RuntimeApi::start()
            .await
            .context("Failed to start the Runtime API")?;
        let log = setup
            .output
            .join("logs")
            .join(format!("{}.log", contender.name()));
        files::make_folder(log.parent().unwrap_or(Path::new(".")))?;
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
        let id = child.id().context("It has ended at once")?;
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

    /// Waits until it asks for an event; when it asked. Until it gets one it does nothing.
    ///
    /// # Errors
    /// It ends, or fails to start, or does not ask in time.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<Instant> {
        tokio::select! {
            asked = self.api.ready(PATIENCE) => {
                asked.with_context(|| self.told("It did not ask for an event in time"))
            }
            status = self.child.wait() => bail!("{}", self.ended(status)),
        }
    }

    /// Sends an event and checks the answer; from the event to the answer.
    ///
    /// # Errors
    /// It ends, or answers with something else than all the buckets.
    pub(crate) async fn call(&mut self) -> Result<Duration> {
        let outcome = tokio::select! {
            outcome = self.api.invoke("{}", TIMEOUT) => {
                outcome.with_context(|| self.told("It has not answered in time"))?
            }
            status = self.child.wait() => bail!("{}", self.ended(status)),
        };
        check(&outcome, self.scenario)
            .with_context(|| self.told("It answered with something else than all the buckets"))?;
        Ok(outcome.after)
    }

    /// The processor time it has used so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        self.processor.so_far()
    }

    /// The most memory it has had resident so far, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        usage::peak_memory(self.id)
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("Failed to end a function")
    }

    fn ended(&self, status: io::Result<ExitStatus>) -> String {
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.told(&format!("It has ended ({how})"))
    }

    fn told(&self, what: &str) -> String {
        let log = files::read(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        format!(
            "{what}; the end of its log, `{}`:\n{last}",
            self.log.display()
        )
    }
}

/// What Lambda sets for a function (Lambda developer guide, "Defined runtime environment variables"), with credentials
/// that are nobody's.
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
    // No setting of a person's: boto3 would find their home without `HOME`.
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

/// As many targets, each another account, as the generator would write them.
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
        Err(error) => bail!("Failed to make the targets: {error}"),
    }
}

/// The answer must hold all the buckets: who leaves some out would be fast for nothing.
fn check(outcome: &Outcome, scenario: Scenario) -> Result<()> {
    let start = || outcome.text.chars().take(600).collect::<String>();
    ensure!(
        outcome.kind == OutcomeKind::Response,
        "a failure: {}",
        start()
    );
    let answer = outcome.json();
    let body: Value = answer["body"]
        .as_str()
        .and_then(|body| serde_json::from_str(body).ok())
        .with_context(|| format!("an answer without a body in JSON: {}", start()))?;
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
    ensure!(right, "another answer: {}", start());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: OutcomeKind, body: &Value) -> Outcome {
        let answer = json!({ "statusCode": 200, "body": body.to_string() });
        Outcome {
            kind,
            error_type_header: None,
            text: answer.to_string(),
            after: Duration::ZERO,
        }
    }

    #[test]
    fn only_a_whole_answer_counts() {
        let response = OutcomeKind::Response;
        let two = Scenario::buckets(2, 0);
        let names = json!(["a", "b"]);
        assert!(check(&outcome(response, &names), two).is_ok());
        assert!(check(&outcome(OutcomeKind::Error, &names), two).is_err());
        assert!(check(&outcome(response, &names), Scenario::buckets(3, 0)).is_err());

        let ten: Vec<u32> = (0..10).collect();
        let account = json!({ "accountId": "000000000001", "buckets": ten });
        let answer = |complete, accounts: &[&Value]| {
            let body = json!({ "complete": complete, "accounts": accounts });
            outcome(response, &body)
        };
        let scenario = Scenario::accounts(2, 0);
        assert!(check(&answer(true, &[&account, &account]), scenario).is_ok());
        assert!(check(&answer(false, &[&account, &account]), scenario).is_err());
        assert!(check(&answer(true, &[&account]), scenario).is_err());
        let failed = json!({ "accountId": "000000000002", "error": "x" });
        assert!(check(&answer(true, &[&account, &failed]), scenario).is_err());
    }

    #[test]
    fn targets_are_as_many_as_asked_for() {
        let text = targets(Scenario::accounts(1_000, 0)).unwrap();
        assert_eq!(text.matches("\"accountId\"").count(), 1_000);
        assert!(text.contains("\"000000001000\""));
    }
}
