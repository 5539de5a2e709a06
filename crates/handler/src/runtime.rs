//! The conversation with Lambda.

use std::time::SystemTime;

use contract::{ConfigurationFault, InvalidValue, account_of_arn};
use lambda_runtime::{
    LambdaEvent, LambdaInvocation, Runtime, layers::TracingLayer, service_fn,
    tower::util::MapRequestLayer,
};
use tokio::{runtime, time::Instant};

use crate::{
    deadline,
    function::Function,
    init_error::{Fault, Faults, InitError},
    logging, panics,
};

/// Answers events until Lambda ends the process.
///
/// One thread: a call waits for the network, and Lambda sends one event at a time.
///
/// # Errors
/// Lambda's own variables are missing, or the runtime API cannot be spoken to.
pub(crate) fn serve(
    function: Function,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), InitError> {
    let faults = faults_of(lookup);
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    let answered = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| InitError::Stopped(error.into()))?
        .block_on(panics::caught(answer_events(function)));
    match answered {
        Ok(ended) => ended.map_err(InitError::Stopped),
        // The function's own panics are caught in each call.
        Err(panic) => Err(InitError::NoEvent(panic.message().to_owned())),
    }
}

/// What is wrong with the variables that `lambda_runtime` 1.5 needs: it would panic (`Config::from_env`).
fn faults_of(lookup: impl Fn(&str) -> Option<String>) -> Vec<Fault> {
    let fault = |variable, what, is_valid: fn(&str) -> bool| match lookup(variable) {
        None => Some(ConfigurationFault::Missing(variable)),
        Some(value) if is_valid(&value) => None,
        Some(value) => Some(ConfigurationFault::Invalid {
            variable,
            source: InvalidValue::new(what, &value, "has another form than Lambda gives it"),
        }),
    };
    let faults = [
        fault("AWS_LAMBDA_FUNCTION_NAME", "name", |_| true),
        fault("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "size", |size| {
            size.parse::<i32>().is_ok()
        }),
        fault("AWS_LAMBDA_FUNCTION_VERSION", "version", |_| true),
        fault("AWS_LAMBDA_RUNTIME_API", "address", |address| {
            let uri = address.parse::<http::Uri>();
            uri.is_ok_and(|uri| uri.authority().is_some())
        }),
    ];
    faults.into_iter().flatten().map(Fault::from).collect()
}

async fn answer_events(function: Function) -> Result<(), lambda_runtime::Error> {
    let handler = service_fn(async |event: LambdaEvent<String>| {
        logging::call_begins();
        let left = deadline::allowance(event.context.deadline(), SystemTime::now());
        let deadline = Instant::now() + left;
        let account = account_of_arn(&event.context.invoked_function_arn).ok();
        function.call(&event.payload, deadline, account).await
    });
    Runtime::new(handler)
        // Gives every line that is logged meanwhile the request id.
        .layer(TracingLayer::new())
        .layer(MapRequestLayer::new(as_text))
        .run()
        .await
}

/// Passes the event on as text, whatever it is: `lambda_runtime` would reject one that is not JSON with an error of its own,
/// and end the process at TRACE for one that is not UTF-8 (`lambda_runtime` 1.5, `layers/api_response.rs`). An empty event
/// counts as `null`.
fn as_text(mut invocation: LambdaInvocation) -> LambdaInvocation {
    let text = match &*invocation.body {
        [] => "null".into(),
        body => String::from_utf8_lossy(body),
    };
    // Never fails: it is a string.
    invocation.body = serde_json::to_vec(&text).unwrap_or_default().into();
    invocation
}
