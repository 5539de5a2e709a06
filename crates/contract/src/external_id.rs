//! The external ID of a trust policy.

use std::str::FromStr;

use crate::{
    InvalidValue,
    invalid::{check_characters, check_length, is_name_character},
    string_type::string_type,
};

/// An external ID: 2 to 1,224 of `[\w+=,.@:\/-]` (STS API reference, `AssumeRole`).
///
/// It is **not a secret** (IAM user guide, "Access to AWS accounts owned by third parties"). It distinguishes the customers
/// of a third party, and may be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

string_type!(ExternalId, pattern: r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$");

impl FromStr for ExternalId {
    type Err = InvalidValue;

    /// # Errors
    /// The length or a character is not allowed.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let allowed = |character| is_name_character(character) || matches!(character, ':' | '/');
        check_length(text, 2, 1224)
            .and_then(|()| check_characters(text, allowed, "letters, digits and _ + = , . @ : / -"))
            .map_err(|problem| InvalidValue::new("external ID", text, problem))?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_sts() {
        assert!("ab".parse::<ExternalId>().is_ok());
        assert!(
            "team:audit/2026+a=b,c.d@e-f_g"
                .parse::<ExternalId>()
                .is_ok()
        );
        assert!("x".repeat(1224).parse::<ExternalId>().is_ok());
        for text in ["", "a", "a b", "${x}", "a\"b", "{{ x }}", &"x".repeat(1225)] {
            assert!(text.parse::<ExternalId>().is_err(), "{text}");
        }
    }
}
