//! The ID of an AWS account.

use std::str::FromStr;

use crate::{InvalidValue, string_type::string_type};

/// An AWS account ID: exactly 12 digits, leading zeros included (AWS Account Management reference guide, "View AWS
/// account identifiers"). A string, never a number: `012345678901` loses its zero as a number.
///
/// ```
/// use contract::AccountId;
///
/// let account: AccountId = "012345678901".parse()?;
/// assert_eq!(account.as_str(), "012345678901");
/// assert!("12345678901".parse::<AccountId>().is_err());
/// # Ok::<(), contract::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

string_type!(AccountId, pattern: "^[0-9]{12}$");

impl AccountId {
    /// The number of digits in an account ID.
    pub const LENGTH: usize = 12;
}

impl FromStr for AccountId {
    type Err = InvalidValue;

    /// # Errors
    /// `text` is not 12 ASCII digits. The hint suggests what a mangled ID was.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const WHAT: &str = "account ID";
        if text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        let problem = if text.is_empty() {
            "is empty".to_owned()
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("has {} digits, not {}", text.len(), Self::LENGTH)
        } else {
            format!("is not {} digits", Self::LENGTH)
        };
        let error = InvalidValue::new(WHAT, text, problem);
        Err(match probably_meant(text) {
            Some(meant) => error.with_hint(meant),
            None => error.with_hint(format!("write the {} digits in quotes", Self::LENGTH)),
        })
    }
}

/// A hint that suggests what a mangled account ID was.
fn probably_meant(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let grouped = text
        .chars()
        .all(|character| character.is_ascii_digit() || "-_ ,.'".contains(character));
    if digits.len() == text.len() && (9..AccountId::LENGTH).contains(&digits.len()) {
        let padded = format!("{digits:0>width$}", width = AccountId::LENGTH);
        return Some(format!(
            "did you mean `{padded}`? YAML and spreadsheet programs drop leading zeros; check the ID and write it in quotes"
        ));
    }
    if digits.len() != text.len() && grouped && digits.len() == AccountId::LENGTH {
        return Some(format!(
            "did you mean `{digits}`? Write only the digits, in quotes"
        ));
    }
    if text.contains(['e', 'E']) && text.parse::<f64>().is_ok() {
        return Some(
            "it was converted to a floating-point number, which may have lost digits; look the ID up again and write it in quotes"
                .to_owned(),
        );
    }
    if let Some(number) = octal(text) {
        return Some(format!(
            "did you mean `{number:012}`? It was read as an octal number; check the ID and write it in quotes"
        ));
    }
    if text.starts_with("arn:") {
        return Some("write only the account ID, which is the fifth field of the ARN".to_owned());
    }
    None
}

/// Parses an octal number of YAML 1.2.
fn octal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0o")?, 8)
        .ok()
        .filter(|&number| number < 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(text: &str) -> String {
        text.parse::<AccountId>()
            .unwrap_err()
            .hint()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn leading_zeros_survive() {
        assert_eq!(
            "000000000001".parse::<AccountId>().unwrap().to_string(),
            "000000000001"
        );
    }

    #[test]
    fn other_lengths_and_characters_are_rejected() {
        for text in [
            "",
            "1",
            "11111111111",
            "1111111111111",
            "11111111111a",
            " 11111111111",
            "１１１１１１１１１１１１",
        ] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mangled_id_is_recognised() {
        assert!(hint("12345678901").contains("`012345678901`"));
        assert!(hint("1111-2222-3333").contains("`111122223333`"));
        assert!(hint("1.11111111111e11").contains("floating-point"));
        assert!(hint("0o1475151434").contains("octal"));
        assert!(hint("arn:aws:iam::111111111111:root").contains("fifth field"));
    }
}
