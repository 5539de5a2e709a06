//! Policy documents, and the managed policies that hold them.

use anyhow::{Context as _, Result};
use aws_sdk_iam::Client;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::failure;

/// A policy as JSON. IAM gives it URL-encoded by RFC 3986, where `+` is itself and not a space (IAM API reference,
/// `GetRolePolicy`).
///
/// # Errors
/// It is not JSON.
pub(crate) fn document(encoded: &str) -> Result<Value> {
    let text = percent_decode_str(encoded)
        .decode_utf8()
        .context("a policy that is not UTF-8")?;
    serde_json::from_str(&text).context("a policy that is not JSON")
}

/// The default version of a managed policy, AWS's own or the account's.
///
/// # Errors
/// IAM refuses.
pub(crate) async fn managed(client: &Client, arn: &str) -> Result<Value> {
    let policy = client
        .get_policy()
        .policy_arn(arn)
        .send()
        .await
        .map_err(failure::of(&format!("read policy `{arn}`")))?;
    let version = policy
        .policy()
        .and_then(|policy| policy.default_version_id())
        .context("a policy without a default version")?;
    let answer = client
        .get_policy_version()
        .policy_arn(arn)
        .version_id(version)
        .send()
        .await
        .map_err(failure::of(&format!(
            "read version {version} of policy `{arn}`"
        )))?;
    answer
        .policy_version()
        .and_then(|version| version.document())
        .context("a policy without a document")
        .and_then(document)
        .with_context(|| format!("failed to read policy `{arn}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_encoding_is_undone_and_a_plus_stays_one() {
        let encoded = "%7B%22Sid%22%3A%20%22a+b%20%2B%20100%25%20%C3%A9%22%7D";
        assert_eq!(
            document(encoded).unwrap(),
            json!({"Sid": "a+b + 100% \u{e9}"})
        );
    }

    #[test]
    fn what_is_no_policy_is_an_error() {
        assert!(document("%7B").is_err());
        assert!(document("%ff").is_err());
    }
}
