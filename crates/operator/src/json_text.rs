//! A text that is JSON, as an event is given.

use std::str::FromStr;

/// A JSON text, passed on as it was typed.
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
    fn what_is_not_json_is_refused() {
        let event: JsonText = r#"{"n": 1.0}"#.parse().unwrap();
        assert_eq!(event.into_bytes(), br#"{"n": 1.0}"#);
        for text in ["", "{", "{} {}", "{'a': 1}"] {
            assert!(text.parse::<JsonText>().is_err(), "{text}");
        }
    }
}
