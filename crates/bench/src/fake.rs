//! STS and S3 as a process of their own, so that they take no processor time of whoever measures.
//!
//! It is this program once more. It takes its settings as one line of JSON on its standard input, answers with its
//! endpoint, and then with the counts since the last time for each further line; it ends when its input does.
//!
//! It answers some 25,000 requests a second (the baseline's, on a core of the machine that the first figures are of), four
//! times what the function can ask for in its processor time: the services are not what is measured.

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

/// The argument that makes this program the services.
pub(crate) const ARGUMENT: &str = "fake-aws";

/// How every account behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// How many buckets each account has.
    pub(crate) buckets: u32,
    /// How long each answer takes, in milliseconds.
    pub(crate) latency_ms: u64,
}

/// What was asked of the services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests for a session.
    pub(crate) assume: u64,
    /// Requests for a page of buckets.
    pub(crate) list: u64,
    /// New connections.
    pub(crate) connections: u64,
}

/// The services, running. They end when this is dropped.
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
        let this = std::env::current_exe().context("Failed to find this program")?;
        let mut child = Command::new(this)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("Failed to start fake-aws")?;
        let input = child.stdin.take().context("It takes no input")?;
        let output = child.stdout.take().context("It has no output")?;
        let mut fake = Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
            settings,
            endpoint: String::new(),
        };
        let settings = serde_json::to_string(&settings).context("Failed to write JSON")?;
        fake.endpoint = fake.ask(&settings).await?;
        Ok(fake)
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// The value of `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What was asked since the last time.
    pub(crate) async fn take_counts(&mut self) -> Result<Counts> {
        let line = self.ask("counts").await?;
        serde_json::from_str(&line).context("Failed to understand fake-aws")
    }

    async fn ask(&mut self, line: &str) -> Result<String> {
        let ask = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.write_all(b"\n").await?;
            self.output.next_line().await
        };
        ask.await
            .context("Failed to talk to fake-aws")?
            .context("fake-aws has ended")
    }
}

/// Is the services, until the standard input ends.
///
/// # Errors
/// No port can be had, or the input is not as it should be.
pub(crate) fn serve() -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let mut output = io::stdout().lock();
    let settings = lines.next().context("There are no settings")??;
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
