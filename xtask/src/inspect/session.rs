//! The caller's credentials: `crates/operator` resolves them once, and the keys are passed to every program that needs them.
//!
//! The Serverless Framework would choose credentials by other rules than the SDK and in another directory, so it gets the
//! keys that STS verified. Keys that expire soon are resolved again and must belong to the same account.
//!
//! Keys exist only in memory and in the environments of those programs; they are never printed or written to a file.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use contract::Region;
use operator_api::{Credentials, Identity, Keys};

use crate::sys::{console, process::Program};

/// The minimum validity of keys when a program starts. CloudFormation seldom takes longer for this stack.
const MIN_LIFETIME: Duration = Duration::from_mins(15);

/// The caller and its keys.
#[derive(Debug)]
pub(crate) struct Session {
    /// The command that resolves the keys.
    resolve: Program,
    region: Region,
    identity: Identity,
    /// The endpoint of every service, if the environment or the profile sets one.
    endpoint_url: Option<String>,
    keys: Mutex<Keys>,
}

impl Session {
    /// Resolves the credentials with `resolve`, the operator's `credentials` command in `region`.
    ///
    /// # Errors
    /// There are no credentials, or STS rejects them or cannot be reached.
    pub(crate) fn open(resolve: Program, region: &Region) -> Result<Self> {
        let Credentials {
            identity,
            keys,
            endpoint_url,
        } = credentials(&resolve)
            .with_context(|| format!("Failed to get the caller identity from STS in {region}"))?;
        Ok(Self {
            resolve,
            region: region.clone(),
            identity,
            endpoint_url,
            keys: Mutex::new(keys),
        })
    }

    /// The caller's identity.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The region of the requests.
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// The endpoint of every service, if one is set.
    pub(crate) fn endpoint_url(&self) -> Option<&str> {
        self.endpoint_url.as_deref()
    }

    /// Passes the caller's keys to `program`.
    ///
    /// # Errors
    /// The keys expire soon, and there are no newer ones or they belong to another account.
    pub(crate) fn give_to(&self, program: Program) -> Result<Program> {
        let keys = self.keys()?;
        Ok(program.envs([
            ("AWS_ACCESS_KEY_ID", Some(keys.access_key_id)),
            ("AWS_SECRET_ACCESS_KEY", Some(keys.secret_access_key)),
            ("AWS_SESSION_TOKEN", keys.session_token),
        ]))
    }

    fn keys(&self) -> Result<Keys> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if is_valid_for(&keys, MIN_LIFETIME) {
            return Ok(keys.clone());
        }
        let resolved = credentials(&self.resolve).context("Failed to refresh the credentials")?;
        let (before, now) = (&self.identity.account, &resolved.identity.account);
        ensure!(
            before == now,
            "Your credentials were for account {before} and are now for account {now}\n\
             hint: use credentials for account {before} until the command has finished"
        );
        *keys = resolved.keys;
        if !is_valid_for(&keys, MIN_LIFETIME) {
            console::note(&format!(
                "warning: your credentials expire within {} minutes: commands that take longer fail halfway",
                MIN_LIFETIME.as_secs() / 60
            ));
        }
        Ok(keys.clone())
    }
}

/// Returns whether the keys are valid for at least `duration`, as far as their expiry is known.
fn is_valid_for(keys: &Keys, duration: Duration) -> bool {
    keys.expires.is_none_or(|seconds| {
        UNIX_EPOCH + Duration::from_secs(seconds) > SystemTime::now() + duration
    })
}

fn credentials(resolve: &Program) -> Result<Credentials> {
    // The output contains secrets, which the message of serde_json could show.
    serde_json::from_str(&resolve.capture_reported()?)
        .ok()
        .context("The operator printed something other than credentials")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::error::AlreadyReported;

    /// An operator whose n-th keys are for `accounts` and expire after `seconds`.
    fn operator(directory: &std::path::Path, accounts: [&str; 2], seconds: u64) -> Program {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let ends = now.as_secs() + seconds;
        let script = format!(
            r#"echo >> count; n=$(wc -l < count); a={}; [ "$n" = 1 ] || a={}
            printf '{{"account":"%s","arn":"arn:x","userId":"AIDA","partition":"aws","keys":{{"accessKeyId":"AKIA%s","secretAccessKey":"hid''den",' "$a" "$n"
            printf '"sessionToken":null,"expires":{ends}}},"endpointUrl":null}}'"#,
            accounts[0], accounts[1]
        );
        Program::new("/bin/sh")
            .args(["-c", &script])
            .in_directory(directory)
            .quiet()
    }

    fn key_id(session: &Session) -> String {
        let program = Program::new("/bin/sh").args(["-c", "echo $AWS_ACCESS_KEY_ID"]);
        let program = session.give_to(program.quiet()).unwrap();
        assert!(!format!("{program:?} {session:?}").contains("hidden"));
        program.capture().unwrap().trim_end().to_owned()
    }

    const ACCOUNT: &str = "111111111111";

    #[test]
    fn keys_are_resolved_once_unless_they_expire_soon() {
        let region = Region::us_east_1();
        for (seconds, expected) in [
            (3600, ["AKIA1", "AKIA1"]),
            // These expire too soon and are resolved again.
            (60, ["AKIA2", "AKIA3"]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let resolve = operator(directory.path(), [ACCOUNT; 2], seconds);
            let session = Session::open(resolve, &region).unwrap();
            assert_eq!([key_id(&session), key_id(&session)], expected);
        }
    }

    #[test]
    fn refreshed_keys_for_another_account_are_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let resolve = operator(directory.path(), [ACCOUNT, "222222222222"], 60);
        let session = Session::open(resolve, &Region::us_east_1()).unwrap();
        let error = session.give_to(Program::new("env")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("are now for account 222222222222"),
            "{error:#}"
        );
    }

    #[test]
    fn an_error_that_the_operator_has_printed_is_not_printed_again() {
        let failing = |status: u8| {
            let script = format!("exit {status}");
            let resolve = Program::new("/bin/sh").args(["-c", &script]).quiet();
            Session::open(resolve, &Region::us_east_1()).unwrap_err()
        };
        assert!(failing(1).is::<AlreadyReported>());
        // It may not have printed anything.
        assert!(!failing(101).is::<AlreadyReported>());
    }

    #[test]
    fn unexpected_output_is_not_shown() {
        let resolve = Program::new("/bin/echo").args(["hidden"]).quiet();
        let error = Session::open(resolve, &Region::us_east_1()).unwrap_err();
        assert!(!format!("{error:#} {error:?}").contains("hidden"));
    }
}
