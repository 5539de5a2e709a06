//! ARNs of roles.

use std::{fmt, str::FromStr};

use crate::{AccountId, InvalidValue, Partition, RoleName};

/// The ARN of an IAM role: `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME` (IAM user guide, "IAM identifiers").
///
/// ```
/// use contract::RoleArn;
///
/// let arn: RoleArn = "arn:aws-cn:iam::012345678901:role/team/Reader".parse()?;
/// assert_eq!(arn.role.name(), "Reader");
/// assert_eq!(arn.to_string(), "arn:aws-cn:iam::012345678901:role/team/Reader");
/// # Ok::<(), contract::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn {
    /// The partition of the account.
    pub partition: Partition,
    /// The account that owns the role.
    pub account: AccountId,
    /// The role's name, with its path.
    pub role: RoleName,
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:iam::{}:role/{}",
            self.partition, self.account, self.role
        )
    }
}

impl FromStr for RoleArn {
    type Err = InvalidValue;

    /// # Errors
    /// The format is wrong, or a part is invalid.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let other = || {
            InvalidValue::new(
                "role ARN",
                text,
                "does not have the format `arn:PARTITION:iam::ACCOUNT:role/NAME`",
            )
        };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return Err(other());
        };
        let role = resource.strip_prefix("role/").ok_or_else(other)?;
        Ok(Self {
            partition: partition.parse()?,
            account: account.parse()?,
            role: role.parse()?,
        })
    }
}

/// The account in the fifth field of any service's ARN.
///
/// In the identity that AssumeRole returns, `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`, it is the account of the
/// role.
///
/// # Errors
/// `arn` is not an ARN or has no account.
pub fn account_of_arn(arn: &str) -> Result<AccountId, InvalidValue> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    match fields[..] {
        ["arn", _, _, _, account, _] => account.parse(),
        _ => Err(InvalidValue::new(
            "ARN",
            arn,
            "does not have the format `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_arn_round_trips() {
        for text in [
            "arn:aws:iam::222222222222:role/MyS3ReadRole",
            "arn:aws-us-gov:iam::000000000001:role/a/b/C",
        ] {
            assert_eq!(text.parse::<RoleArn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_arns_are_rejected() {
        for text in [
            "",
            "MyS3ReadRole",
            "arn:aws:iam::222222222222:user/x",
            "arn:aws:iam:us-east-1:222222222222:role/x",
            "arn:moon:iam::222222222222:role/x",
            "arn:aws:iam::22222222222:role/x",
            "arn:aws:iam::222222222222:role/",
        ] {
            assert!(text.parse::<RoleArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_account_of_an_assumed_identity() {
        let arn = "arn:aws:sts::222222222222:assumed-role/MyS3ReadRole/list-s3-buckets";
        assert_eq!(account_of_arn(arn).unwrap().as_str(), "222222222222");
        assert!(account_of_arn("arn:aws:s3:::bucket").is_err());
        assert!(account_of_arn("nonsense").is_err());
    }
}
