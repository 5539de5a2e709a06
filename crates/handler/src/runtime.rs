//! Runs the function on Lambda's runtime API.

use std::time::SystemTime;

use contract::{ConfigurationProblem, InvalidValue, account_of_arn};
use lambda_runtime::{
    LambdaEvent, LambdaInvocation, Runtime, layers::TracingLayer, service_fn,
    tower::util::MapRequestLayer,
};
use tokio::{runtime, time::Instant};

use crate::{
    deadline,
    function::Function,
    init_error::{InitError, InvalidConfiguration},
    logging, panics,
};

/// Handles events until Lambda ends the process.
///
/// One thread is enough: an invocation mostly waits for the network, and Lambda sends one event at a time.
///
/// # Errors
/// Lambda's own variables are missing, or the runtime API cannot be reached.
pub(crate) fn serve(
    function: Function,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), InitError> {
    let problems = problems(lookup);
    if !problems.is_empty() {
        return Err(InvalidConfiguration(problems).into());
    }
    let served = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| InitError::Stopped(error.into()))?
        .block_on(panics::caught(handle_events(function)));
    match served {
        Ok(ended) => ended.map_err(InitError::Stopped),
        // Panics of the function itself are caught in each invocation.
        Err(panic) => Err(InitError::NoEvent(panic.message().to_owned())),
    }
}

/// The problems of the variables without which `lambda_runtime` 1.5 panics (`Config::from_env`).
fn problems(lookup: impl Fn(&str) -> Option<String>) -> Vec<ConfigurationProblem> {
    let problem = |variable, what, is_valid: fn(&str) -> bool| match lookup(variable) {
        None => Some(ConfigurationProblem::Missing(variable)),
        Some(value) if is_valid(&value) => None,
        Some(value) => Some(ConfigurationProblem::Invalid {
            variable,
            source: InvalidValue::new(what, &value, "is not a value that Lambda sets"),
        }),
    };
    let problems = [
        problem("AWS_LAMBDA_FUNCTION_NAME", "name", |_| true),
        problem("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "size", |size| {
            size.parse::<i32>().is_ok()
        }),
        problem("AWS_LAMBDA_FUNCTION_VERSION", "version", |_| true),
        problem("AWS_LAMBDA_RUNTIME_API", "address", |address| {
            let uri = address.parse::<http::Uri>();
            uri.is_ok_and(|uri| uri.authority().is_some())
        }),
    ];
    problems.into_iter().flatten().collect()
}

async fn handle_events(function: Function) -> Result<(), lambda_runtime::Error> {
    let handler = service_fn(async |event: LambdaEvent<String>| {
        logging::start_invocation();
        let left = deadline::allowance(event.context.deadline(), SystemTime::now());
        let deadline = Instant::now() + left;
        let account = account_of_arn(&event.context.invoked_function_arn).ok();
        function.call(&event.payload, deadline, account).await
    });
    Runtime::new(handler)
        // Adds the request ID to every log line.
        .layer(TracingLayer::new())
        .layer(MapRequestLayer::new(as_text))
        .run()
        .await
}

/// Passes any event on as text. `lambda_runtime` would reject an event that is not JSON with its own error, and at TRACE it
/// would end the process for one that is not UTF-8 (`lambda_runtime` 1.5, `layers/api_response.rs`). An empty event counts as
/// `null`.
fn as_text(mut invocation: LambdaInvocation) -> LambdaInvocation {
    let text = match &*invocation.body {
        [] => "null".into(),
        body => String::from_utf8_lossy(body),
    };
    // Cannot fail: it is a string.
    invocation.body = serde_json::to_vec(&text).unwrap_or_default().into();
    invocation
}
