//! Writes one line of metrics per invocation in CloudWatch's embedded metric format (CloudWatch user guide,
//! "Specification: Embedded metric format"): a JSON object that CloudWatch turns into metrics.
//!
//! The line is not part of the log, so the log's level and format do not affect it.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{logging, milliseconds, report::Summary};

/// The namespace of the metrics.
const NAMESPACE: &str = "CrossAccountS3";
/// The only dimension of the metrics.
const DIMENSION: &str = "FunctionName";

/// The metrics of an invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) summary: Summary,
    /// The time to get sessions from STS, summed over the listed accounts.
    pub(crate) assume: Duration,
    /// The time to list the buckets, summed over the listed accounts.
    pub(crate) list: Duration,
}

impl Metrics {
    /// Writes the line.
    pub(crate) fn write(&self, function: &str) {
        let mut line = self.line(function, SystemTime::now()).to_string();
        line.push('\n');
        logging::write(line.as_bytes());
    }

    fn line(&self, function: &str, now: SystemTime) -> Value {
        let Summary {
            targets,
            ok,
            failed,
            skipped,
            buckets,
        } = self.summary;
        let metrics = [
            ("Targets", "Count", json!(targets)),
            ("Ok", "Count", json!(ok)),
            ("Failed", "Count", json!(failed)),
            ("Skipped", "Count", json!(skipped)),
            ("Buckets", "Count", json!(buckets)),
            ("AssumeMs", "Milliseconds", json!(milliseconds(self.assume))),
            ("ListMs", "Milliseconds", json!(milliseconds(self.list))),
        ];
        let definitions: Vec<Value> = metrics
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
            .collect();
        // Outside Lambda the function has no name, and CloudWatch rejects empty values.
        let dimensions: BTreeMap<&str, &str> = [(DIMENSION, function)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = json!({
            "_aws": {
                "Timestamp": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [dimensions.keys().collect::<Vec<_>>()],
                    "Metrics": definitions,
                }],
            },
        });
        for (name, _, value) in metrics {
            line[name] = value;
        }
        for (name, value) in dimensions {
            line[name] = json!(value);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics {
            summary: Summary {
                targets: 6,
                ok: 3,
                failed: 2,
                skipped: 1,
                buckets: 40,
            },
            assume: Duration::from_micros(12_340),
            list: Duration::from_millis(50),
        }
    }

    #[test]
    fn a_line_that_cloudwatch_reads() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let count = |name: &str| json!({"Name": name, "Unit": "Count"});
        let time = |name: &str| json!({"Name": name, "Unit": "Milliseconds"});
        assert_eq!(
            metrics().line("list", now),
            json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_123_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "CrossAccountS3",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            count("Targets"), count("Ok"), count("Failed"), count("Skipped"),
                            count("Buckets"), time("AssumeMs"), time("ListMs"),
                        ],
                    }],
                },
                "FunctionName": "list",
                "Targets": 6, "Ok": 3, "Failed": 2, "Skipped": 1, "Buckets": 40,
                "AssumeMs": 12.3, "ListMs": 50.0,
            })
        );
    }

    #[test]
    fn no_dimension_is_empty() {
        let line = metrics().line("", UNIX_EPOCH);
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([[]])
        );
        assert_eq!(line.get("FunctionName"), None);
    }
}
