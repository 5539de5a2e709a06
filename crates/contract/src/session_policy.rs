//! The limit of every session.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// The switch for the session policy, which limits every session to `s3:ListAllMyBuckets`, so that a role with more
/// permissions cannot be misused (IAM user guide, "Session policies"). The default is `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum SessionPolicy {
    /// Sessions can only list buckets.
    #[default]
    On,
    /// Sessions have all permissions of the role.
    Off,
}

impl SessionPolicy {
    /// The value as text: `on` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl FromStr for SessionPolicy {
    type Err = InvalidValue;

    /// # Errors
    /// `text` is neither `on` nor `off`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        [Self::On, Self::Off]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| InvalidValue::new("session policy", text, "is neither `on` nor `off`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_and_off() {
        assert_eq!("on".parse(), Ok(SessionPolicy::On));
        assert_eq!("off".parse(), Ok(SessionPolicy::Off));
        for text in ["", "ON", "false", "no"] {
            assert!(text.parse::<SessionPolicy>().is_err(), "{text}");
        }
    }
}
