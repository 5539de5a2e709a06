//! Subcommand: the caller's credentials, resolved, as session keys for a program that chooses credentials by other rules.
//!
//! They are the very keys that STS is asked about, so that the identity beside them is theirs. They go to standard output
//! as part of the answer, which must be a pipe: they belong neither on a screen nor in a file.

use std::{
    fmt,
    io::{self, IsTerminal as _},
};

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    arguments::Whoami,
    connection, failure,
    whoami::{self, Identity},
};

/// The caller and its keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    #[serde(flatten)]
    identity: Identity,
    keys: Keys,
    /// Where AWS is, if the environment or the profile says so for every service.
    endpoint_url: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.identity).finish()
    }
}

struct Keys(Credentials);

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let expires = self.0.expiry().map(|time| {
            time.duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        });
        let mut keys = serializer.serialize_struct("Keys", 4)?;
        keys.serialize_field("accessKeyId", self.0.access_key_id())?;
        keys.serialize_field("secretAccessKey", self.0.secret_access_key())?;
        keys.serialize_field("sessionToken", &self.0.session_token())?;
        // In seconds since 1970; `null` where it is not known.
        keys.serialize_field("expires", &expires)?;
        keys.end()
    }
}

/// # Errors
/// Standard output is a terminal, there are no credentials, or STS rejects them.
pub(crate) async fn run(flags: Whoami) -> Result<Session> {
    ensure!(
        !io::stdout().is_terminal(),
        "`credentials` is for programs: it would print secret keys on this terminal (`operator whoami` prints none)"
    );
    let config = connection::open(&flags.access).await?;
    let credentials = config
        .credentials_provider()
        .context("no AWS credentials found")?
        .provide_credentials()
        .await
        .map_err(|error| failure::of_credentials(&error))?;
    let config = connection::with_credentials(&config, credentials.clone());
    Ok(Session {
        identity: whoami::caller(&config).await?,
        keys: Keys(credentials),
        endpoint_url: config.endpoint_url().map(str::to_owned),
    })
}
