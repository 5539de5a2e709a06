//! What an invocation of the function shows: of each target, and of the function itself.

use std::collections::BTreeMap;

use contract::{AccountId, Target};
use operator_api::Invocation;

use crate::inspect::response::{AccountOutcome, AccountResult, FunctionError, Response};

/// What invocations showed.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// Of each target that they tell of.
    pub(super) targets: BTreeMap<AccountId, Outcome>,
    /// What is wrong with the function itself, or with calling it.
    pub(super) fault: Option<Fault>,
}

/// What became of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was listed: so many buckets.
    Listed(usize),
    /// It was not.
    Failed(Failure),
}

/// Why a target was not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind, where it is told apart here.
    pub(super) kind: Kind,
    /// The function's `errorType`.
    pub(super) error_type: String,
    /// What it said, in a line.
    pub(super) message: String,
}

/// The failures that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// STS did not let the role be assumed.
    AssumeDenied,
    /// S3 did not let the session list.
    ListDenied,
    /// STS is not active in the region for the account.
    RegionDisabled,
    /// It may work at the next try.
    Passing,
    /// Anything else.
    Other,
}

/// Why the function told of no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It failed for a reason of its own.
    Function {
        /// The `errorType`.
        error_type: String,
        /// What it said, in a line.
        message: String,
    },
    /// Lambda did not call it.
    NotCalled(String),
}

impl Failure {
    fn new(error_type: &str, phase: Option<&str>, code: Option<&str>, message: &str) -> Self {
        let denied = |code: &str| code.starts_with("AccessDenied");
        let kind = match (error_type, phase, code) {
            ("AssumeRoleDenied", ..) => Kind::AssumeDenied,
            ("ListBucketsDenied", ..) => Kind::ListDenied,
            ("RegionDisabled", ..) => Kind::RegionDisabled,
            ("Throttled" | "Timeout" | "ServiceUnavailable" | "ConnectionFailed", ..) => {
                Kind::Passing
            }
            (_, Some("assume"), Some(code)) if denied(code) => Kind::AssumeDenied,
            (_, Some("list"), Some(code)) if denied(code) => Kind::ListDenied,
            _ => Kind::Other,
        };
        Self {
            kind,
            error_type: error_type.to_owned(),
            message: first_line(message),
        }
    }
}

/// The errors that are of the one target of the seed's form; every other is the function's own.
const OF_THE_TARGET: [&str; 12] = [
    "AssumeRoleDenied",
    "ListBucketsDenied",
    "Throttled",
    "Timeout",
    "WrongAccount",
    "RegionDisabled",
    "RequestRejected",
    "ServiceUnavailable",
    "ConnectionFailed",
    "CertificateRejected",
    "InvalidResponse",
    "ResponseTooLarge",
];

impl Evidence {
    /// Lambda did not call the function.
    pub(super) fn not_called(why: &str) -> Self {
        Self {
            fault: Some(Fault::NotCalled(first_line(why))),
            ..Self::default()
        }
    }

    /// Takes note of an invocation of a function whose one target is `one`, or which has many. Gives the token that goes
    /// on, where there is one.
    pub(super) fn note(&mut self, invocation: &Invocation, one: Option<&Target>) -> Option<String> {
        match (Response::read(invocation), one) {
            (Ok(Response::Failed(error)), _) => self.note_error(error, one),
            (Ok(Response::Single(buckets)), Some(target)) => {
                let outcome = Outcome::Listed(buckets);
                self.targets.insert(target.account.clone(), outcome);
            }
            (Ok(Response::Many(many)), None) => {
                for account in many.accounts {
                    self.note_account(account);
                }
                return many.resume;
            }
            (Err(_) | Ok(Response::Single(_) | Response::Many(_)), _) => {
                self.fault = Some(Fault::Function {
                    error_type: "another answer".to_owned(),
                    message: first_line(&invocation.payload.to_string()),
                });
            }
        }
        None
    }

    fn note_error(&mut self, error: FunctionError, one: Option<&Target>) {
        let FunctionError {
            error_type,
            error_message,
        } = error;
        match one {
            Some(target) if OF_THE_TARGET.contains(&error_type.as_str()) => {
                let failure = Failure::new(&error_type, None, None, &error_message);
                let account = target.account.clone();
                self.targets.insert(account, Outcome::Failed(failure));
            }
            None if error_type == "AllTargetsFailed" => self.note_groups(&error_message),
            _ => {
                self.fault = Some(Fault::Function {
                    error_type,
                    message: first_line(&error_message),
                });
            }
        }
    }

    /// The message of `AllTargetsFailed` has a line a cause: `- assume: AccessDenied (222222222222, 333333333333 and 5
    /// more): …`. Accounts that it does not name are not told of.
    fn note_groups(&mut self, message: &str) {
        for line in message.lines().filter_map(|line| line.strip_prefix("- ")) {
            let Some((phase, rest)) = line.split_once(": ") else {
                continue;
            };
            let Some((code, rest)) = rest.split_once(" (") else {
                continue;
            };
            let Some((accounts, message)) = rest.split_once("): ") else {
                continue;
            };
            let words = accounts.split([',', ' ']);
            for account in words.filter_map(|word| word.parse::<AccountId>().ok()) {
                let failure = Failure::new(code, Some(phase), Some(code), message);
                self.targets.insert(account, Outcome::Failed(failure));
            }
        }
    }

    fn note_account(&mut self, account: AccountResult) {
        let outcome = match account.outcome {
            AccountOutcome::Ok { buckets } => Outcome::Listed(buckets.len()),
            AccountOutcome::Failed(failure) => Outcome::Failed(Failure::new(
                &failure.error_type,
                failure.phase.as_deref(),
                failure.code.as_deref(),
                &failure.message,
            )),
            // The next call tells.
            AccountOutcome::Skipped => return,
        };
        self.targets.insert(account.id, outcome);
    }
}

/// The rest of a message is a hint, which is said better here.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target() -> Target {
        Target::by_role("222222222222".parse().unwrap(), "Reads".parse().unwrap())
    }

    fn noted(
        error: Option<&str>,
        payload: Value,
        one: Option<&Target>,
    ) -> (Evidence, Option<String>) {
        let mut evidence = Evidence::default();
        let invocation = Invocation {
            status_code: 200,
            function_error: error.map(ToOwned::to_owned),
            payload,
        };
        let resume = evidence.note(&invocation, one);
        (evidence, resume)
    }

    fn kind(evidence: &Evidence, account: &str) -> Option<Kind> {
        match &evidence.targets.get(&account.parse().unwrap())? {
            Outcome::Failed(failure) => Some(failure.kind),
            Outcome::Listed(_) => None,
        }
    }

    #[test]
    fn the_one_target_is_listed_or_refused() {
        let answer = json!({"statusCode": 200, "body": "[\"a\",\"b\"]"});
        let (evidence, _) = noted(None, answer, Some(&target()));
        assert_eq!(
            evidence.targets.values().collect::<Vec<_>>(),
            [&Outcome::Listed(2)]
        );
        let refusal = json!({"errorType": "AssumeRoleDenied", "errorMessage": "Failed: AccessDenied\nhint: x"});
        let (evidence, _) = noted(Some("Unhandled"), refusal, Some(&target()));
        assert_eq!(kind(&evidence, "222222222222"), Some(Kind::AssumeDenied));
        assert_eq!(evidence.fault, None);
    }

    #[test]
    fn a_fault_of_the_function_is_no_targets() {
        for payload in [
            json!({"errorType": "InvalidConfiguration", "errorMessage": "x"}),
            json!("oops"),
        ] {
            let (evidence, _) = noted(Some("Unhandled"), payload, Some(&target()));
            assert!(evidence.targets.is_empty());
            assert!(matches!(evidence.fault, Some(Fault::Function { .. })));
        }
        let (evidence, _) = noted(None, json!({"something": "else"}), Some(&target()));
        assert!(matches!(evidence.fault, Some(Fault::Function { .. })));
    }

    #[test]
    fn of_many_each_is_told() {
        let body = json!({
            "complete": false,
            "accounts": [
                {"accountId": "222222222222", "status": "ok", "buckets": ["a"]},
                {"accountId": "333333333333", "status": "failed", "phase": "list", "errorType": "ListBucketsDenied",
                 "code": "AccessDenied", "message": "no", "retryable": false},
                {"accountId": "444444444444", "status": "skipped", "reason": "deadline"}
            ],
            "resume": "token"
        });
        let answer = json!({"statusCode": 207, "body": body.to_string()});
        let (evidence, resume) = noted(None, answer, None);
        assert_eq!(resume.as_deref(), Some("token"));
        assert_eq!(evidence.targets.len(), 2);
        assert_eq!(kind(&evidence, "333333333333"), Some(Kind::ListDenied));
    }

    #[test]
    fn the_groups_of_all_that_failed_are_read() {
        let message = "Failed to list any of 3 accounts:\n\
            - assume: AccessDenied (222222222222, 333333333333 and 7 more): Failed to assume: x\nhint: y\n\
            - list: AccessDenied (444444444444): Failed to list";
        let payload = json!({"errorType": "AllTargetsFailed", "errorMessage": message});
        let (evidence, _) = noted(Some("Unhandled"), payload, None);
        assert_eq!(kind(&evidence, "222222222222"), Some(Kind::AssumeDenied));
        assert_eq!(kind(&evidence, "333333333333"), Some(Kind::AssumeDenied));
        assert_eq!(kind(&evidence, "444444444444"), Some(Kind::ListDenied));
        assert_eq!(evidence.targets.len(), 3);
    }
}
