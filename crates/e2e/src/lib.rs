//! Development only: support for the end-to-end tests, which run xtask as a user does, against an emulator.
//!
//! Nothing here can reach AWS: every process starts from an empty environment that names the emulator on
//! loopback and dummy credentials, and every SDK client has the emulator's address in its configuration.

#![expect(
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a test library: failures are panics, and it has its own files and processes"
)]

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use aws_sdk_sts::config::{
    BehaviorVersion, Credentials, Region, SharedAsyncSleep, SharedCredentialsProvider,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use serde_json::Value;
use tempfile::TempDir;

/// The region of every test.
pub const REGION: &str = "us-east-1";

/// The environment variables that a build needs; all others are removed.
const KEPT_VARIABLES: [&str; 8] = [
    "PATH",
    "HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO",
    "TMPDIR",
    "LANG",
];

/// The emulator that the tests of one process share. It ends when its standard input closes: with this process.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    endpoint: String,
    ca_file: PathBuf,
}

impl Emulator {
    /// The emulator of this process, started at its first use.
    pub fn shared() -> &'static Self {
        static EMULATOR: OnceLock<Emulator> = OnceLock::new();
        EMULATOR.get_or_init(Self::start)
    }

    /// Starts another emulator. It ends when its `xtask emulator` gets a signal, or when this is dropped.
    pub fn start() -> Self {
        let mut child = bare(Command::new(xtask_binary()), &[])
            .args([
                "--workspace".as_ref(),
                sources().as_os_str(),
                "emulator".as_ref(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("its output is a pipe"))
            .read_line(&mut ready)
            .expect("it says where it is");
        let ready: Value =
            serde_json::from_str(&ready).expect("a line of JSON when the emulator is ready");
        let text = |key: &str| {
            ready[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {ready}"))
                .to_owned()
        };
        Self {
            endpoint: text("endpoint"),
            ca_file: text("caFile").into(),
            child,
        }
    }

    /// The number of its processes: itself and the functions it runs. Each has the emulator's directory in its arguments or
    /// environment.
    pub fn processes(&self) -> usize {
        let folder = self.ca_file.parent().expect("a file has a directory");
        let folder = folder.as_os_str().as_bytes();
        let names_it = |file: PathBuf| {
            fs::read(file).is_ok_and(|text| text.windows(folder.len()).any(|part| part == folder))
        };
        let processes = fs::read_dir("/proc").expect("Linux's list of processes");
        processes
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|process| {
                names_it(process.join("cmdline")) || names_it(process.join("environ"))
            })
            .count()
    }

    /// Sends a signal, such as `INT`, to the `xtask emulator` that runs it.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill starts").success());
    }

    /// Waits for the `xtask emulator` that runs it to end.
    pub fn wait(&mut self) {
        self.child.wait().expect("it is our child");
    }

    /// The environment of a process with credentials for `account`, which only the emulator accepts.
    pub fn environment(&self, account: &str) -> Vec<(&'static str, String)> {
        let ca_file = self.ca_file.display().to_string();
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", account.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("SSL_CERT_FILE", ca_file.clone()),
            ("NODE_EXTRA_CA_CERTS", ca_file),
            ("SLS_AWS_MONITORING_FREQUENCY", "250".to_owned()),
        ]
    }

    /// The configuration of an SDK client with credentials for `account`.
    pub fn sdk_config(&self, account: &str) -> SdkConfig {
        self.sdk_config_with(Credentials::new(
            account,
            "test",
            None,
            None,
            "end-to-end tests",
        ))
    }

    /// The configuration of an SDK client with `credentials`.
    pub fn sdk_config_with(&self, credentials: Credentials) -> SdkConfig {
        let certificate = fs::read(&self.ca_file).expect("the emulator's certificate");
        let trust = TrustStore::empty().with_pem_certificate(certificate);
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .tls_context(
                TlsContext::builder()
                    .with_trust_store(trust)
                    .build()
                    .expect("a TLS context"),
            )
            .build_https();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&self.endpoint)
            .http_client(http_client)
            // The emulator closes a connection after 1,000 requests, sometimes without notice.
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .build(),
            )
            .retry_config(RetryConfig::standard())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}

/// A copy of the workspace in a temporary directory, with its own stages.
#[derive(Debug)]
pub struct Copy {
    folder: TempDir,
    account: String,
    target: Option<PathBuf>,
    variables: Vec<(&'static str, String)>,
}

impl Copy {
    /// Copies the workspace. Commands run as `account` and share the workspace's target directory, so nothing is built
    /// twice: cargo accepts the build of another directory if the files have the same times.
    pub fn of_workspace(account: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("e2e-")
            .tempdir()
            .expect("a temporary directory");
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(sources())
            .output()
            .expect("git lists the workspace's files");
        assert!(
            listed.status.success(),
            "{}",
            String::from_utf8_lossy(&listed.stderr)
        );
        for name in String::from_utf8(listed.stdout)
            .expect("names in UTF-8")
            .split_terminator('\0')
        {
            let from = sources().join(name);
            if from.is_file() {
                let to = folder.path().join(name);
                fs::create_dir_all(to.parent().expect("a file has a directory"))
                    .expect("a directory");
                fs::copy(&from, &to).expect("a copy");
                keep_time(&from, &to);
            }
        }
        Self {
            folder,
            account: account.to_owned(),
            target: Some(target_directory()),
            variables: Vec::new(),
        }
    }

    /// Adds a profile for each of `accounts`, named like it (`--profile`, `AWS_PROFILE`).
    #[must_use]
    pub fn with_profiles(mut self, accounts: &[&str]) -> Self {
        let profiles = accounts.iter().map(|account| {
            format!("[{account}]\naws_access_key_id = {account}\naws_secret_access_key = test\n")
        });
        self.write("credentials", &profiles.collect::<String>());
        self.write("config", "");
        for (name, file) in [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            ("AWS_CONFIG_FILE", "config"),
        ] {
            let path = self.path(file).display().to_string();
            self.variables.push((name, path));
        }
        self
    }

    /// Replaces environment variables of the emulator; an empty value unsets one.
    #[must_use]
    pub fn with_variables(mut self, variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter();
        self.variables = variables
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        self
    }

    /// Builds into a target directory inside the copy.
    #[must_use]
    pub fn with_own_target(mut self) -> Self {
        self.target = None;
        self
    }

    /// A path inside the copy.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads a file of the copy.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a file of the copy.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Writes a single-account stage, with `more` keys.
    pub fn write_stage(&self, stage: &str, admin: &str, target: &str, more: &str) {
        self.write(
            &format!("environments/variables.{stage}.yml"),
            &format!(
                "admin-account-id: \"{admin}\"\nlambda-execution-role: MyLambdaExecutionRole\n\n\
                 target-account-id: \"{target}\"\ns3-read-role: MyS3ReadRole\n{more}"
            ),
        );
    }

    /// Runs `cargo xtask …` on the copy, against the emulator.
    pub fn xtask(&self, arguments: &[&str]) -> Run {
        self.xtask_as(&self.account, arguments)
    }

    /// Runs `cargo xtask …` on the copy, as another account.
    pub fn xtask_as(&self, account: &str, arguments: &[&str]) -> Run {
        let workspace = self.folder.path().as_os_str();
        let mut command = Command::new(xtask_binary());
        command
            .args(["--workspace".as_ref(), workspace])
            .args(arguments)
            .current_dir(self.folder.path());
        self.finish(command, account, format!("xtask {}", arguments.join(" ")))
    }

    /// Runs another program in `directory` of the copy, against the emulator.
    pub fn run(&self, directory: &str, program: &Path, arguments: &[&str]) -> Run {
        self.run_as(&self.account, directory, program, arguments)
    }

    /// Runs another program in `directory` of the copy, as another account.
    pub fn run_as(
        &self,
        account: &str,
        directory: &str,
        program: &Path,
        arguments: &[&str],
    ) -> Run {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path(directory));
        self.finish(
            command,
            account,
            format!("{} {}", program.display(), arguments.join(" ")),
        )
    }

    /// Runs another program with `input` as its standard input.
    pub fn pipe(&self, program: &Path, arguments: &[&str], input: &str) -> Run {
        let file = self.path("input");
        fs::write(&file, input).expect("written");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        let mut command = bare(command, &Emulator::shared().environment(&self.account));
        let output = command.stdin(File::open(file).expect("there")).output();
        Run {
            output: output.expect("it starts"),
            shown: program.display().to_string(),
        }
    }

    fn finish(&self, command: Command, account: &str, shown: String) -> Run {
        let mut command = bare(command, &Emulator::shared().environment(account));
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Run {
            output: command.stdin(Stdio::null()).output().expect("it starts"),
            shown,
        }
    }
}

fn keep_time(from: &Path, to: &Path) {
    let time = fs::metadata(from).and_then(|metadata| metadata.modified());
    let file = File::options().write(true).open(to);
    file.and_then(|file| file.set_modified(time?))
        .expect("the time of a file");
}

/// A finished command.
#[derive(Debug)]
pub struct Run {
    output: Output,
    shown: String,
}

impl Run {
    /// The exit status.
    pub fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Its standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Its standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Asserts the exit status.
    #[must_use]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status(), Some(status), "{self}");
        self
    }

    /// Asserts success.
    #[must_use]
    pub fn ok(self) -> Self {
        self.expect(0)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { output, shown } = self;
        write!(
            f,
            "`{shown}` ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            output.status,
            self.stdout(),
            self.stderr()
        )
    }
}

/// The workspace that these tests belong to.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

/// Cargo's target directory of these tests.
pub fn target_directory() -> PathBuf {
    // The test's executable lies in TARGET/PROFILE/deps.
    let executable = env::current_exe().expect("this executable");
    executable
        .ancestors()
        .nth(3)
        .expect("a target directory")
        .to_owned()
}

/// The xtask under test: `cargo xtask test` passes its own path; otherwise it is built.
pub fn xtask_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = env::var_os("XTASK_BINARY") {
            return binary.into();
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--package", "xtask"])
            .current_dir(sources())
            .env("CARGO_TARGET_DIR", target_directory())
            .status()
            .expect("cargo starts");
        assert!(built.success(), "xtask does not build");
        target_directory().join("debug").join("xtask")
    })
}

/// Clears a command's environment except for what a build needs, and adds `variables`.
fn bare(mut command: Command, variables: &[(&'static str, String)]) -> Command {
    command.env_clear();
    for name in KEPT_VARIABLES {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    // Requests that do not go to the emulator fail.
    command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}
