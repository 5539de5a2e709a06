//! The conversation with Lambda.

use std::time::SystemTime;

use contract::account_of_arn;
use lambda_runtime::{
    LambdaEvent, LambdaInvocation, Runtime, layers::TracingLayer, service_fn,
    tower::util::MapRequestLayer,
};
use tokio::{runtime, time::Instant};

use crate::{deadline, function::Function, init_error::InitError};

/// Answers events until Lambda ends the process.
///
/// One thread: a call waits for the network, and Lambda sends one event at a time.
///
/// # Errors
/// The runtime API cannot be spoken to.
pub(crate) fn serve(function: Function) -> Result<(), InitError> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| InitError::Stopped(error.into()))?
        .block_on(answer_events(function))
        .map_err(InitError::Stopped)
}

async fn answer_events(function: Function) -> Result<(), lambda_runtime::Error> {
    let handler = service_fn(async |event: LambdaEvent<String>| {
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
