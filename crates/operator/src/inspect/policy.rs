//! Reads policy documents and managed policies.

use anyhow::{Context as _, Result};
use aws_sdk_iam::Client;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::failure;

/// Decodes a policy, which IAM encodes by RFC 3986, where `+` is not a space (IAM API reference, `GetRolePolicy`).
///
/// # Errors
/// It is not JSON.
pub(crate) fn document(encoded: &str) -> Result<Value> {
    let text = percent_decode_str(encoded)
        .decode_utf8()
        .context("the policy is not UTF-8")?;
    serde_json::from_str(&text).context("the policy is not JSON")
}

/// Reads the default version of a managed policy, of AWS or of the account.
///
/// # Errors
/// IAM denies or fails the request.
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
        .context("the policy has no default version")?;
    let response = client
        .get_policy_version()
        .policy_arn(arn)
        .version_id(version)
        .send()
        .await
        .map_err(failure::of(&format!(
            "read version {version} of policy `{arn}`"
        )))?;
    response
        .policy_version()
        .and_then(|version| version.document())
        .context("the policy has no document")
        .and_then(document)
        .with_context(|| format!("failed to read policy `{arn}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_decoded_and_keeps_its_plus_signs() {
        let encoded = "%7B%22Sid%22%3A%20%22a+b%20%2B%20100%25%20%C3%A9%22%7D";
        assert_eq!(
            document(encoded).unwrap(),
            json!({"Sid": "a+b + 100% \u{e9}"})
        );
    }

    #[test]
    fn a_malformed_document_is_an_error() {
        assert!(document("%7B").is_err());
        assert!(document("%ff").is_err());
    }
}
