//! Subcommand: print the caller's resolved keys, for programs that would choose other credentials than the SDK.
//!
//! STS verifies the same keys, so the identity in the result belongs to them. Standard output must not be a terminal: keys
//! belong neither on a screen nor in a file.

use std::{
    io::{self, IsTerminal as _},
    time::UNIX_EPOCH,
};

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::provider::ProvideCredentials as _;
use operator_api::{Credentials, Keys};

use crate::{arguments::Whoami, connection, failure, whoami};

/// Resolves the keys and verifies them with STS.
///
/// # Errors
/// Standard output is a terminal, there are no credentials, or STS rejects them.
pub(crate) async fn run(flags: Whoami) -> Result<Credentials> {
    ensure!(
        !io::stdout().is_terminal(),
        "`credentials` prints secret keys, so standard output must not be a terminal; `operator whoami` prints none"
    );
    let config = connection::open(&flags.connection).await?;
    let credentials = config
        .credentials_provider()
        .context("no AWS credentials found")?
        .provide_credentials()
        .await
        .map_err(|error| failure::of_credentials(&error))?;
    let config = connection::with_credentials(&config, credentials.clone());
    Ok(Credentials {
        identity: whoami::caller(&config).await?,
        keys: Keys {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().to_owned(),
            session_token: credentials.session_token().map(str::to_owned),
            expires: credentials.expiry().map(|time| {
                time.duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_secs()
            }),
        },
        endpoint_url: config.endpoint_url().map(str::to_owned),
    })
}
