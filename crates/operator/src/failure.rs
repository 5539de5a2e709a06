//! Turns the SDK's errors into messages with hints.
//!
//! The SDK's own message for nearly everything is "service error". AWS's message is in the error's metadata, and missing
//! credentials are several causes deep.

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
    /// AWS's error code, or `NoCredentials`, `CredentialsNotLoaded`, `Unreachable` or `Failed` if AWS returned none.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Returns whether AWS reports that the resource does not exist.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(
            self.code.as_str(),
            // IAM; Lambda; CloudFormation.
            "NoSuchEntity" | "ResourceNotFoundException" | "ChangeSetNotFound"
        )
    }

    /// How to fix it, if that is known.
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

/// Converts the SDK's error of a request whose purpose is `intent`, such as "create the change set".
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
                let error = context.err();
                let code = error.code().unwrap_or("an error without a code");
                AwsFailure {
                    code: code.to_owned(),
                    message: format!(
                        "failed to {intent}: {}",
                        error_text(code, error.message(), error.request_id())
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

/// Converts an error of the credential chain.
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
                "if the sign-in has expired, run `aws sso login` or `aws login`; the profile is `--profile`, \
                 `AWS_PROFILE` or `default`",
            )),
        },
    }
}

fn no_credentials(error: &CredentialsError) -> AwsFailure {
    let sources = error.source().map(causes);
    AwsFailure {
        code: "NoCredentials".to_owned(),
        message: format!(
            "no AWS credentials found{}",
            prefixed(": ", sources.as_deref())
        ),
        hint: Some(
            "sign in (`aws sso login`, `aws login`), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; credentials that work for the AWS CLI work here",
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
            "check the network, the region, and AWS_ENDPOINT_URL if it is set; if a proxy inspects TLS, set \
             AWS_CA_BUNDLE to a file with its certificate",
        ),
    }
}

/// The hint for an error code that any service may return (AWS's "Common error types").
fn hint_for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired; sign in again (`aws sso login`, `aws login`)"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" => {
            "AWS does not accept these credentials in this region's partition; check AWS_PROFILE, and that \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN belong together"
        }
        "AccessDenied" | "AccessDeniedException" => {
            "the credentials are valid but lack this permission, or a service control policy denies it"
        }
        "InsufficientCapabilitiesException" => {
            "the template needs a capability other than CAPABILITY_NAMED_IAM"
        }
        "ChangeSetNotFound" | "InvalidChangeSetStatus" => {
            "the change set was deleted, executed or made obsolete by another change of its stack; create a new one"
        }
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => "AWS throttles requests; wait a minute and retry",
        _ => return None,
    })
}

fn error_text(code: &str, message: Option<&str>, request_id: Option<&str>) -> String {
    // On one line, so that AWS's message cannot pass for one of ours.
    let text = format!(
        "{code}{}{}",
        prefixed(": ", message),
        prefixed("; request ID ", request_id)
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

/// AWS's error, if there is one, otherwise every cause that adds to the previous ones, on one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    if let Some(metadata) = find::<ErrorMetadata>(error)
        && let Some(code) = metadata.code()
    {
        return error_text(code, metadata.message(), metadata.request_id());
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
    fn the_message_of_aws_is_reported() {
        let error = GetCallerIdentityError::generic(
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
        let failure = of("call STS")(SdkError::service_error(error, response));
        assert_eq!(
            failure.to_string(),
            "failed to call STS: ExpiredToken: The security token is expired; request ID 1234-abcd"
        );
        assert!(failure.hint().unwrap().contains("sign in again"));
    }

    #[test]
    fn missing_credentials_are_found_at_any_depth() {
        let error = SdkError::<GetCallerIdentityError, HttpResponse>::construction_failure(
            CredentialsError::not_loaded("nothing in the chain"),
        );
        let failure = of("call STS")(error);
        assert_eq!(
            failure.to_string(),
            "no AWS credentials found: nothing in the chain"
        );
    }

    #[test]
    fn a_role_that_a_profile_cannot_assume_is_reported_with_the_message_of_sts() {
        let error = GetCallerIdentityError::generic(
            ErrorMetadata::builder()
                .code("AccessDenied")
                .message("not authorized to perform: sts:AssumeRole")
                .custom("aws_request_id", "1234-abcd")
                .build(),
        );
        let failure = of_credentials(&CredentialsError::provider_error(error));
        assert_eq!(failure.code(), "CredentialsNotLoaded");
        assert_eq!(
            failure.to_string(),
            "the AWS credentials could not be loaded: AccessDenied: not authorized to perform: sts:AssumeRole; \
             request ID 1234-abcd"
        );
        assert!(failure.hint().unwrap().contains("lack this permission"));
    }
}
