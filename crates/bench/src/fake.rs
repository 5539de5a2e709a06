//! Runs STS and S3 in another process, so that they use none of the measuring process's CPU time.
//!
//! That process is this program too. It reads its settings as one line of JSON from standard input and prints its
//! endpoint. For each further line it prints the counts since the last one. It ends when its input ends.
//!
//! It serves some 25,000 requests per second (those of the baseline, on one core), four times as many as the function can
//! send, so that the services do not limit the figures.

use std::{
    io::{self, BufRead as _, Write as _},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use fake_aws::{Account, FakeAws};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// The argument that starts this program as the services.
pub(crate) const ARGUMENT: &str = "fake-aws";

/// The behaviour of every account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The number of buckets in each account.
    pub(crate) buckets: u32,
    /// The latency of each response, in milliseconds.
    pub(crate) latency_ms: u64,
}

/// The requests to the services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// `AssumeRole` requests.
    pub(crate) assume: u64,
    /// `ListBuckets` requests.
    pub(crate) list: u64,
    /// New connections.
    pub(crate) connections: u64,
}

/// The running services. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Fake {
    // Killed when it is dropped.
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    settings: Settings,
    endpoint: String,
}

impl Fake {
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let this = std::env::current_exe().context("Failed to find the path of this program")?;
        let mut child = Command::new(this)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("Failed to start fake-aws")?;
        let input = child
            .stdin
            .take()
            .context("fake-aws has no standard input")?;
        let output = child
            .stdout
            .take()
            .context("fake-aws has no standard output")?;
        let mut fake = Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
            settings,
            endpoint: String::new(),
        };
        let settings = serde_json::to_string(&settings).context("Failed to write JSON")?;
        fake.endpoint = fake.send(&settings).await?;
        Ok(fake)
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// The value of `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The counts since the last call.
    pub(crate) async fn take_counts(&mut self) -> Result<Counts> {
        let line = self.send("counts").await?;
        serde_json::from_str(&line).context("Failed to parse the counts of fake-aws")
    }

    async fn send(&mut self, line: &str) -> Result<String> {
        let exchange = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.write_all(b"\n").await?;
            self.output.next_line().await
        };
        exchange
            .await
            .context("Failed to communicate with fake-aws")?
            .context("fake-aws ended")
    }
}

/// Serves until standard input ends.
///
/// # Errors
/// No port is free, or the input is invalid.
pub(crate) fn serve() -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let mut output = io::stdout().lock();
    let settings = lines.next().context("Standard input has no settings")??;
    let settings: Settings = serde_json::from_str(&settings).context("Failed to read settings")?;
    let latency = Duration::from_millis(settings.latency_ms);
    let account = Account::new()
        .buckets(settings.buckets as usize)
        .assume_latency(latency)
        .list_latency(latency);
    let fake = FakeAws::builder()
        .every_account(account)
        .without_record()
        .start()?;
    writeln!(output, "{}", fake.endpoint())?;
    for line in lines {
        line?;
        let counts = fake.counts();
        fake.reset_counts();
        let counts = Counts {
            assume: counts.assume,
            list: counts.list,
            connections: counts.connections,
        };
        serde_json::to_writer(&mut output, &counts)?;
        writeln!(output)?;
    }
    Ok(())
}
