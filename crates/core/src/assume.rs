//! The first phase: a session of the target's role, from STS.

use aws_sdk_sts::config::Credentials;
use contract::{SessionName, Target, account_of_arn};

use crate::{
    Clients,
    failure::{Failure, Phase},
    session::Issued,
};

/// How long a session is asked to live, in seconds. A role session that itself assumes a role (role chaining) gets no
/// more than one hour (IAM user guide, "Terms and concepts for roles"), and a Lambda's own credentials are a role
/// session's. No role allows less (its `MaxSessionDuration` is 3,600 to 43,200).
const DURATION_SECONDS: i32 = 3_600;

/// Asks STS for a session, and checks whose it is.
pub(crate) async fn assume(clients: &Clients, target: &Target) -> Result<Issued, Failure> {
    let role = clients.role_arn(target);
    tracing::debug!(role = %role, "assuming");
    let answer = clients
        .sts
        .assume_role()
        .role_arn(role.to_string())
        .role_session_name(SessionName::list_s3_buckets().as_str())
        .duration_seconds(DURATION_SECONDS)
        .set_external_id(target.external_id.as_ref().map(ToString::to_string))
        .send()
        .await
        .map_err(|error| clients.failure(Phase::Assume, target).sdk(&error))?;

    let failure = || clients.failure(Phase::Assume, target);
    let invalid = |what| failure().invalid_response(what, &answer);
    let identity = answer
        .assumed_role_user()
        .ok_or_else(|| invalid("it names no assumed role"))?;
    let account = account_of_arn(identity.arn())
        .map_err(|_| invalid("the ARN of the assumed role names no account"))?;
    if account != target.account {
        return Err(failure().wrong_account(&account, &answer));
    }
    let credentials = answer
        .credentials()
        .ok_or_else(|| invalid("it holds no credentials"))?;
    let expires_at = credentials
        .expiration()
        .to_owned()
        .try_into()
        .map_err(|_| invalid("the session's expiration is no time"))?;
    Ok(Issued {
        credentials: Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            Some(expires_at),
            "AssumeRole",
        ),
        expires_at,
    })
}
