//! The first phase: a session of the target's role, from STS.

use aws_sdk_sts::{config::Credentials, operation::assume_role::AssumeRoleOutput};
use contract::{ExternalId, RoleArn, RoleName, SessionName, SessionPolicy, Target, account_of_arn};

use crate::{
    Clients,
    attempts::attempts,
    failure::{Failure, Phase},
    session::Issued,
};

/// How long a session is asked to live, in seconds. A role session that itself assumes a role (role chaining) gets no
/// more than one hour (IAM user guide, "Terms and concepts for roles"), and a Lambda's own credentials are a role
/// session's. No role allows less (its `MaxSessionDuration` is 3,600 to 43,200).
const DURATION_SECONDS: i32 = 3_600;

/// The session policy: whatever the role may do, the session may list the account's buckets and nothing else (IAM user
/// guide, "Session policies"). STS takes up to 2,048 characters.
const ONLY_LIST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;

/// Asks STS for a session, and checks whose it is.
pub(crate) async fn assume(
    clients: &Clients,
    target: &Target,
    role: &RoleName,
    external_id: Option<&ExternalId>,
) -> Result<Issued, Failure> {
    let role = RoleArn {
        partition: clients.partition(),
        account: target.account.clone(),
        role: role.clone(),
    };
    let answer = ask(clients, target, &role.to_string(), external_id).await?;
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

/// Sends the request, as often as [`Limits`](crate::Limits) allow.
async fn ask(
    clients: &Clients,
    target: &Target,
    role: &str,
    external_id: Option<&ExternalId>,
) -> Result<AssumeRoleOutput, Failure> {
    let region = clients.regional(target);
    let request = region
        .sts
        .assume_role()
        .role_arn(role)
        .role_session_name(SessionName::list_s3_buckets().as_str())
        .duration_seconds(DURATION_SECONDS)
        .set_external_id(external_id.map(ToString::to_string))
        .set_policy(match clients.session_policy() {
            SessionPolicy::On => Some(ONLY_LIST.to_owned()),
            SessionPolicy::Off => None,
        });
    attempts(Some(&region.pacer), clients.limits(), || {
        tracing::debug!(role, "assuming");
        let request = request.clone();
        // Boxed, as it is large, and others would carry it about.
        Box::pin(async {
            let answer = request.send().await;
            answer.map_err(|error| clients.failure(Phase::Assume, target).sdk(&error))
        })
    })
    .await
}
