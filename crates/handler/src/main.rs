//! The Lambda function: environment → [`Function`] → the core's listing → the answer.
//!
//! It lists the buckets of one Target account with a role assumed there, and answers
//! `{"statusCode": 200, "body": "[\"bucket-a\",\"bucket-b\"]"}`. Everything that can be built before the first event is
//! built once; what is wrong with the configuration is then reported as a whole, as an error of the initialisation.
//!
//! This is the only crate that knows `lambda_runtime`. What is *not* here: how a role is assumed and a listing paged
//! (the core crate), and the variables' names and forms (the contract crate).

mod aws;
mod deadline;
mod error;
mod function;
mod init_error;
mod logging;
mod panics;
mod response;
mod runtime;

use std::process::ExitCode;

use crate::function::Function;

fn main() -> ExitCode {
    let environment = |variable: &str| std::env::var(variable).ok();
    logging::start(environment);
    let outcome = Function::from_environment(environment).and_then(runtime::serve);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            init_error::report(&error, environment);
            ExitCode::FAILURE
        }
    }
}
