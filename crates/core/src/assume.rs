//! Gets a session of the target's role from STS.

use std::time::Duration;

use aws_sdk_sts::{config::Credentials, operation::assume_role::AssumeRoleOutput};
use aws_smithy_types::DateTime;
use contract::{
    ActionSpec, ExternalId, RoleArn, RoleName, SessionName, SessionPolicy, Target, account_of_arn,
};

use crate::{
    account_time::Waits, clients::Clients, clock::ResponseTime, failure::Failure, kind::Phase,
    retry::send_with_retries, session::Issued,
};

/// The requested session duration, in seconds. A role session that assumes a role (role chaining) gets at most one hour
/// (IAM user guide, "Terms and concepts for roles"), and a Lambda function's own credentials are a role session. Every
/// role allows it (its `MaxSessionDuration` is 3,600 to 43,200).
const SESSION_DURATION_SECONDS: i32 = 3_600;

/// Requests a session from STS within [`Limits`](crate::Limits) and checks it. An invalid one counts as a failed
/// attempt.
pub(crate) async fn assume(
    clients: &Clients,
    target: &Target,
    role: &RoleName,
    external_id: Option<&ExternalId>,
    waits: &Waits,
) -> Result<Issued, Failure> {
    let role = RoleArn {
        partition: clients.partition(),
        account: target.account.clone(),
        role: role.clone(),
    };
    let role = role.to_string();
    let region = clients.regional(target);
    let request = region
        .sts
        .assume_role()
        .role_arn(&role)
        .role_session_name(SessionName::list_s3_buckets().as_str())
        .duration_seconds(SESSION_DURATION_SECONDS)
        .set_external_id(external_id.map(ToString::to_string))
        .set_policy(match clients.session_policy() {
            SessionPolicy::On => Some(ActionSpec::S3_BUCKETS.session_policy()),
            SessionPolicy::Off => None,
        });
    send_with_retries(
        Some((&region.rate_limiter, waits)),
        clients.limits(),
        || {
            tracing::debug!(role, "assuming");
            let answered_at = ResponseTime::default();
            let request = request.clone().customize();
            let request = request.interceptor(answered_at.clone());
            // Boxed because it is large and would be part of other futures.
            Box::pin(async move {
                let answer = request.send().await;
                let answer =
                    answer.map_err(|error| clients.failure(Phase::Assume, target).sdk(&error))?;
                let now = answered_at.get().unwrap_or_else(|| clients.now().into());
                issued(clients, target, &answer, now)
            })
        },
    )
    .await
}

/// Checks the session in `answer`, which was sent at `now` by STS's clock.
///
/// Every part is checked: the session is cached, and with an invalid part all later requests would fail.
fn issued(
    clients: &Clients,
    target: &Target,
    answer: &AssumeRoleOutput,
    now: DateTime,
) -> Result<Issued, Failure> {
    let failure = || clients.failure(Phase::Assume, target);
    let invalid = |what| failure().invalid_response(what, answer);
    let identity = answer
        .assumed_role_user()
        .ok_or_else(|| invalid("it has no assumed role"))?;
    let account = account_of_arn(identity.arn())
        .map_err(|_| invalid("the ARN of the assumed role has no account ID"))?;
    if account != target.account {
        return Err(failure().wrong_account(&account, answer));
    }
    let credentials = answer
        .credentials()
        .ok_or_else(|| invalid("it has no credentials"))?;
    // STS API reference, `Credentials`: a key ID matches `\w`. The other values have no documented form, but go into
    // headers.
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !is_all(credentials.access_key_id(), is_word) {
        return Err(invalid("the access key ID is missing or malformed"));
    }
    let is_graphic = |byte: u8| byte.is_ascii_graphic();
    if !is_all(credentials.secret_access_key(), is_graphic) {
        return Err(invalid("the secret access key is missing or malformed"));
    }
    if !is_all(credentials.session_token(), is_graphic) {
        return Err(invalid("the session token is missing or malformed"));
    }
    // Uses STS's clock because the local one may be wrong, and never more than the requested duration, whatever the
    // response says.
    let lifetime = credentials.expiration().secs().saturating_sub(now.secs());
    let lifetime = u64::try_from(lifetime.min(SESSION_DURATION_SECONDS.into()))
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| invalid("the session's expiration is missing or in the past"))?;
    Ok(Issued {
        credentials: Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            // The cache handles the expiration.
            None,
            "AssumeRole",
        ),
        lifetime: Duration::from_secs(lifetime),
    })
}

/// Returns whether `text` exists and consists of such bytes.
fn is_all(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_one)
}
