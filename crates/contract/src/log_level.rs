//! The function's log level.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// The least severe level that the function logs. The default is `info`.
///
/// The levels are those of Lambda's log filter (Lambda developer guide, "Log-level filtering") except `FATAL`, which
/// Rust's `tracing` does not have.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything, including the SDK's wire logs.
    Trace,
    /// Every request to AWS.
    Debug,
    /// One line for each invocation.
    #[default]
    Info,
    /// Conditions that need attention.
    Warn,
    /// Failures.
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

    /// Ignores case, because Lambda writes `INFO`.
    ///
    /// # Errors
    /// `text` is not the name of a level.
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
