//! Handles an invocation, from the event and the deadline to the response. Knows nothing about Lambda.
//!
//! A stage has one of two forms. With one target, the response is the list of its buckets. With many targets, it has an
//! entry for each ([`fleet`](crate::fleet)).

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
    time::Duration,
};

use contract::{
    AccountId, ConfigurationProblem, FunctionConfiguration, Selection, Target, TargetsFile,
};
use cross_account::{Clients, DeniedBy, Failure, Listing, Timings};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    aws,
    error::InvocationError,
    event::{self, InvalidEvent},
    fleet::{FleetHandler, Invocation},
    init_error::{InitError, InvalidConfiguration},
    metrics::Metrics,
    milliseconds, panics,
    report::{Report, Summary},
    request::{Filter, Request},
    response::{self, List},
    selection::{self, AccountSource},
};

/// The function, built once before the first event.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its name in Lambda; empty outside Lambda.
    name: String,
    clients: Clients,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Single(Target),
    Fleet(FleetHandler),
}

/// The response of an invocation, as it is serialized.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Response {
    List(List),
    Report(Report),
}

impl Function {
    /// Reads the configuration (variables from `lookup`, the targets file from the directory of the function's code) and
    /// builds the clients. Sends no request.
    ///
    /// # Errors
    /// All problems of the configuration together.
    pub(crate) fn from_environment(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InitError> {
        let configuration = configuration(&lookup);
        let aws = aws::from_environment(&lookup);
        match (configuration, aws) {
            (Ok(configuration), Ok(aws)) => Ok(Self {
                name: lookup("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
                clients: Clients::new(&aws)?.with_session_policy(configuration.session_policy),
                mode: match configuration.selection {
                    Selection::Single(target) => Mode::Single(target),
                    Selection::Fleet(file) => Mode::Fleet(FleetHandler::new(file, memory(&lookup))),
                },
            }),
            (configuration, aws) => {
                let mut problems = configuration.err().unwrap_or_default();
                problems.extend(aws.err().into_iter().flatten());
                Err(InvalidConfiguration(problems).into())
            }
        }
    }

    /// Handles `event`, a JSON text, before `deadline`. `account` is the account that the function is deployed in, if known.
    /// Writes log lines and one line of metrics.
    ///
    /// # Errors
    /// The invocation failed. A panic is an error, too, and so has a stable `errorType`.
    pub(crate) async fn call(
        &self,
        event: &str,
        deadline: Instant,
        account: Option<AccountId>,
    ) -> Result<Response, InvocationError> {
        let started = Instant::now();
        let mut metrics = Metrics::default();
        // Boxed, because the SDK's futures have some 25 KB, too much to move.
        let outcome = panics::caught(Box::pin(self.handle(
            event,
            deadline,
            account,
            &mut metrics,
        )))
        .await
        .unwrap_or_else(|panic| Err(panic.into()));
        metrics.write(&self.name);
        if let Err(error) = &outcome {
            self.log_failure(error, started.elapsed());
        }
        outcome
    }

    async fn handle(
        &self,
        event: &str,
        deadline: Instant,
        account: Option<AccountId>,
        metrics: &mut Metrics,
    ) -> Result<Response, InvocationError> {
        let request = event::read(event, &self.name)?;
        match &self.mode {
            Mode::Single(target) => {
                let Request { filter, resume } = &request;
                if resume.is_some() {
                    return Err(resume_of_one().into());
                }
                selection::select(vec![target.clone()], AccountSource::List, &request)?;
                self.list(target, filter, deadline, metrics).await
            }
            Mode::Fleet(fleet) => {
                let invocation = Invocation {
                    function: &self.name,
                    account,
                    deadline,
                };
                fleet
                    .call(invocation, &self.clients, &request, metrics)
                    .await
                    .map(Response::Report)
            }
        }
    }

    /// Lists the one target.
    async fn list(
        &self,
        target: &Target,
        filter: &Filter,
        deadline: Instant,
        metrics: &mut Metrics,
    ) -> Result<Response, InvocationError> {
        let started = Instant::now();
        metrics.summary = Summary {
            targets: 1,
            failed: 1,
            ..Summary::default()
        };
        let prefix = filter.prefix.as_deref();
        let Listing { buckets, timings } = cross_account::list_buckets_with_prefix(
            &self.clients,
            target,
            prefix,
            response::MAX_BYTES,
            Some(deadline),
        )
        .await?;
        let count = buckets.len();
        let list = response::of(buckets, filter.detail)?;
        *metrics = Metrics {
            summary: Summary {
                targets: 1,
                ok: 1,
                buckets: count,
                ..Summary::default()
            },
            assume: timings.assume.unwrap_or_default(),
            list: timings.list,
        };
        log_success(target, count, &timings, started.elapsed());
        Ok(Response::List(list))
    }

    fn log_failure(&self, error: &InvocationError, duration: Duration) {
        let failure = error.as_failure();
        let account = match &self.mode {
            Mode::Single(target) => Some(&target.account),
            Mode::Fleet(_) => None,
        };
        tracing::error!(
            errorType = error.error_type(),
            account = account.map(tracing::field::display),
            phase = failure.map(|failure| failure.phase().as_str()),
            code = failure.and_then(Failure::code),
            deniedBy = failure.and_then(Failure::denied_by).map(DeniedBy::as_str),
            serviceRequestId = failure.and_then(Failure::request_id),
            retryable = failure.map(Failure::is_retryable),
            hint = failure.and_then(Failure::hint),
            durationMs = milliseconds(duration),
            "{error}"
        );
    }
}

fn log_success(target: &Target, buckets: usize, timings: &Timings, duration: Duration) {
    let Timings {
        assume,
        list,
        pages,
    } = timings;
    tracing::info!(
        account = %target.account,
        buckets,
        pages,
        cached = assume.is_none(),
        assumeMs = assume.map(milliseconds),
        listMs = milliseconds(*list),
        durationMs = milliseconds(duration),
        "listed"
    );
}

fn resume_of_one() -> InvalidEvent {
    InvalidEvent::new(
        "`resume` is not supported by a stage with one account, which needs one invocation",
        None,
    )
}

/// The memory in bytes for pages in flight: a quarter of the function's memory. Half of the smallest function, 128 MB, is for
/// everything else: the program, the response, which is held as buckets and again as text, and the first account in line,
/// which may exceed the limit.
fn memory(lookup: impl Fn(&str) -> Option<String>) -> usize {
    const MIN_MEGABYTES: usize = 128;
    let megabytes = lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|size| size.parse().ok());
    megabytes
        .unwrap_or(MIN_MEGABYTES)
        .saturating_mul(1024 * 1024 / 4)
}

/// Reads the configuration from the environment and, if it exists, the targets file.
fn configuration(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<FunctionConfiguration, Vec<ConfigurationProblem>> {
    match targets_file(&lookup) {
        Ok(text) => FunctionConfiguration::read(lookup, text.as_deref()),
        Err(error) => {
            let mut problems = vec![ConfigurationProblem::Unreadable(error.to_string())];
            let others = FunctionConfiguration::read(lookup, None).err();
            // No variable for the target is missing, because the file exists.
            problems.extend(
                others
                    .into_iter()
                    .flatten()
                    .filter(|problem| !matches!(problem, ConfigurationProblem::Missing(_))),
            );
            Err(problems)
        }
    }
}

/// The text of the targets file, if it exists.
fn targets_file(lookup: impl Fn(&str) -> Option<String>) -> io::Result<Option<String>> {
    let Some(directory) = lookup("LAMBDA_TASK_ROOT").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    match File::open(Path::new(&directory).join(TargetsFile::NAME)).and_then(io::read_to_string) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_types::{SdkConfig, region::Region};
    use fake_aws::{Account, FakeAws, Latency};

    use super::*;

    /// Clients of a fake.
    pub(crate) fn clients(endpoint: &str) -> Clients {
        function(endpoint).clients
    }

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
    async fn an_invocation_works_without_lambda() {
        let aws = FakeAws::builder()
            .account("222222222222", Account::new().named_buckets(["a"]))
            .start()
            .unwrap();
        let function = function(&aws.endpoint());
        let deadline = Instant::now() + Duration::from_secs(10);
        let response = function.call("{}", deadline, None).await.unwrap();
        let response = serde_json::to_string(&response).unwrap();
        assert_eq!(response, r#"{"statusCode":200,"body":"[\"a\"]"}"#);

        // Well past: the timer's resolution is a millisecond, and a warm invocation may take less.
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let error = function.call("{}", past, None).await.unwrap_err();
        assert_eq!(error.error_type(), "Timeout");
        let shown = format!("{function:?} {error:?}");
        assert!(!shown.contains("very-secret-example"), "{shown}");
        assert!(!shown.contains("FakeSecretKey"), "{shown}");
    }

    const UNIT: &str = "ou-ab12-00000001";

    /// A function for an organization with two accounts, in simulated time. The organization takes `walk` to read, and the
    /// second account a second to list.
    fn of_organization(walk: Duration) -> Function {
        let organization = fake_aws::Organization::new()
            .unit(UNIT, fake_aws::Organization::ROOT)
            .account("222222222222", UNIT)
            .account("333333333333", UNIT)
            .latency(walk);
        let slow = Account::new().list_latency(Duration::from_secs(1));
        let aws = FakeAws::builder()
            .every_account(Account::new())
            .account("333333333333", slow)
            .organization(organization)
            .in_memory();
        let way = Duration::from_millis(100);
        let credentials = Credentials::new("ASIAEXAMPLE", "very-secret-example", None, None, "");
        let config = SdkConfig::builder()
            .region(Region::from_static("eu-central-1"))
            .endpoint_url(aws.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws.http_client(Latency::new(way..=way, 1)))
            .time_source(aws.time_source())
            .build();
        let file = serde_json::json!({"version": 1, "concurrency": 8, "organization": {
            "adminAccountId": "111111111111", "units": [UNIT], "exclude": [], "role": "MyS3ReadRole"
        }});
        Function {
            name: "list".to_owned(),
            clients: Clients::new(&config).unwrap(),
            mode: Mode::Fleet(FleetHandler::new(
                TargetsFile::from_json(&file.to_string()).unwrap(),
                usize::MAX,
            )),
        }
    }

    async fn call(function: &Function, event: &str) -> Result<String, InvocationError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let response = function.call(event, deadline, None).await?;
        Ok(serde_json::to_string(&response).unwrap())
    }

    /// Nine seconds of the ten are for listing.
    #[tokio::test(start_paused = true)]
    async fn an_organization_that_takes_all_the_time_fails_no_account() {
        let function = of_organization(Duration::from_millis(8_750));
        let error = call(&function, "{}").await.unwrap_err();
        let failure = error.as_failure().unwrap();
        assert_eq!(failure.phase().as_str(), "organization");
        assert_eq!(error.error_type(), "Timeout");
        assert!(failure.is_retryable());
        assert!(
            error.to_string().contains("left no time to list one"),
            "{error}"
        );
        let response = call(&function, "{}").await.unwrap();
        assert!(response.starts_with(r#"{"statusCode":200"#), "{response}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_organization_that_takes_most_of_the_time_skips_accounts() {
        let function = of_organization(Duration::from_millis(8_500));
        let response = call(&function, "{}").await.unwrap();
        assert!(response.starts_with(r#"{"statusCode":207"#), "{response}");
        let response: serde_json::Value = serde_json::from_str(&response).unwrap();
        let body: serde_json::Value =
            serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["summary"]["ok"], 1, "{body}");
        assert_eq!(body["accounts"][1]["reason"], "deadline", "{body}");
        let event = serde_json::json!({"resume": body["resume"]}).to_string();
        let response = call(&function, &event).await.unwrap();
        assert!(response.starts_with(r#"{"statusCode":200"#), "{response}");
    }

    #[test]
    fn problems_of_variables_and_clients_are_reported_together() {
        let error = Function::from_environment(|_| None).unwrap_err();
        let message = error.to_string();
        for variable in ["TARGET_ACCOUNT_ID", "S3_READ_ROLE", "AWS_REGION"] {
            assert!(message.contains(variable), "{message}");
        }
    }
}
