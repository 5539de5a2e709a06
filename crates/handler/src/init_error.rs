//! Reports errors at start to Lambda.
//!
//! `lambda_runtime` 1.5 posts to `/runtime/init/error` only under `SnapStart`. Without the post, the caller would see only
//! `Runtime.ExitError`. So this module posts it: one small request over a plain connection, which is all that the runtime
//! API needs (Lambda developer guide, "Using the Lambda runtime API for custom runtimes").

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use contract::ConfigurationProblem;
use cross_account::ConfigurationError;
use serde::Serialize;

/// An error that keeps the function from starting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// A value in the configuration is missing or invalid.
    #[error(transparent)]
    InvalidConfiguration(#[from] InvalidConfiguration),
    /// The configuration does not allow AWS clients to be built.
    #[error("Invalid configuration: {0}")]
    Clients(#[from] ConfigurationError),
    /// The runtime API responded to a request for an event with something else.
    #[error("The function stopped: the Lambda runtime API returned no event: {0}")]
    NoEvent(String),
    /// The asynchronous runtime did not start, or the connection to Lambda failed.
    #[error("The function stopped: {0}")]
    Stopped(Box<dyn std::error::Error + Send + Sync>),
}

/// All problems of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) struct InvalidConfiguration(pub(crate) Vec<ConfigurationProblem>);

impl fmt::Display for InvalidConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid configuration:")?;
        for problem in &self.0 {
            write!(f, "\n- {problem}")?;
            if let Some(hint) = problem.hint() {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl InitError {
    /// The stable name of the error for programs.
    fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidConfiguration(_) | Self::Clients(_) => "InvalidConfiguration",
            Self::NoEvent(_) | Self::Stopped(_) => "RuntimeStopped",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    error_type: &'static str,
    error_message: String,
    stack_trace: [&'static str; 0],
}

/// Logs `error` and reports it to Lambda, if the function runs there.
pub(crate) fn report(error: &InitError, lookup: impl Fn(&str) -> Option<String>) {
    let error_type = error.error_type();
    tracing::error!(errorType = error_type, "{error}");
    let report = Report {
        error_type,
        error_message: error.to_string(),
        stack_trace: [],
    };
    if let Some(api) = lookup("AWS_LAMBDA_RUNTIME_API")
        && let Err(error) = post(&api, &report)
    {
        tracing::error!("failed to report the error to Lambda: {error}");
    }
}

/// Posts `report` to the runtime API at `api`, `HOST:PORT`.
fn post(api: &str, report: &Report) -> io::Result<()> {
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(2));
    let body = serde_json::to_vec(report)?;
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(TIMEOUT)?;
    stream.set_write_timeout(TIMEOUT)?;
    let head = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\n\
         host: {api}\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         lambda-runtime-function-error-type: {}\r\n\
         connection: close\r\n\r\n",
        body.len(),
        report.error_type,
    );
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    // 202 Accepted.
    if status
        .split(' ')
        .nth(1)
        .is_some_and(|code| code.starts_with('2'))
    {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "unexpected response {:?}",
            status.trim_end()
        )))
    }
}
