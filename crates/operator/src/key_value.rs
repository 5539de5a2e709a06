//! `KEY=VALUE`, the form of parameters and tags.

use std::str::FromStr;

/// A key, which is not empty, and a value, which may be empty or contain further `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for KeyValue {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected KEY=VALUE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_divides() {
        let pair: KeyValue = "Trust=arn:x=y".parse().unwrap();
        assert_eq!(
            (pair.key.as_str(), pair.value.as_str()),
            ("Trust", "arn:x=y")
        );
        assert_eq!("Empty=".parse::<KeyValue>().unwrap().value, "");
        for text in ["", "=", "=value", "key"] {
            assert!(text.parse::<KeyValue>().is_err(), "{text}");
        }
    }
}
