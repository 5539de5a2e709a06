//! How much the function logs.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// How much the function logs: the level named and everything more severe. The default is `info`.
///
/// The levels of Lambda's own log filter without `FATAL` (Lambda developer guide, "Log-level filtering"), which Rust's
/// `tracing` does not know.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything, the SDK's wire logs included.
    Trace,
    /// Every request to AWS.
    Debug,
    /// One line an invocation.
    #[default]
    Info,
    /// What a person should look at.
    Warn,
    /// Failures alone.
    Error,
}

impl LogLevel {
    const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// The name in lower case, as the variables file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for LogLevel {
    type Err = InvalidValue;

    /// Upper and lower case are the same: Lambda itself writes `INFO`.
    ///
    /// # Errors
    /// Another word.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                InvalidValue::new(
                    "log level",
                    text,
                    "is not one of trace, debug, info, warn, error",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_in_either_case() {
        assert_eq!("INFO".parse::<LogLevel>().unwrap(), LogLevel::Info);
        assert_eq!("debug".parse::<LogLevel>().unwrap(), LogLevel::Debug);
        assert!("FATAL".parse::<LogLevel>().is_err());
        assert!("".parse::<LogLevel>().is_err());
    }
}
