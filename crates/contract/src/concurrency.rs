//! The number of accounts to list at a time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::InvalidValue;

/// The number of accounts to list at a time: 1 to 256, by default 64.
///
/// Each account has one request in flight, so this is also the number of connections. Above 256, hyper opens connections
/// that compete with each other, and an invocation becomes slower.
///
/// ```
/// use contract::Concurrency;
///
/// assert_eq!(Concurrency::default().get(), 64);
/// assert!(Concurrency::new(0).is_err());
/// # Ok::<(), contract::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Concurrency(u16);

impl Concurrency {
    /// The minimum.
    pub const MIN: u16 = 1;
    /// The maximum.
    pub const MAX: u16 = 256;

    /// A number of accounts.
    ///
    /// # Errors
    /// `number` is not in 1 to 256.
    pub fn new(number: u64) -> Result<Self, InvalidValue> {
        u16::try_from(number)
            .ok()
            .filter(|number| (Self::MIN..=Self::MAX).contains(number))
            .map(Self)
            .ok_or_else(|| Self::invalid(&number.to_string()))
    }

    /// The number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    fn invalid(value: &str) -> InvalidValue {
        let problem = format!("is not a number from {} to {}", Self::MIN, Self::MAX);
        InvalidValue::new("concurrency", value, problem)
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self(64)
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Concurrency {
    type Err = InvalidValue;

    /// # Errors
    /// `text` is not a number from 1 to 256.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        text.parse()
            .map_err(|_| Self::invalid(text))
            .and_then(Self::new)
    }
}

impl Serialize for Concurrency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Concurrency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Concurrency".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": Self::MIN, "maximum": Self::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range() {
        for number in [1, 64, 256] {
            let concurrency = Concurrency::new(number).unwrap();
            assert_eq!(concurrency.get() as u64, number);
            assert_eq!(concurrency.to_string().parse(), Ok(concurrency));
        }
        for number in [0, 257, 65_536, u64::MAX] {
            assert!(Concurrency::new(number).is_err(), "{number}");
        }
        let error = "many".parse::<Concurrency>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "concurrency `many` is not a number from 1 to 256"
        );
    }
}
