//! The Lambda function: environment → [`Function`]; event → request → selection → the core's listing → the answer.
//!
//! It lists the buckets of one Target account with a role assumed there, and answers
//! `{"statusCode": 200, "body": "[\"bucket-a\",\"bucket-b\"]"}`; or those of many, and answers what became of each.
//! Everything that can be built before the first event is
//! built once; what is wrong with the configuration is then reported as a whole, as an error of the initialisation.
//!
//! This is the only crate that knows `lambda_runtime`. What is *not* here: how a role is assumed and a listing paged
//! (the core crate), and the variables' names and forms (the contract crate).

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

/// With one decimal: a warm call takes a few milliseconds.
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
