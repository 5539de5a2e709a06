//! What went wrong between here and AWS, in words a person can act on.
//!
//! The SDK's own message for nearly everything is "service error"; what AWS said lies in the error's code, message and
//! request id, and a missing credential lies several causes deep.

use std::{error::Error, fmt};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ErrorMetadata, ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use contract::printable;

/// A request to AWS that failed.
#[derive(Debug)]
pub(crate) struct AwsFailure {
    code: String,
    message: String,
    hint: Option<&'static str>,
}

impl AwsFailure {
    /// AWS's code; or, where AWS was not asked or did not answer, one of our own: `NoCredentials`,
    /// `CredentialsNotLoaded`, `Unreachable`, `Failed`.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Whether AWS says that there is no such thing.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(
            self.code.as_str(),
            // IAM; Lambda; CloudFormation.
            "NoSuchEntity" | "ResourceNotFoundException" | "ChangeSetNotFound"
        )
    }

    /// How to mend it, where that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        self.hint
    }
}

impl fmt::Display for AwsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for AwsFailure {}

/// Turns the SDK's error of a request, meant to `intent` ("create the change set"), into one for a person.
pub(crate) fn of<E>(intent: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsFailure
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
{
    move |error| {
        if let Some(credentials) = find::<CredentialsError>(&error) {
            return of_credentials(credentials);
        }
        match &error {
            SdkError::ServiceError(context) => {
                let refusal = context.err();
                let code = refusal.code().unwrap_or("an error without a code");
                AwsFailure {
                    code: code.to_owned(),
                    message: format!(
                        "failed to {intent}: {}",
                        said(code, refusal.message(), refusal.request_id())
                    ),
                    hint: hint_for_code(code),
                }
            }
            SdkError::TimeoutError(_) => unreachable_service(intent, &error),
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                unreachable_service(intent, &error)
            }
            _ => AwsFailure {
                code: "Failed".to_owned(),
                message: format!("failed to {intent}: {}", causes(&error)),
                hint: None,
            },
        }
    }
}

/// No credentials, or ones that could not be fetched.
pub(crate) fn of_credentials(error: &CredentialsError) -> AwsFailure {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => no_credentials(error),
        error => AwsFailure {
            code: "CredentialsNotLoaded".to_owned(),
            message: format!("the AWS credentials could not be loaded: {}", causes(error)),
            hint: find::<ErrorMetadata>(error)
                .and_then(ErrorMetadata::code)
                .and_then(hint_for_code)
                .or(Some(
                "an expired sign-in is renewed with `aws sso login` or `aws login`; the profile is the one that \
                 `--profile` or `AWS_PROFILE` names, otherwise `default`",
            )),
        },
    }
}

/// The SDK tells, in several lines, where it looked and why each place had none.
fn no_credentials(error: &CredentialsError) -> AwsFailure {
    let looked = error.source().map(causes);
    AwsFailure {
        code: "NoCredentials".to_owned(),
        message: format!(
            "no AWS credentials found{}",
            prefixed(": ", looked.as_deref())
        ),
        hint: Some(
            "sign in (`aws sso login`, `aws login`), name a profile (`AWS_PROFILE=…`), or set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN); what works for the AWS CLI works here",
        ),
    }
}

fn unreachable_service(intent: &str, error: &(dyn Error + 'static)) -> AwsFailure {
    AwsFailure {
        code: "Unreachable".to_owned(),
        message: format!(
            "failed to {intent}: AWS could not be reached: {}",
            causes(error)
        ),
        hint: Some(
            "check the network, the region, and AWS_ENDPOINT_URL if it is set; behind a proxy that inspects TLS, name \
             its certificate in AWS_CA_BUNDLE",
        ),
    }
}

/// What to do about a code that any service may answer with (AWS's "Common error types").
fn hint_for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired: sign in again (`aws sso login`, `aws login`)"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" => {
            "AWS does not know these credentials, or not in this region's partition: check AWS_PROFILE, and whether \
             AWS_ACCESS_KEY_ID and its companions are left over from another account"
        }
        "AccessDenied" | "AccessDeniedException" => {
            "the credentials are valid but lack this permission, or a service control policy denies it"
        }
        "InsufficientCapabilitiesException" => {
            "the template needs a capability other than CAPABILITY_NAMED_IAM"
        }
        "ChangeSetNotFound" | "InvalidChangeSetStatus" => {
            "the change set is gone, executed already, or overtaken by another change of its stack: make a new one"
        }
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => "AWS asks for fewer requests: wait a minute and try again",
        _ => return None,
    })
}

fn said(code: &str, message: Option<&str>, request_id: Option<&str>) -> String {
    // On one line: what AWS says cannot pass for a line of ours.
    let text = format!(
        "{code}{}{}",
        prefixed(": ", message),
        prefixed("; request id ", request_id)
    );
    printable(&text).into_owned()
}

fn prefixed(prefix: &str, text: Option<&str>) -> String {
    text.map(|text| format!("{prefix}{text}"))
        .unwrap_or_default()
}

/// The first cause of type `T`, at whatever depth.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// Every cause on one line, without those that only repeat the next; or what AWS said, where it said something.
fn causes(error: &(dyn Error + 'static)) -> String {
    if let Some(answer) = find::<ErrorMetadata>(error)
        && let Some(code) = answer.code()
    {
        return said(code, answer.message(), answer.request_id());
    }
    let mut texts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::{
        config::http::HttpResponse, operation::get_caller_identity::GetCallerIdentityError,
    };

    use super::*;

    #[test]
    fn what_aws_said_is_told() {
        let refusal = GetCallerIdentityError::generic(
            ErrorMetadata::builder()
                .code("ExpiredToken")
                .message("The security token is expired")
                .custom("aws_request_id", "1234-abcd")
                .build(),
        );
        let response = HttpResponse::new(
            403.try_into().unwrap(),
            aws_smithy_types::body::SdkBody::empty(),
        );
        let failure = of("ask STS")(SdkError::service_error(refusal, response));
        assert_eq!(
            failure.to_string(),
            "failed to ask STS: ExpiredToken: The security token is expired; request id 1234-abcd"
        );
        assert!(failure.hint().unwrap().contains("sign in again"));
    }

    #[test]
    fn missing_credentials_are_found_at_any_depth() {
        let error = SdkError::<GetCallerIdentityError, HttpResponse>::construction_failure(
            CredentialsError::not_loaded("nothing in the chain"),
        );
        let failure = of("ask STS")(error);
        assert_eq!(
            failure.to_string(),
            "no AWS credentials found: nothing in the chain"
        );
    }

    #[test]
    fn a_role_that_a_profile_cannot_assume_is_told_in_the_words_of_sts() {
        let refusal = GetCallerIdentityError::generic(
            ErrorMetadata::builder()
                .code("AccessDenied")
                .message("not authorized to perform: sts:AssumeRole")
                .custom("aws_request_id", "1234-abcd")
                .build(),
        );
        let failure = of_credentials(&CredentialsError::provider_error(refusal));
        assert_eq!(failure.code(), "CredentialsNotLoaded");
        assert_eq!(
            failure.to_string(),
            "the AWS credentials could not be loaded: AccessDenied: not authorized to perform: sts:AssumeRole; \
             request id 1234-abcd"
        );
        assert!(failure.hint().unwrap().contains("lack this permission"));
    }
}
