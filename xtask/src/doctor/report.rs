//! The report as data, for the table and the JSON.

use serde::Serialize;

use iam_policy::Statement;

/// The checks of a stage.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The stage.
    pub(crate) stage: String,
    /// The checks in order of dependency: fix the first failure first.
    pub(crate) checks: Vec<Check>,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// The kind of check.
    pub(crate) id: CheckId,
    /// For `target`: the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// For `target`: its name in the variables file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The result.
    pub(crate) status: Status,
    /// The finding, in one line.
    pub(crate) found: String,
    /// The causes, most likely first. Empty if the check is ok.
    pub(crate) causes: Vec<Cause>,
    /// The fix, if one is needed and known.
    pub(crate) fix: Option<String>,
}

/// Qualifies a successful listing if nothing else confirms that the role can be assumed: the function caches sessions for up
/// to an hour.
pub(super) const EARLIER_SESSION: &str = "perhaps with an earlier session";

/// The kinds of checks. Their names in JSON are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CheckId {
    /// The Rust toolchain of the workspace.
    Cargo,
    /// Node.js, which runs the Serverless Framework.
    Node,
    /// Python, which installs the other tools.
    Python,
    /// The pinned tools.
    Tools,
    /// The stage's variables file.
    Variables,
    /// serverless.yml and the roles in dist/STAGE.
    Rendered,
    /// The caller and its account.
    Caller,
    /// The role that the function runs as.
    ExecutionRole,
    /// Whether Lambda can assume the execution role.
    LambdaTrust,
    /// Whether the execution role may assume the target roles.
    AssumePermission,
    /// Whether it may write logs.
    LogPermission,
    /// Whether it may write traces, if the stage has tracing.
    TracePermission,
    /// Whether it may list the accounts of the organization, if the stage has one.
    OrganizationPermission,
    /// Whether it may list the buckets of the Admin account, if that is a target.
    OwnListPermission,
    /// The deployed function.
    Function,
    /// Whether the role of a target can be assumed and can list buckets.
    Target,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Everything is as expected.
    Ok,
    /// Something is wrong.
    Failed,
    /// The result could not be determined.
    Unknown,
}

/// A possible cause of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cause {
    /// The kind of cause.
    pub(crate) id: CauseId,
    /// The certainty.
    pub(crate) certainty: Certainty,
    /// A description.
    #[serde(rename = "cause")]
    pub(crate) text: String,
    /// Where to add the statement: `in account 222222222222, on role MyS3ReadRole, in its trust policy`.
    #[serde(rename = "where")]
    pub(crate) location: Option<String>,
    /// The statement to add.
    pub(crate) statement: Option<Statement>,
}

/// The certainty of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Certainty {
    /// A deployed policy or AWS shows it.
    Seen,
    /// It explains the failure better than the others.
    Likely,
    /// It explains the failure as well as others.
    Possible,
}

/// The kinds of causes. Their names in JSON are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CauseId {
    /// A program is missing or too old.
    MissingProgram,
    /// The variables file is not valid.
    InvalidVariables,
    /// A template is not valid, or its output does not match the stage.
    InvalidTemplate,
    /// A rendered file is missing.
    MissingFile,
    /// A rendered file is out of date.
    StaleFile,
    /// Credentials are missing, or AWS rejects them.
    NoCredentials,
    /// The credentials are not for the Admin account.
    WrongAccount,
    /// The credentials are for another partition than the region of the stage.
    WrongPartition,
    /// The role does not exist.
    RoleMissing,
    /// The role has another path.
    RolePath,
    /// The trust policy has no statement that allows anyone to assume the role.
    TrustMissing,
    /// The trust policy trusts other principals.
    TrustNamesAnother,
    /// The trust policy refers to a deleted role. A re-created role is a different principal.
    StalePrincipal,
    /// The trust policy requires another external ID.
    ExternalId,
    /// A condition of the policy is not met.
    ConditionNotMet,
    /// No policy of the role allows the request.
    PermissionMissing,
    /// A policy denies the request.
    ExplicitDeny,
    /// The permissions boundary of the role does not allow the request.
    PermissionsBoundary,
    /// A service or resource control policy (SCP, RCP) denies the request.
    ControlPolicy,
    /// A recent change of a policy has not reached all of IAM.
    NotYetConsistent,
    /// The function uses a session from before a change of the role.
    CachedSession,
    /// STS is not active in the region for the account.
    RegionDisabled,
    /// The function is not deployed.
    NotDeployed,
    /// The function is in a failed state.
    FunctionState,
    /// The function runs as another role.
    OtherRole,
    /// The configuration of the function does not match the stage.
    OtherConfiguration,
    /// The function itself fails.
    FunctionError,
}

impl Report {
    /// Returns true if a check failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.count(Status::Failed) > 0
    }

    /// The number of checks with this status.
    pub(crate) fn count(&self, status: Status) -> usize {
        let of = |check: &&Check| check.status == status;
        self.checks.iter().filter(of).count()
    }
}

impl Check {
    /// Creates an ok check.
    pub(super) fn ok(id: CheckId, found: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, found)
    }

    /// Creates a failed check.
    pub(super) fn failed(id: CheckId, found: impl Into<String>, causes: Vec<Cause>) -> Self {
        Self {
            causes,
            ..Self::new(id, Status::Failed, found)
        }
    }

    /// Creates an unknown check.
    pub(super) fn unknown(id: CheckId, found: impl Into<String>) -> Self {
        Self::new(id, Status::Unknown, found)
    }

    fn new(id: CheckId, status: Status, found: impl Into<String>) -> Self {
        Self {
            id,
            account: None,
            name: None,
            status,
            found: found.into(),
            causes: Vec::new(),
            fix: None,
        }
    }

    /// Sets the fix.
    #[must_use]
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Sets the causes.
    #[must_use]
    pub(super) fn because(mut self, causes: Vec<Cause>) -> Self {
        self.causes = causes;
        self
    }
}

impl Cause {
    /// Creates a cause that a deployed policy or AWS shows.
    pub(super) fn seen(id: CauseId, text: impl Into<String>) -> Self {
        Self {
            id,
            certainty: Certainty::Seen,
            text: text.into(),
            location: None,
            statement: None,
        }
    }

    /// Creates a possible cause.
    pub(super) fn possible(id: CauseId, text: impl Into<String>) -> Self {
        Self {
            certainty: Certainty::Possible,
            ..Self::seen(id, text)
        }
    }

    /// Marks it as the most likely cause.
    #[must_use]
    pub(super) fn likely(mut self) -> Self {
        self.certainty = Certainty::Likely;
        self
    }

    /// Sets the statement that fixes it, and where to add it.
    #[must_use]
    pub(super) fn fixed_by(mut self, location: impl Into<String>, statement: Statement) -> Self {
        self.location = Some(location.into());
        self.statement = Some(statement);
        self
    }
}

impl Status {
    /// The name in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Certainty {
    /// The name in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}
