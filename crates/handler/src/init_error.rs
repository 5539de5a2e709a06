//! Why the function could not start, and how Lambda learns of it.
//!
//! `lambda_runtime` 1.5 posts to `/runtime/init/error` only under `SnapStart`. Without the post the caller would see
//! `Runtime.ExitError` and nothing else, so it is made here: one small request over a plain connection, which is all
//! that the runtime API needs (Lambda developer guide, "Using the Lambda runtime API for custom runtimes").

use std::{
    fmt,
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use contract::{ConfigurationFault, TargetsFile};
use cross_account::ConfigurationError;
use serde::Serialize;

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// Something in the environment is missing or wrong.
    #[error("{0}")]
    Faults(#[from] Faults),
    /// The clients cannot be built from it.
    #[error("The function is not configured: {0}")]
    Clients(#[from] ConfigurationError),
    /// The runtime API answered a request for an event with something else.
    #[error("The function stopped: the Lambda runtime API gave it no event: {0}")]
    NoEvent(String),
    /// The asynchronous runtime could not start, or the conversation with Lambda broke.
    #[error("The function stopped: {0}")]
    Stopped(Box<dyn std::error::Error + Send + Sync>),
}

/// Every fault of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

/// A fault of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Of what it says.
    #[error(transparent)]
    Configuration(#[from] ConfigurationFault),
    /// The file of targets is there, and cannot be read.
    #[error("{file} cannot be read: {0}", file = TargetsFile::NAME)]
    Unreadable(#[source] io::Error),
}

impl Fault {
    fn hint(&self) -> Option<&str> {
        match self {
            Self::Configuration(fault) => fault.hint(),
            Self::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The function is not configured:")?;
        for fault in &self.0 {
            write!(f, "\n- {fault}")?;
            if let Some(hint) = fault.hint() {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl InitError {
    /// The name by which programs tell failures apart.
    fn error_type(&self) -> &'static str {
        match self {
            Self::Faults(_) | Self::Clients(_) => "InvalidConfiguration",
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

/// Logs `error`, and tells Lambda of it where there is one.
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
        tracing::error!("the error could not be reported to Lambda: {error}");
    }
}

/// Posts `report` to the runtime API at `api`, `HOST:PORT`.
fn post(api: &str, report: &Report) -> io::Result<()> {
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(2));
    let body = serde_json::to_vec(report)?;
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(PATIENCE)?;
    stream.set_write_timeout(PATIENCE)?;
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
            "answered {:?}",
            status.trim_end()
        )))
    }
}
