//! What a check comes to, as data: the table and the JSON are made from it.

use serde::Serialize;

use iam_policy::Statement;

/// All that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The stage.
    pub(crate) stage: String,
    /// In the order in which the one rests on the other: what fails first is to be mended first.
    pub(crate) checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Which.
    pub(crate) id: Id,
    /// Of `target`: the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// Of `target`: what the variables file calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// What it comes to.
    pub(crate) status: Status,
    /// What was found, in a line.
    pub(crate) found: String,
    /// Why, the likeliest first; nothing where all is well.
    pub(crate) causes: Vec<Cause>,
    /// What to do; nothing where all is well, or nobody can tell.
    pub(crate) fix: Option<String>,
}

/// What is said of a target that was listed where nothing else says that its role lets the function in: it keeps a session
/// for up to an hour.
pub(super) const EARLIER_SESSION: &str = "perhaps with an earlier session";

/// The checks. Their names in JSON are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Id {
    /// Rust, as the workspace wants it.
    Cargo,
    /// Node.js, which runs the Framework.
    Node,
    /// Python, which the other tools are installed with.
    Python,
    /// The pinned tools.
    Tools,
    /// The stage's variables file.
    Variables,
    /// serverless.yml and the roles in dist/STAGE.
    Rendered,
    /// Whose credentials these are.
    Caller,
    /// The role that the function runs as.
    ExecutionRole,
    /// Whether Lambda may assume it.
    LambdaTrust,
    /// Whether it may assume the targets' roles.
    AssumePermission,
    /// Whether it may write the function's logs.
    LogPermission,
    /// Whether it may write traces, where the stage samples calls.
    TracePermission,
    /// Whether it may find the accounts of the organization, where one is listed.
    OrganizationPermission,
    /// Whether it may list the Admin account's own buckets, where they are listed.
    OwnListPermission,
    /// The deployed function.
    Function,
    /// A target: whether its role can be assumed, and can list.
    Target,
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// It is as it should be.
    Ok,
    /// It is not.
    Failed,
    /// It could not be told from here.
    Unknown,
}

/// Something that may be the matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cause {
    /// Which.
    pub(crate) id: CauseId,
    /// How sure that is.
    pub(crate) certainty: Certainty,
    /// What it is, in a sentence.
    #[serde(rename = "cause")]
    pub(crate) text: String,
    /// Where the statement belongs: `in account 222222222222, on role MyS3ReadRole, in its trust policy`.
    #[serde(rename = "where")]
    pub(crate) place: Option<String>,
    /// The statement to have there.
    pub(crate) statement: Option<Statement>,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Certainty {
    /// What is deployed says so, or AWS does.
    Seen,
    /// It fits what was seen better than the others do.
    Likely,
    /// It fits as well as others.
    Possible,
}

/// What may be the matter. Their names in JSON are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CauseId {
    /// A program is missing or too old.
    MissingProgram,
    /// The variables file has faults.
    InvalidVariables,
    /// A template has a fault, or gives what the stage does not ask for.
    InvalidTemplate,
    /// A rendered file is not there.
    MissingFile,
    /// A rendered file is older than what it is made from.
    StaleFile,
    /// There are no credentials, or AWS does not take them.
    NoCredentials,
    /// They belong to another account than the stage's Admin account.
    WrongAccount,
    /// They belong to another partition than the stage's region.
    WrongPartition,
    /// There is no such role.
    RoleMissing,
    /// There is one of that name with another path.
    RolePath,
    /// The trust policy has no statement that lets anybody assume the role.
    TrustMissing,
    /// The trust policy names somebody else.
    TrustNamesAnother,
    /// The trust policy names a role that was deleted; the one of the same name is another to IAM.
    StalePrincipal,
    /// The trust policy asks for another external ID, or for one where none is sent.
    ExternalId,
    /// A condition of the policy does not hold.
    ConditionNotMet,
    /// No policy of the role allows it.
    PermissionMissing,
    /// A policy denies it.
    ExplicitDeny,
    /// The role's permissions boundary does not allow it.
    PermissionsBoundary,
    /// A policy of the organization (SCP, RCP) denies it.
    ControlPolicy,
    /// A policy was changed a moment ago, and is not everywhere yet.
    NotYetConsistent,
    /// The function still uses a session that its role's policies no longer allow.
    CachedSession,
    /// STS is not active in that region for the account.
    RegionDisabled,
    /// The function is not deployed.
    NotDeployed,
    /// The function is not in a state to be called.
    FunctionState,
    /// It runs as another role.
    OtherRole,
    /// It is set up otherwise than the stage says.
    OtherConfiguration,
    /// The function fails, for a reason of its own.
    FunctionError,
}

impl Report {
    /// Whether anything is not as it should be.
    pub(crate) fn has_failed(&self) -> bool {
        self.count(Status::Failed) > 0
    }

    /// How many checks came to `status`.
    pub(crate) fn count(&self, status: Status) -> usize {
        let of = |check: &&Check| check.status == status;
        self.checks.iter().filter(of).count()
    }
}

impl Check {
    /// All is well.
    pub(super) fn ok(id: Id, found: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, found)
    }

    /// It is not as it should be.
    pub(super) fn failed(id: Id, found: impl Into<String>, causes: Vec<Cause>) -> Self {
        Self {
            causes,
            ..Self::new(id, Status::Failed, found)
        }
    }

    /// It cannot be told.
    pub(super) fn unknown(id: Id, found: impl Into<String>) -> Self {
        Self::new(id, Status::Unknown, found)
    }

    fn new(id: Id, status: Status, found: impl Into<String>) -> Self {
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

    /// The same, with what to do.
    #[must_use]
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The same, with what may be the matter.
    #[must_use]
    pub(super) fn because(mut self, causes: Vec<Cause>) -> Self {
        self.causes = causes;
        self
    }
}

impl Cause {
    /// What is deployed says so, or AWS does.
    pub(super) fn seen(id: CauseId, text: impl Into<String>) -> Self {
        Self {
            id,
            certainty: Certainty::Seen,
            text: text.into(),
            place: None,
            statement: None,
        }
    }

    /// One of several that fit.
    pub(super) fn possible(id: CauseId, text: impl Into<String>) -> Self {
        Self {
            certainty: Certainty::Possible,
            ..Self::seen(id, text)
        }
    }

    /// The same, as the likeliest.
    #[must_use]
    pub(super) fn likely(mut self) -> Self {
        self.certainty = Certainty::Likely;
        self
    }

    /// The same, with the statement that belongs to `place`.
    #[must_use]
    pub(super) fn mended_by(mut self, place: impl Into<String>, statement: Statement) -> Self {
        self.place = Some(place.into());
        self.statement = Some(statement);
        self
    }
}

impl Status {
    /// As in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Certainty {
    /// As in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}
