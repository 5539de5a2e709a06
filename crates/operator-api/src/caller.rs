//! The results of `whoami` and `credentials`.

use std::fmt;

use contract::AccountId;
use serde::{Deserialize, Serialize};

/// The caller's identity according to STS: the result of `whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The account that the credentials belong to.
    pub account: AccountId,
    /// The ARN of the user or the role session.
    pub arn: String,
    /// The unique ID: `AIDA…` of a user, `AROA…:SESSION` of a role session.
    pub user_id: String,
    /// The partition of the account, such as `aws`.
    pub partition: String,
}

/// The caller and its keys: the result of `credentials`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The identity that STS returned for these keys.
    #[serde(flatten)]
    pub identity: Identity,
    /// The resolved keys.
    pub keys: Keys,
    /// The endpoint of every service, if the environment or the profile sets one.
    pub endpoint_url: Option<String>,
}

/// The keys of a caller. `Debug` hides them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// The access key ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// When the keys expire, in seconds since 1970; `None` if that is unknown.
    pub expires: Option<u64>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_keys() {
        let text = r#"{"account":"011111111111","arn":"arn:aws:iam::011111111111:user/me","userId":"AIDA","partition":"aws","keys":{"accessKeyId":"hidden","secretAccessKey":"hidden","sessionToken":"hidden","expires":7},"endpointUrl":null}"#;
        let credentials: Credentials = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&credentials).unwrap(), text);
        let shown = format!("{credentials:?}");
        assert!(shown.contains("user/me") && !shown.contains("hidden"));
    }
}
