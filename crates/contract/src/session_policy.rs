//! Whether a session is narrowed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// Whether the function narrows every session to `s3:ListAllMyBuckets` with a session policy, so that a role that may do
/// more cannot be misused through it (IAM user guide, "Session policies"). The default is `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum SessionPolicy {
    /// Sessions may list buckets and nothing else.
    #[default]
    On,
    /// Sessions may do whatever the role may.
    Off,
}

impl SessionPolicy {
    /// `on` or `off`.
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
    /// Another word.
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
    fn two_words() {
        assert_eq!("on".parse(), Ok(SessionPolicy::On));
        assert_eq!("off".parse(), Ok(SessionPolicy::Off));
        for text in ["", "ON", "false", "no"] {
            assert!(text.parse::<SessionPolicy>().is_err(), "{text}");
        }
    }
}
