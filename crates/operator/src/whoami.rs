//! Subcommand: whose credentials these are.

use anyhow::{Context as _, Result};
use aws_config::SdkConfig;
use contract::Partition;
use operator_api::Identity;

use crate::{arguments::Whoami, connection, failure};

pub(crate) async fn run(flags: Whoami) -> Result<Identity> {
    caller(&connection::open(&flags.access).await?).await
}

/// Asks the region's STS. `GetCallerIdentity` needs no permission (STS API reference).
pub(crate) async fn caller(config: &SdkConfig) -> Result<Identity> {
    let answer = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(failure::of("ask STS who the caller is"))?;
    identity(
        answer.account().unwrap_or_default(),
        answer.arn().unwrap_or_default(),
        answer.user_id().unwrap_or_default(),
    )
    .context("STS gave an answer that cannot be")
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
    fn an_answer_without_an_arn_is_an_error() {
        assert!(identity("011111111111", "", "").is_err());
    }
}
