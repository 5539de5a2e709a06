//! The conversation with Lambda.

use std::time::SystemTime;

use contract::account_of_arn;
use lambda_runtime::{
    LambdaEvent, LambdaInvocation, Runtime, layers::TracingLayer, service_fn,
    tower::util::MapRequestLayer,
};
use serde_json::value::RawValue;
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
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let left = deadline::allowance(event.context.deadline(), SystemTime::now());
        let deadline = Instant::now() + left;
        let account = account_of_arn(&event.context.invoked_function_arn).ok();
        function.call(event.payload.get(), deadline, account).await
    });
    Runtime::new(handler)
        // Gives every line that is logged meanwhile the request id.
        .layer(TracingLayer::new())
        .layer(MapRequestLayer::new(any_event))
        .run()
        .await
}

/// An empty event, which is not JSON, counts as `null`.
fn any_event(mut invocation: LambdaInvocation) -> LambdaInvocation {
    if invocation.body.is_empty() {
        invocation.body = "null".into();
    }
    invocation
}
