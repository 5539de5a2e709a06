//! Parses the schedule expressions of EventBridge rules.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use contract::InvalidValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// `rate(VALUE UNIT)` or `cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)`, in UTC (EventBridge user guide, "Cron
/// expressions reference" and "Rate expressions reference").
///
/// The form and the ranges are checked, but not whether the time exists (31 February).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(String);

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Schedule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Schedule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(rate\((1 (minute|hour|day)|(1[0-9]+|[2-9][0-9]*) (minutes|hours|days))\)|cron\([^ ]+( [^ ]+){5}\))$",
        })
    }
}

impl FromStr for Schedule {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let inside = |name: &str| {
            text.strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        let problem = match (inside("rate"), inside("cron")) {
            (Some(rate), _) => rate_problem(rate),
            (_, Some(cron)) => cron_problem(cron),
            (None, None) => Some("is neither `rate(…)` nor `cron(…)`".to_owned()),
        };
        match problem {
            None => Ok(Self(text.to_owned())),
            Some(problem) => Err(InvalidValue::new("schedule", text, problem).with_hint(
                "write `rate(1 hour)`, `rate(5 minutes)` or `cron(0 12 * * ? *)`, which is every day at 12:00 UTC",
            )),
        }
    }
}

fn rate_problem(inside: &str) -> Option<String> {
    let (value, unit) = inside.split_once(' ').unwrap_or_default();
    let is_whole = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if value.is_empty() || !is_whole || !["minute", "hour", "day"].contains(&singular) {
        return Some("does not have the form `rate(VALUE UNIT)`".to_owned());
    }
    let plural = if value == "1" { "" } else { "s" };
    (unit != format!("{singular}{plural}")).then(|| {
        format!("has the unit `{unit}`; after {value}, EventBridge expects `{singular}{plural}`")
    })
}

/// The fields of a cron expression: the range of their numbers, and their words.
const FIELDS: [(&str, RangeInclusive<u32>, &str); 6] = [
    ("minutes", 0..=59, ""),
    ("hours", 0..=23, ""),
    ("day-of-month", 1..=31, "? L LW"),
    (
        "month",
        1..=12,
        "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC",
    ),
    ("day-of-week", 1..=7, "? L SUN MON TUE WED THU FRI SAT"),
    ("year", 1970..=2199, ""),
];

/// Finds fields that are plainly wrong. EventBridge decides about the rest, such as a list of `15W`.
fn cron_problem(inside: &str) -> Option<String> {
    let fields: Vec<&str> = inside.split(' ').collect();
    if fields.len() != FIELDS.len() {
        return Some(format!("has {} fields, not 6", fields.len()));
    }
    for ((name, range, words), text) in FIELDS.into_iter().zip(&fields) {
        let is_value = |value: &str| {
            // A day can be `15W`, `6L` or `2#1`.
            let number = if words.starts_with('?') {
                value.split(['W', 'L', '#']).next().unwrap_or_default()
            } else {
                value
            };
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            value == "*"
                || words
                    .split(' ')
                    .any(|word| !word.is_empty() && word == value)
                || is_number && number.parse().is_ok_and(|number| range.contains(&number))
        };
        let is_item = |item: &str| {
            let (values, step) = item.split_once('/').unwrap_or((item, "1"));
            values.split('-').all(is_value) && step.parse::<u16>().is_ok_and(|step| step > 0)
        };
        // EventBridge allows one such expression in a rule.
        let is_alone = !text.contains(',') || !text.contains(['?', '#']);
        if !is_alone || !text.split(',').all(is_item) {
            let (min, max) = range.into_inner();
            return Some(format!(
                "has an invalid field `{text}`; {name}: {min} to {max}"
            ));
        }
    }
    ((fields[2] == "?") == (fields[4] == "?"))
        .then(|| "must have `?` as either day-of-month or day-of-week".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_the_user_guide() {
        for text in [
            "rate(1 minute)",
            "rate(5 minutes)",
            "rate(1 hour)",
            "rate(12 hours)",
            "rate(1 day)",
            "rate(10 days)",
            "cron(0 12 * * ? *)",
            "cron(15 10 ? * 6L 2019-2022)",
            "cron(0/10 * ? * MON-FRI *)",
            "cron(0,30 8-17 ? * MON,WED *)",
            "cron(0 9 ? * 2#1 *)",
            "cron(0 0 L * ? *)",
            "cron(0 0 3W JAN-MAR ? *)",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
        }
    }

    #[test]
    fn other_expressions_are_rejected() {
        for text in [
            "",
            "1 hour",
            "rate()",
            "rate(1 hours)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "rate(05 minutes)",
            "rate(-1 minutes)",
            "rate(1.5 hours)",
            "rate(5 weeks)",
            "rate(5  minutes)",
            "rate(5 minutes) ",
            "RATE(5 minutes)",
            "cron(0 12 * * ?)",
            "cron(0 12 * * * *)",
            "cron(0 12 ? * ? *)",
            "cron(60 12 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 12 32 * ? *)",
            "cron(0 12 * 13 ? *)",
            "cron(0 12 ? * MUN *)",
            "cron(0 12 * * ? 1969)",
            "cron(0  12 * * ? *)",
            "cron(0 12 * * ? *",
            "cron(0 12 * * ? ${x})",
            "cron(*/0 12 * * ? *)",
            "cron(\"0\" 12 * * ? *)",
            "cron(0 12 ? * 3#1,6#3 *)",
            "cron(0 12 ? * MON,3#1 *)",
            "cron(0 12 1,? * ? *)",
            "cron(0 12 1,? * MON *)",
            "cron(0 12 ? * ?,MON *)",
            "cron(0 12 ?,? * MON *)",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
