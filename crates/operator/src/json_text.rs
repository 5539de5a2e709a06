//! JSON given as a flag.

use std::str::FromStr;

/// JSON as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonText(String);

impl JsonText {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl FromStr for JsonText {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str::<serde::de::IgnoredAny>(text)?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_text_is_rejected() {
        let event: JsonText = r#"{"n": 1.0}"#.parse().unwrap();
        assert_eq!(event.into_bytes(), br#"{"n": 1.0}"#);
        for text in ["", "{", "{} {}", "{'a': 1}"] {
            assert!(text.parse::<JsonText>().is_err(), "{text}");
        }
    }
}
