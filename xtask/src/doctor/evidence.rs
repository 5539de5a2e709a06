//! The results of invoking the function, per target and for the function itself.

use std::collections::BTreeMap;

use contract::{AccountId, ActionSpec, Target};
use operator_api::Invocation;

use crate::inspect::response::{AccountOutcome, AccountResult, FunctionError, Response};

/// The results of one or more invocations.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// The outcome of each reported target.
    pub(super) targets: BTreeMap<AccountId, Outcome>,
    /// The error of the function itself, or of invoking it.
    pub(super) error: Option<InvocationError>,
}

/// The outcome of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was listed and has this number of buckets.
    Listed(usize),
    /// It failed.
    Failed(Failure),
}

/// Why a target was not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The kind of failure.
    pub(super) kind: FailureKind,
    /// The `errorType` of the function.
    pub(super) error_type: String,
    /// The first line of its message.
    pub(super) message: String,
}

/// The kinds of failure that have different causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// STS denied assuming the role.
    AssumeDenied,
    /// S3 denied listing buckets.
    ListDenied,
    /// STS is not active in the region for the account.
    RegionDisabled,
    /// A retry may succeed.
    Transient,
    /// Anything else.
    Other,
}

/// Why the function reported no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InvocationError {
    /// The function failed.
    FunctionFailed {
        /// The `errorType`.
        error_type: String,
        /// The first line of its message.
        message: String,
    },
    /// Lambda did not invoke it.
    NotInvoked(String),
}

impl Failure {
    fn new(error_type: &str, phase: Option<&str>, code: Option<&str>, message: &str) -> Self {
        let denied = |code: &str| code.starts_with("AccessDenied");
        let kind = match (error_type, phase, code) {
            ("AssumeRoleDenied", ..) => FailureKind::AssumeDenied,
            (LISTING_DENIED, ..) => FailureKind::ListDenied,
            ("RegionDisabled", ..) => FailureKind::RegionDisabled,
            ("Throttled" | "Timeout" | "ServiceUnavailable" | "ConnectionFailed", ..) => {
                FailureKind::Transient
            }
            (_, Some("assume"), Some(code)) if denied(code) => FailureKind::AssumeDenied,
            (_, Some("list"), Some(code)) if denied(code) => FailureKind::ListDenied,
            _ => FailureKind::Other,
        };
        Self {
            kind,
            error_type: error_type.to_owned(),
            message: first_line(message),
        }
    }
}

/// The error if the Target account denies the listing.
const LISTING_DENIED: &str = ActionSpec::S3_BUCKETS.denied_error_type;

/// The errors of the target, for a function with one target. Other errors are of the function itself.
const TARGET_ERRORS: [&str; 12] = [
    "AssumeRoleDenied",
    LISTING_DENIED,
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
    /// Lambda did not invoke the function.
    pub(super) fn not_invoked(why: &str) -> Self {
        Self {
            error: Some(InvocationError::NotInvoked(first_line(why))),
            ..Self::default()
        }
    }

    /// Adds the results of an invocation. `one` is the target of a function with a single target. Returns the resume token,
    /// if there is one.
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
                self.error = Some(InvocationError::FunctionFailed {
                    error_type: "an unexpected response".to_owned(),
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
            Some(target) if TARGET_ERRORS.contains(&error_type.as_str()) => {
                let failure = Failure::new(&error_type, None, None, &error_message);
                let account = target.account.clone();
                self.targets.insert(account, Outcome::Failed(failure));
            }
            None if error_type == "AllTargetsFailed" => self.note_groups(&error_message),
            _ => {
                self.error = Some(InvocationError::FunctionFailed {
                    error_type,
                    message: first_line(&error_message),
                });
            }
        }
    }

    /// Parses the message of `AllTargetsFailed`, which has one line per cause: `- assume: AccessDenied (222222222222,
    /// 333333333333 and 5 more): …`. Accounts that it does not list stay unknown.
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
            // The next invocation reports it.
            AccountOutcome::Skipped => return,
        };
        self.targets.insert(account.id, outcome);
    }
}

/// Drops the hints of a message: the causes are more specific.
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

    fn kind(evidence: &Evidence, account: &str) -> Option<FailureKind> {
        match &evidence.targets.get(&account.parse().unwrap())? {
            Outcome::Failed(failure) => Some(failure.kind),
            Outcome::Listed(_) => None,
        }
    }

    #[test]
    fn one_target_is_listed_or_denied() {
        let answer = json!({"statusCode": 200, "body": "[\"a\",\"b\"]"});
        let (evidence, _) = noted(None, answer, Some(&target()));
        assert_eq!(
            evidence.targets.values().collect::<Vec<_>>(),
            [&Outcome::Listed(2)]
        );
        let refusal = json!({"errorType": "AssumeRoleDenied", "errorMessage": "Failed: AccessDenied\nhint: x"});
        let (evidence, _) = noted(Some("Unhandled"), refusal, Some(&target()));
        assert_eq!(
            kind(&evidence, "222222222222"),
            Some(FailureKind::AssumeDenied)
        );
        assert_eq!(evidence.error, None);
    }

    #[test]
    fn an_error_of_the_function_is_not_of_a_target() {
        for payload in [
            json!({"errorType": "InvalidConfiguration", "errorMessage": "x"}),
            json!("oops"),
        ] {
            let (evidence, _) = noted(Some("Unhandled"), payload, Some(&target()));
            assert!(evidence.targets.is_empty());
            assert!(matches!(
                evidence.error,
                Some(InvocationError::FunctionFailed { .. })
            ));
        }
        let (evidence, _) = noted(None, json!({"something": "else"}), Some(&target()));
        assert!(matches!(
            evidence.error,
            Some(InvocationError::FunctionFailed { .. })
        ));
    }

    #[test]
    fn each_of_many_targets_is_reported() {
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
        assert_eq!(
            kind(&evidence, "333333333333"),
            Some(FailureKind::ListDenied)
        );
    }

    #[test]
    fn the_causes_of_all_targets_failed_are_parsed() {
        let message = "Failed to list any of 3 accounts:\n\
            - assume: AccessDenied (222222222222, 333333333333 and 7 more): Failed to assume: x\nhint: y\n\
            - list: AccessDenied (444444444444): Failed to list";
        let payload = json!({"errorType": "AllTargetsFailed", "errorMessage": message});
        let (evidence, _) = noted(Some("Unhandled"), payload, None);
        assert_eq!(
            kind(&evidence, "222222222222"),
            Some(FailureKind::AssumeDenied)
        );
        assert_eq!(
            kind(&evidence, "333333333333"),
            Some(FailureKind::AssumeDenied)
        );
        assert_eq!(
            kind(&evidence, "444444444444"),
            Some(FailureKind::ListDenied)
        );
        assert_eq!(evidence.targets.len(), 3);
    }
}
