//! The name of a stage.

use std::str::FromStr;

use crate::{InvalidValue, string_type::string_type};

/// The name of a stage, the middle of `variables.STAGE.yml`: 1 to 32 letters, digits and hyphens, starting with a
/// letter.
///
/// It becomes part of the CloudFormation stack's name, which allows no other characters (CloudFormation API reference,
/// `CreateStack`), and of a directory's name. The length leaves room for the service in a function's name (64 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(String);

string_type!(Stage, pattern: "^[A-Za-z][A-Za-z0-9-]{0,31}$");

impl FromStr for Stage {
    type Err = InvalidValue;

    /// # Errors
    /// The length or a character is not allowed, or the first character is not a letter.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let continues_well = text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '-');
        if starts_well && continues_well && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                InvalidValue::new("stage", text, "is not a stage name").with_hint(
                    "a stage has 1 to 32 letters, digits and hyphens, and starts with a letter",
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_a_plain_name() {
        for text in ["dev", "prod", "eu-prod-2", "Dev"] {
            assert!(text.parse::<Stage>().is_ok(), "{text}");
        }
        for text in [
            "",
            "../x",
            "a/b",
            "a.b",
            "-a",
            "1a",
            "a b",
            "a_b",
            "dev\n",
            &"x".repeat(33),
        ] {
            assert!(text.parse::<Stage>().is_err(), "{text}");
        }
    }
}
