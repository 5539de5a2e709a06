//! The function itself: one call, from the deadline to the answer. Knows nothing of Lambda.

use std::time::Duration;

use contract::{ConfigurationFault, FunctionConfiguration, Selection, Target};
use cross_account::{Clients, Failure, Listing, Timings};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    aws,
    error::InvocationError,
    init_error::{Faults, InitError},
    panics, response,
};

/// What is built once, before the first event, and serves every call.
#[derive(Debug)]
pub(crate) struct Function {
    clients: Clients,
    target: Target,
}

impl Function {
    /// Reads the configuration through `lookup` and builds the clients. Sends nothing.
    ///
    /// # Errors
    /// Every fault of the configuration together.
    pub(crate) fn from_environment(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InitError> {
        let configuration = FunctionConfiguration::read(&lookup, None);
        let aws = aws::from_environment(&lookup);
        match (configuration, aws) {
            (
                Ok(FunctionConfiguration {
                    selection: Selection::One(target),
                    ..
                }),
                Ok(aws),
            ) => Ok(Self {
                clients: Clients::new(&aws)?,
                target,
            }),
            (configuration, aws) => {
                let faults: Vec<ConfigurationFault> = [configuration.err(), aws.err()]
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect();
                Err(Faults(faults).into())
            }
        }
    }

    /// Lists the target's buckets and makes the answer, or fails before `deadline`. Writes one line to the log.
    ///
    /// # Errors
    /// A panic is one of them, so that it, too, has a stable `errorType`.
    pub(crate) async fn call(&self, deadline: Instant) -> Result<Box<RawValue>, InvocationError> {
        let started = Instant::now();
        // Boxed: the SDK's futures are some 25 KB, and would be moved about.
        let outcome = panics::caught(Box::pin(self.answer(deadline)))
            .await
            .unwrap_or_else(|panic| Err(panic.into()));
        match outcome {
            Ok((answer, listing)) => {
                self.log_success(&listing, started.elapsed());
                Ok(answer)
            }
            Err(error) => {
                self.log_failure(&error, started.elapsed());
                Err(error)
            }
        }
    }

    async fn answer(&self, deadline: Instant) -> Result<(Box<RawValue>, Listing), InvocationError> {
        let listing =
            cross_account::list_buckets(&self.clients, &self.target, Some(deadline)).await?;
        Ok((response::of(&listing.buckets)?, listing))
    }

    fn log_success(&self, listing: &Listing, duration: Duration) {
        let Listing {
            buckets,
            timings:
                Timings {
                    assume,
                    list,
                    pages,
                },
        } = listing;
        tracing::info!(
            account = %self.target.account,
            buckets = buckets.len(),
            pages,
            cached = assume.is_none(),
            assumeMs = assume.map(milliseconds),
            listMs = milliseconds(*list),
            durationMs = milliseconds(duration),
            "listed"
        );
    }

    fn log_failure(&self, error: &InvocationError, duration: Duration) {
        let failure = error.as_failure();
        tracing::error!(
            errorType = error.error_type(),
            account = %self.target.account,
            phase = failure.map(|failure| failure.phase().as_str()),
            code = failure.and_then(Failure::code),
            serviceRequestId = failure.and_then(Failure::request_id),
            retryable = failure.map(Failure::is_retryable),
            hint = failure.and_then(Failure::hint),
            durationMs = milliseconds(duration),
            "{error}"
        );
    }
}

/// With one decimal: a warm call takes a few milliseconds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use fake_aws::{Account, FakeAws};

    use super::*;

    fn function(endpoint: &str) -> Function {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret-example"),
            ("AWS_ENDPOINT_URL", endpoint),
            ("TARGET_ACCOUNT_ID", "222222222222"),
            ("S3_READ_ROLE", "MyS3ReadRole"),
        ];
        Function::from_environment(|name| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_call_needs_no_lambda() {
        let aws = FakeAws::builder()
            .account("222222222222", Account::new().named_buckets(["a"]))
            .start()
            .unwrap();
        let function = function(&aws.endpoint());
        let deadline = Instant::now() + Duration::from_secs(10);
        let answer = function.call(deadline).await.unwrap();
        assert_eq!(answer.get(), r#"{"statusCode":200,"body":"[\"a\"]"}"#);

        // Well past: the timer's resolution is a millisecond, and a warm call may take less.
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let error = function.call(past).await.unwrap_err();
        assert_eq!(error.error_type(), "Timeout");
        let shown = format!("{function:?} {error:?}");
        assert!(!shown.contains("very-secret-example"), "{shown}");
        assert!(!shown.contains("FakeSecretKey"), "{shown}");
    }

    #[test]
    fn faults_of_both_halves_are_told_together() {
        let error = Function::from_environment(|_| None).unwrap_err();
        let message = error.to_string();
        for variable in ["TARGET_ACCOUNT_ID", "S3_READ_ROLE", "AWS_REGION"] {
            assert!(message.contains(variable), "{message}");
        }
    }

    #[test]
    fn durations_have_one_decimal() {
        assert!((milliseconds(Duration::from_micros(1_849)) - 1.8).abs() < f64::EPSILON);
    }
}
