//! Subcommand: print the identity of the caller.

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use contract::Partition;
use operator_api::Identity;

use crate::{arguments::Whoami, connection, failure};

pub(crate) async fn run(flags: Whoami) -> Result<Identity> {
    caller(&connection::open(&flags.connection).await?).await
}

/// Gets the identity from STS in the region. `GetCallerIdentity` needs no permission (STS API reference).
pub(crate) async fn caller(config: &SdkConfig) -> Result<Identity> {
    let response = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(failure::of("get the caller identity from STS"))?;
    identity(
        response.account().unwrap_or_default(),
        response.arn().unwrap_or_default(),
        response.user_id().unwrap_or_default(),
    )
    .context("STS returned a malformed identity")
}

fn identity(account: &str, arn: &str, user_id: &str) -> Result<Identity> {
    let partition: Partition = arn.split(':').nth(1).unwrap_or_default().parse()?;
    Ok(Identity {
        account: account.parse()?,
        arn: arn.to_owned(),
        user_id: user_id.to_owned(),
        partition: partition.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_is_the_callers() {
        let arn = "arn:aws-us-gov:sts::011111111111:assumed-role/Admin/me";
        let identity = identity("011111111111", arn, "AROA:me").unwrap();
        assert_eq!(
            serde_json::to_value(identity).unwrap(),
            serde_json::json!({
                "account": "011111111111",
                "arn": arn,
                "userId": "AROA:me",
                "partition": "aws-us-gov",
            })
        );
    }

    #[test]
    fn a_response_without_an_arn_is_an_error() {
        assert!(identity("011111111111", "", "").is_err());
    }
}
