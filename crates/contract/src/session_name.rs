//! The name of a role session.

use std::str::FromStr;

use crate::{
    InvalidValue,
    invalid::{NAME_CHARACTERS, check_characters, check_length, is_name_character},
    string_type::string_type,
};

/// The name of a role session, which CloudTrail records in the Target account: 2 to 64 of `[\w+=,.@-]` (STS API
/// reference, `AssumeRole`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

string_type!(SessionName, pattern: r"^[A-Za-z0-9_+=,.@-]{2,64}$");

impl SessionName {
    /// The session name of the function: `list-s3-buckets`.
    #[must_use]
    pub fn list_s3_buckets() -> Self {
        Self("list-s3-buckets".to_owned())
    }
}

impl FromStr for SessionName {
    type Err = InvalidValue;

    /// # Errors
    /// The length or a character is not allowed.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        check_length(text, 2, 64)
            .and_then(|()| check_characters(text, is_name_character, NAME_CHARACTERS))
            .map_err(|problem| InvalidValue::new("session name", text, problem))?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_sts() {
        assert_eq!(
            "list-s3-buckets".parse::<SessionName>().unwrap(),
            SessionName::list_s3_buckets()
        );
        for text in ["", "a", "a b", "a/b", &"x".repeat(65)] {
            assert!(text.parse::<SessionName>().is_err(), "{text}");
        }
    }
}
