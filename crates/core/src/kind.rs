//! The phases of listing an account and the kinds of failure.

use std::fmt;

/// The phase in which a failure occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// STS `AssumeRole` for the target's role, with the process's own credentials.
    Assume,
    /// S3 `ListBuckets`, with the session.
    List,
    /// Organizations requests for the accounts, with the process's own credentials.
    Organization,
}

impl Phase {
    /// `assume`, `list` or `organization`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assume => "assume",
            Self::List => "list",
            Self::Organization => "organization",
        }
    }

    /// The AWS service of the phase.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Assume => "STS",
            Self::List => "S3",
            Self::Organization => "Organizations",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Defines [`FailureKind`] from one table: name, whether a retry may succeed, and meaning.
macro_rules! failure_kinds {
    ($($kind:ident, $retryable:ident, $meaning:literal $(, $more:literal)?;)+) => {
        /// The kind of a failure, a stable name for programs.
        ///
        /// A kind says what to do. AWS has hundreds of error codes of its own: see [`Failure::code`](crate::Failure::code).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureKind {
            $(#[doc = concat!($meaning, ".")] $(#[doc = ""] #[doc = $more])? $kind,)+
        }

        impl FailureKind {
            /// Every kind, for documentation.
            pub const ALL: [Self; [$(Self::$kind),+].len()] = [$(Self::$kind),+];

            /// The name, which a Lambda function returns as `errorType`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)+
                }
            }

            /// The meaning: one sentence without a final period, for documentation.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => $meaning,)+
                }
            }

            /// Returns whether the same request may succeed later without any change.
            pub fn is_retryable(self) -> bool {
                match self {
                    $(Self::$kind => failure_kinds!(@ $retryable),)+
                }
            }
        }
    };
    (@ retryable) => { true };
    (@ permanent) => { false };
}

failure_kinds! {
    AssumeRoleDenied, permanent, "STS denied `AssumeRole`, or the role does not exist: STS does not distinguish the two";
    ListBucketsDenied, permanent, "S3 denied `ListBuckets` to the role";
    Throttled, retryable, "Too many requests, after all attempts",
        "STS throttles the caller and not the account; a fan-out then [skips](crate::SkipReason::Throttled) the account.";
    Timeout, retryable, "No response in time; the message says in which phase",
        "The limit is a timeout of [`Limits`](crate::Limits), the account's share of the invocation, or the deadline.";
    WrongAccount, permanent, "The session that STS issued, or the function's own credentials if they list, belong to another account",
        "Nothing was listed.";
    ExpiredCredentials, retryable, "The credentials have expired: those of the session that lists, or else the function's own";
    CredentialsRejected, permanent, "The service does not know the credentials or rejected the signature";
    CredentialsUnavailable, retryable, "The function could not get its own credentials",
        "No request was sent.";
    RegionDisabled, permanent, "STS is not active in the region for the target's account";
    RequestRejected, permanent, "The service rejected the request for another reason; see its error code";
    ServiceUnavailable, retryable, "The service returned a server error (5xx), after all attempts";
    ConnectionFailed, retryable, "The connection failed or broke";
    CertificateRejected, permanent, "The endpoint's certificate is not trusted, not valid now, or for another host";
    InvalidResponse, retryable, "The response was truncated or malformed";
    InvalidConfiguration, permanent, "The request could not be built because the endpoint is invalid";
    ResponseTooLarge, permanent, "The account does not fit in the response, even alone";
    OrganizationDenied, permanent, "Organizations denied the request, or the Admin account is in no organization";
    UnitNotFound, permanent, "The organization has no organizational unit with a configured ID";
    DuplicateAccount, permanent, "One configured organizational unit contains another, so an account is selected twice";
    NoAccounts, permanent, "No selected account of the organization is active and not excluded";
    NotListed, permanent, "A requested account left the organization after the first invocation";
    Panic, permanent, "The function panicked, which is a bug; please report it",
        "Other accounts are not affected.";
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
