//! The figures of a process.

use serde::{Deserialize, Serialize};

/// A figure; its value is in its own [`unit`](Self::unit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Figure {
    /// From process start to its first request for an event.
    Init,
    /// From process start to its first response.
    Cold,
    /// The median of the warm calls.
    WarmP50,
    /// The 99th percentile of the warm calls.
    WarmP99,
    /// CPU time up to the first `next`.
    InitProcessor,
    /// CPU time of the first call.
    ColdProcessor,
    /// CPU time of the first call, per account.
    ProcessorPerAccount,
    /// CPU time of a warm call.
    WarmProcessor,
    /// The peak resident memory.
    Memory,
    /// Requests to STS in the first call.
    ColdAssume,
    /// Requests to S3 in the first call.
    ColdList,
    /// New connections in the first call.
    ColdConnections,
    /// Requests to STS in a warm call.
    WarmAssume,
    /// Requests to S3 in a warm call.
    WarmList,
    /// New connections in a warm call.
    WarmConnections,
    /// Size of the executable.
    Executable,
    /// Size of the zip.
    Zip,
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Millions of bytes.
    Megabytes,
    /// A plain number.
    Count,
}

impl Figure {
    /// The figures of a process, in the order of the report.
    pub(crate) const OF_PROCESS: [Self; 15] = [
        Self::Init,
        Self::Cold,
        Self::WarmP50,
        Self::WarmP99,
        Self::InitProcessor,
        Self::ColdProcessor,
        Self::ProcessorPerAccount,
        Self::WarmProcessor,
        Self::Memory,
        Self::ColdAssume,
        Self::ColdList,
        Self::ColdConnections,
        Self::WarmAssume,
        Self::WarmList,
        Self::WarmConnections,
    ];

    /// The title in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Init => "init: start to first `next`",
            Self::Cold => "cold: start to first response",
            Self::WarmP50 => "warm call, p50",
            Self::WarmP99 => "warm call, p99",
            Self::InitProcessor => "CPU: init",
            Self::ColdProcessor => "CPU: first call",
            Self::ProcessorPerAccount => "CPU: first call, per account",
            Self::WarmProcessor => "CPU: warm call",
            Self::Memory => "peak RSS",
            Self::ColdAssume => "STS requests, first call",
            Self::ColdList => "S3 requests, first call",
            Self::ColdConnections => "new connections, first call",
            Self::WarmAssume => "STS requests, warm call",
            Self::WarmList => "S3 requests, warm call",
            Self::WarmConnections => "new connections, warm call",
            Self::Executable => "executable",
            Self::Zip => "zip",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Init
            | Self::Cold
            | Self::WarmP50
            | Self::WarmP99
            | Self::InitProcessor
            | Self::ColdProcessor
            | Self::ProcessorPerAccount
            | Self::WarmProcessor => Unit::Milliseconds,
            Self::Memory | Self::Executable | Self::Zip => Unit::Megabytes,
            Self::ColdAssume
            | Self::ColdList
            | Self::ColdConnections
            | Self::WarmAssume
            | Self::WarmList
            | Self::WarmConnections => Unit::Count,
        }
    }
}

impl Unit {
    /// A value with three significant digits and its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{} ms", digits(value)),
            Self::Megabytes => format!("{} MB", digits(value)),
            Self::Count => number(value),
        }
    }

    /// A value without its unit.
    pub(crate) fn show_bare(self, value: f64) -> String {
        match self {
            Self::Milliseconds | Self::Megabytes => digits(value),
            Self::Count => number(value),
        }
    }
}

/// Three significant digits: `0.123`, `1.23`, `12.3`, `123`, `12,345`.
pub(crate) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    match whole.parse() {
        Ok(whole) if whole >= 1_000 => format!("{}{rest}", crate::scenario::thousands(whole)),
        _ => text,
    }
}

/// A count, without decimals if it is whole.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        digits(value)
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned()
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits() {
        for (value, text) in [
            (0.0, "0.000"),
            (0.1234, "0.123"),
            (0.9996, "1.00"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (99.96, "100"),
            (336.4, "336"),
            (61_234.0, "61,234"),
        ] {
            assert_eq!(digits(value), text);
        }
        assert_eq!(Unit::Count.show(2.0), "2");
        assert_eq!(Unit::Count.show(1_000.0), "1,000");
        assert_eq!(Unit::Count.show(0.5), "0.50");
        assert_eq!(Unit::Milliseconds.show(0.31), "0.310 ms");
    }
}
