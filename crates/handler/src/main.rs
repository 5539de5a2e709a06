//! The Lambda function: environment → [`Function`]; event → request → selection → listing → response.
//!
//! It assumes a role in a Target account, lists its buckets and returns
//! `{"statusCode": 200, "body": "[\"bucket-a\",\"bucket-b\"]"}`. For many accounts, it returns an entry for each.
//! Everything that does not depend on the event is built once, at start, and all problems of the configuration are reported
//! together as an initialization error.
//!
//! Only this crate depends on `lambda_runtime`. The core crate assumes roles and lists buckets; the contract crate defines
//! the variables.

mod all_failed;
mod aws;
mod deadline;
mod error;
mod event;
mod fleet;
mod function;
mod init_error;
mod logging;
mod metrics;
mod panics;
mod prefix_checksum;
mod report;
mod request;
mod response;
mod runtime;
mod selection;
mod token;

use std::{process::ExitCode, time::Duration};

use crate::function::Function;

fn main() -> ExitCode {
    let environment = |variable: &str| std::env::var(variable).ok();
    logging::start(environment);
    if let Some(variable) = aws::unsupported_proxy(environment) {
        tracing::warn!(
            "{variable} is set, but the function does not support proxies: it connects to AWS directly"
        );
    }
    let outcome = Function::from_environment(environment)
        .and_then(|function| runtime::serve(function, environment));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            init_error::report(&error, environment);
            ExitCode::FAILURE
        }
    }
}

/// Rounds to one decimal, because a warm invocation takes a few milliseconds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_decimal() {
        assert!((milliseconds(Duration::from_micros(1_849)) - 1.8).abs() < f64::EPSILON);
    }
}
