//! Gets the credentials that list a target.

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::config::SharedCredentialsProvider;
use contract::{Access, Target};

use crate::{
    account_time::Waits,
    assume::assume,
    clients::Clients,
    failure::Failure,
    kind::Phase,
    session::{Origin, Session},
};

/// Returns a session for `target` from the cache or from STS, or the process's own credentials, which count as cached.
///
/// `waits` counts the time that the rate limiter of STS holds the request back.
pub(crate) async fn credentials(
    clients: &Clients,
    target: &Target,
    waits: &Waits,
) -> Result<(Session, Origin), Failure> {
    match &target.access {
        Access::Role { role, external_id } => {
            let assume = || assume(clients, target, role, external_id.as_ref(), waits);
            clients.sessions.get(target, assume).await
        }
        Access::Own => {
            let credentials = own_credentials(clients, target).await?;
            Ok((Session::own(credentials), Origin::Cache))
        }
    }
}

/// Returns the process's own credentials, which must belong to the target's account if their source names one. The shared
/// configuration files and `AWS_ACCOUNT_ID` do; the environment of a Lambda function does not.
async fn own_credentials(
    clients: &Clients,
    target: &Target,
) -> Result<SharedCredentialsProvider, Failure> {
    let failure = || clients.failure(Phase::List, target);
    let credentials = clients
        .own_credentials
        .provide_credentials()
        .await
        .map_err(|error| failure().no_credentials(&error))?;
    match credentials.account_id() {
        Some(account) if account.as_str() != target.account.as_str() => {
            Err(failure().not_of_this_account(account.as_str()))
        }
        _ => Ok(SharedCredentialsProvider::new(credentials)),
    }
}
