//! The ARN of a change set, as `apply --plan` prints it.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// The ARN of a change set: `arn:PARTITION:cloudformation:REGION:ACCOUNT:changeSet/NAME/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeSetArn(String);

impl ChangeSetArn {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChangeSetArn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "cloudformation", _, _, resource] if resource.starts_with("changeSet/") => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("is not the ARN of a change set, as `apply --plan` gives it"),
        }
    }
}

impl fmt::Display for ChangeSetArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_change_set_is_one() {
        let arn = "arn:aws:cloudformation:eu-central-1:111111111111:changeSet/operator-1/ab-cd";
        assert_eq!(arn.parse::<ChangeSetArn>().unwrap().to_string(), arn);
        for text in [
            "",
            "operator-1",
            "arn:aws:cloudformation:eu-central-1:111111111111:stack/roles/ab-cd",
        ] {
            assert!(text.parse::<ChangeSetArn>().is_err(), "{text}");
        }
    }
}
