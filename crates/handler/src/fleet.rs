//! Handles the invocations of a stage with many accounts. The response has an entry for each account.

use contract::{AccountId, Accounts, Concurrency, Target, TargetsFile};
use cross_account::{AccountOutcome, Clients, DeniedBy, FailureKind, FanOutOptions, Outcome};
use tokio::time::Instant;

use crate::{
    all_failed::AllTargetsFailed,
    deadline,
    error::InvocationError,
    metrics::Metrics,
    milliseconds,
    report::{Report, ResponseBudget, Summary},
    request::Request,
    selection::{AccountSource, select},
};

/// Lists the accounts of a stage with many.
#[derive(Debug)]
pub(crate) struct FleetHandler {
    concurrency: Concurrency,
    accounts: Accounts,
    /// The memory in bytes for pages in flight.
    memory: usize,
}

/// The context of an invocation.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    /// The function's name.
    pub(crate) function: &'a str,
    /// The account that the function is deployed in and its own credentials belong to, if known.
    pub(crate) account: Option<AccountId>,
    /// When the invocation must have ended.
    pub(crate) deadline: Instant,
}

impl FleetHandler {
    /// Creates the handler for the accounts of `file`; pages in flight may take `memory` bytes.
    pub(crate) fn new(file: TargetsFile, memory: usize) -> Self {
        Self {
            concurrency: file.concurrency(),
            accounts: file.into_accounts(),
            memory,
        }
    }

    /// Lists the accounts of `request`, as many as the deadline and the size of the response allow.
    ///
    /// # Errors
    /// The request names an unknown account; reading the organization failed or took all the time; STS throttled the caller
    /// until the deadline; or no account could be listed. The last is not an error if the invocation continues another one,
    /// so that the responses together have one entry per account.
    pub(crate) async fn call(
        &self,
        invocation: Invocation<'_>,
        clients: &Clients,
        request: &Request,
        metrics: &mut Metrics,
    ) -> Result<Report, InvocationError> {
        let started = Instant::now();
        let deadline = deadline::before_response(invocation.deadline, started);
        let (all, source) = match &self.accounts {
            Accounts::Targets(targets) => (targets.clone(), AccountSource::List),
            Accounts::Organization(organization) => (
                cross_account::organization_targets(clients, organization, Some(deadline)).await?,
                AccountSource::Organization(organization),
            ),
        };
        let selected = select(all, source, request)?;
        metrics.summary.targets = selected.targets.len();
        let budget = ResponseBudget::new(invocation.function, &request.filter, &selected)?;
        let options = FanOutOptions {
            concurrency: self.concurrency,
            deadline: Some(deadline),
            started: Some(started),
            response_budget: budget.bytes(),
            max_name_bytes: budget.bytes(),
            bucket_bytes: Some(budget.bucket_bytes()),
            memory: self.memory,
            prefix: request.filter.prefix.clone(),
            own_account: invocation.account,
            unlisted: selected.unlisted.clone(),
            ..FanOutOptions::default()
        };
        let measure = |target: &Target, outcome: &AccountOutcome| budget.measure(target, outcome);
        let result = cross_account::fan_out(clients, &selected.targets, &options, measure).await;
        let first = selected.targets.first();
        if let Some(failure) = first.and_then(|first| result.none_reached(clients, first)) {
            return Err(match &self.accounts {
                Accounts::Organization(organization) if failure.kind() == FailureKind::Timeout => {
                    cross_account::no_time_left(clients, organization)
                }
                _ => failure,
            }
            .into());
        }
        let report = budget.report(result);
        *metrics = metrics_of(&report);
        log(&report, started);
        let Summary {
            targets, failed, ..
        } = report.summary();
        if failed > 0 && failed == targets && request.resume.is_none() {
            return Err(AllTargetsFailed::of(report.accounts()).into());
        }
        Ok(report)
    }
}

fn metrics_of(report: &Report) -> Metrics {
    let mut metrics = Metrics {
        summary: report.summary(),
        ..Metrics::default()
    };
    for (_, outcome) in report.accounts() {
        if let Outcome::Listed(listing) = &outcome.outcome {
            metrics.assume += listing.timings.assume.unwrap_or_default();
            metrics.list += listing.timings.list;
        }
    }
    metrics
}

/// Logs a line for each failed account, and one for the invocation.
fn log(report: &Report, started: Instant) {
    for (target, outcome) in report.accounts() {
        if let Outcome::Failed(failure) = &outcome.outcome {
            tracing::error!(
                errorType = failure.kind().as_str(),
                account = %target.account,
                targetName = target.name.as_ref().map(tracing::field::display),
                phase = failure.phase().as_str(),
                code = failure.code(),
                deniedBy = failure.denied_by().map(DeniedBy::as_str),
                serviceRequestId = failure.request_id(),
                retryable = failure.is_retryable(),
                hint = failure.hint(),
                durationMs = milliseconds(outcome.duration),
                "{failure}"
            );
        }
    }
    let Summary {
        targets,
        ok,
        failed,
        skipped,
        buckets,
    } = report.summary();
    tracing::info!(
        targets,
        ok,
        failed,
        skipped,
        buckets,
        durationMs = milliseconds(started.elapsed()),
        "listed"
    );
}
