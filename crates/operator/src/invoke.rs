//! Subcommand: invoke a Lambda function and wait for its response.
//!
//! It never retries, because a function may have run even if no response arrived.

use std::time::Duration;

use anyhow::Result;
use aws_config::SdkConfig;
use aws_sdk_lambda::{
    Client,
    config::{self, StalledStreamProtectionConfig, retry::RetryConfig},
    operation::invoke::InvokeOutput,
    primitives::Blob,
    types::{InvocationType, LogType},
};
use operator_api::Invocation;
use serde_json::Value;

use crate::{arguments::Invoke, connection, failure};

/// A function runs for at most 15 minutes (Lambda developer guide, "Lambda quotas"); one more is for its start.
const TIMEOUT: Duration = Duration::from_mins(15 + 1);

pub(crate) async fn run(flags: Invoke) -> Result<Invocation> {
    let config = connection::open(&flags.connection).await?;
    let response = client(&config)?
        .invoke()
        .function_name(&flags.function)
        .invocation_type(InvocationType::RequestResponse)
        .log_type(LogType::None)
        .payload(Blob::new(flags.event.into_bytes()))
        .send()
        .await
        .map_err(failure::of(&format!(
            "invoke function `{}` in {}",
            flags.function, flags.connection.region
        )))?;
    Ok(invocation(response))
}

/// A client that makes one attempt and waits for [`TIMEOUT`]. Fetching the credentials keeps the usual timeouts.
fn client(config: &SdkConfig) -> Result<Client> {
    let (timeouts, http_client) = connection::patient(TIMEOUT)?;
    Ok(Client::from_conf(
        config::Builder::from(config)
            .http_client(http_client)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            // It would mistake a function that is still running for a stalled connection.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build(),
    ))
}

fn invocation(response: InvokeOutput) -> Invocation {
    let payload = response.payload.map(Blob::into_inner).unwrap_or_default();
    Invocation {
        status_code: response.status_code,
        function_error: response.function_error,
        payload: if payload.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(&payload).into())
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, timeout::TimeoutConfig};

    use super::*;

    fn returned(payload: &[u8]) -> Invocation {
        invocation(
            InvokeOutput::builder()
                .status_code(200)
                .payload(Blob::new(payload))
                .build(),
        )
    }

    #[test]
    fn a_function_may_run_for_15_minutes() {
        let usual = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(Duration::from_secs(45))
                    .build(),
            )
            .build();
        let client = client(&usual).unwrap();
        let timeouts = client.config().timeout_config().unwrap();
        assert!(timeouts.read_timeout().unwrap() > Duration::from_mins(15));
        assert!(timeouts.operation_attempt_timeout().unwrap() > Duration::from_mins(15));
        assert_eq!(timeouts.operation_timeout(), None);
    }

    #[test]
    fn the_payload_is_json_and_nothing_is_null() {
        assert_eq!(
            serde_json::to_value(returned(br#"{"body":"[]"}"#)).unwrap(),
            serde_json::json!({"statusCode": 200, "functionError": null, "payload": {"body": "[]"}}),
        );
        assert_eq!(returned(b"").payload, Value::Null);
        assert_eq!(returned(b"oops").payload, "oops");
    }
}
