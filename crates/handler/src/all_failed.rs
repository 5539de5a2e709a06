//! The error of an invocation that could list no account.

use std::{collections::BTreeMap, fmt};

use contract::Target;
use cross_account::{AccountOutcome, Failure, Outcome};

/// The maximum number of causes in the message.
const MAX_CAUSES: usize = 8;
/// The maximum number of accounts for each cause.
const MAX_ACCOUNTS: usize = 5;

/// Every account of an invocation failed.
///
/// Displays as the causes, the most frequent first, each with one of its failures. Accounts that failed after their first
/// page are counted, but their buckets are not listed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) struct AllTargetsFailed(Vec<Failure>);

impl AllTargetsFailed {
    /// Collects the failures of `accounts`, of which there is at least one and all failed.
    pub(crate) fn of<'a>(accounts: impl Iterator<Item = (&'a Target, &'a AccountOutcome)>) -> Self {
        let failure = |(_, outcome): (_, &AccountOutcome)| match &outcome.outcome {
            Outcome::Failed(failure) => Some(failure.clone()),
            Outcome::Listed(_) | Outcome::Skipped(_) => None,
        };
        Self(accounts.filter_map(failure).collect())
    }

    /// Groups the failures by phase and code, the largest group first. Each group keeps the order of the accounts.
    fn groups(&self) -> Vec<Vec<&Failure>> {
        let mut groups = BTreeMap::<_, Vec<&Failure>>::new();
        for failure in &self.0 {
            let cause = (failure.phase().as_str(), code(failure));
            groups.entry(cause).or_default().push(failure);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups
    }
}

impl fmt::Display for AllTargetsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("Failed to list the only account of this invocation")?,
            count => write!(f, "Failed to list any of {count} accounts")?,
        }
        let partial = self.0.iter().filter(|one| !one.partial().is_empty());
        match partial.count() {
            0 => {}
            count => write!(f, " ({count} failed after the first page)")?,
        }
        f.write_str(":")?;
        let groups = self.groups();
        for group in groups.iter().take(MAX_CAUSES) {
            let Some(first) = group.first() else { continue };
            let accounts: Vec<&str> = group
                .iter()
                .take(MAX_ACCOUNTS)
                .map(|failure| failure.account().as_str())
                .collect();
            let more = match group.len().saturating_sub(MAX_ACCOUNTS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            write!(
                f,
                "\n- {}: {} ({}{more}): {first}",
                first.phase(),
                code(first),
                accounts.join(", ")
            )?;
            if let Some(hint) = first.hint() {
                write!(f, "\nhint: {hint}")?;
            }
        }
        match groups.len().saturating_sub(MAX_CAUSES) {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more causes; the log lists them"),
        }
    }
}

/// AWS's error code or, if there is none, the failure kind.
fn code(failure: &Failure) -> &str {
    failure.code().unwrap_or(failure.kind().as_str())
}

#[cfg(test)]
mod tests {
    use fake_aws::{Account, FakeAws, Fault};

    use super::*;
    use crate::function::tests::clients;

    async fn all_failed(accounts: impl IntoIterator<Item = Account>) -> String {
        let mut failures = Vec::new();
        for (number, account) in accounts.into_iter().enumerate() {
            let id = format!("{number:012}");
            let aws = FakeAws::builder().account(&id, account).start().unwrap();
            let target = Target::by_role(id.parse().unwrap(), "Reader".parse().unwrap());
            let listed =
                cross_account::list_buckets(&clients(&aws.endpoint()), &target, None).await;
            failures.push(listed.unwrap_err());
        }
        AllTargetsFailed(failures).to_string()
    }

    #[tokio::test]
    async fn the_most_frequent_cause_comes_first() {
        let account = |fault: Fault| Account::new().always_on_assume(fault);
        let message = all_failed([
            account(Fault::WrongAccount("999999999999")),
            account(Fault::Denied),
            account(Fault::Denied),
        ])
        .await;
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 5, "{message}");
        assert_eq!(lines[0], "Failed to list any of 3 accounts:");
        let denied =
            "- assume: AccessDenied (000000000001, 000000000002): Failed to assume the role ";
        assert!(lines[1].starts_with(denied), "{message}");
        assert!(lines[2].starts_with("hint: "), "{message}");
        let wrong = "- assume: WrongAccount (000000000000): Failed to assume the role ";
        assert!(lines[3].starts_with(wrong), "{message}");
    }

    #[tokio::test]
    async fn failures_after_the_first_page_are_counted() {
        let half = Account::new()
            .buckets(30)
            .page_cap(20)
            .on_list([Fault::None])
            .always_on_list(Fault::Denied);
        let message = all_failed([half]).await;
        assert!(
            message.starts_with("Failed to list the only account of this invocation (1 failed after the first page):\n- list: AccessDenied (000000000000): "),
            "{message}"
        );
    }
}
