//! When the function is called by itself: the expressions of an EventBridge rule.

use std::{fmt, str::FromStr};

use contract::InvalidValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// `rate(VALUE UNIT)` or `cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)`, in UTC (EventBridge user guide, "Cron
/// expressions reference" and "Rate expressions reference").
///
/// Checked for its form and its ranges. Whether a cron expression ever comes true (31 February) is not.
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
        let checked = if let Some(rate) = inside("rate") {
            check_rate(rate)
        } else if let Some(cron) = inside("cron") {
            check_cron(cron)
        } else {
            Err(Fault {
                problem: "is neither `rate(…)` nor `cron(…)`".to_owned(),
                hint: "write `rate(1 hour)`, `rate(5 minutes)` or `cron(0 12 * * ? *)` (every day at 12:00 UTC)"
                    .to_owned(),
            })
        };
        match checked {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(Fault { problem, hint }) => {
                Err(InvalidValue::new("schedule", text, problem).with_hint(hint))
            }
        }
    }
}

struct Fault {
    problem: String,
    hint: String,
}

fn check_rate(inside: &str) -> Result<(), Fault> {
    let fault = |problem: &str, hint: String| Fault {
        problem: problem.to_owned(),
        hint,
    };
    let form = || {
        fault(
            "does not have the form `rate(VALUE UNIT)`",
            "write a whole number from 1, a space, and minutes, hours or days: `rate(5 minutes)`"
                .to_owned(),
        )
    };
    let (value, unit) = inside.split_once(' ').ok_or_else(form)?;
    let whole = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if value.is_empty() || !whole || !["minute", "hour", "day"].contains(&singular) {
        return Err(form());
    }
    let right = if value == "1" {
        singular.to_owned()
    } else {
        format!("{singular}s")
    };
    if unit == right {
        Ok(())
    } else {
        Err(fault(
            "has a unit that EventBridge refuses",
            format!("write `rate({value} {right})`: singular after 1, plural after the others"),
        ))
    }
}

/// A field of a cron expression.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    kind: FieldKind,
}

#[derive(PartialEq)]
enum FieldKind {
    Plain,
    DayOfMonth,
    DayOfWeek,
}

const FIELDS: [Field; 6] = [
    Field {
        name: "minutes",
        least: 0,
        most: 59,
        names: &[],
        kind: FieldKind::Plain,
    },
    Field {
        name: "hours",
        least: 0,
        most: 23,
        names: &[],
        kind: FieldKind::Plain,
    },
    Field {
        name: "day-of-month",
        least: 1,
        most: 31,
        names: &[],
        kind: FieldKind::DayOfMonth,
    },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        kind: FieldKind::Plain,
    },
    Field {
        name: "day-of-week",
        least: 1,
        most: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        kind: FieldKind::DayOfWeek,
    },
    Field {
        name: "year",
        least: 1970,
        most: 2199,
        names: &[],
        kind: FieldKind::Plain,
    },
];

fn check_cron(inside: &str) -> Result<(), Fault> {
    let fields: Vec<&str> = inside.split(' ').collect();
    if fields.len() != FIELDS.len() || fields.contains(&"") {
        let given = fields.iter().filter(|field| !field.is_empty()).count();
        return Err(Fault {
            problem: if given == FIELDS.len() {
                "has more than one space between two fields".to_owned()
            } else {
                format!("has {given} fields, not 6")
            },
            hint: "write minutes, hours, day-of-month, month, day-of-week and year, a space between two: `cron(0 12 * * ? *)`"
                .to_owned(),
        });
    }
    for (field, text) in FIELDS.iter().zip(&fields) {
        let items = || text.split(',');
        if let Some(alone) = items().find(|item| item.contains(['?', '#']))
            && alone != *text
            && field.kind != FieldKind::Plain
        {
            return Err(Fault {
                problem: format!("has the {} `{text}`, a list with `{alone}` in it", field.name),
                hint: "write `?` and `2#1` alone, without a `,`: EventBridge takes one such expression a rule".to_owned(),
            });
        }
        if !items().all(|item| field.takes(item)) {
            return Err(Fault {
                problem: format!("has the {} `{text}`, which cannot be", field.name),
                hint: field.form(),
            });
        }
    }
    if (fields[2] == "?") == (fields[4] == "?") {
        return Err(Fault {
            problem: "must have `?` as day-of-month or as day-of-week, and not as both".to_owned(),
            hint: "write `?` for the one that does not matter: `cron(0 12 * * ? *)` or `cron(0 12 ? * MON-FRI *)`"
                .to_owned(),
        });
    }
    Ok(())
}

impl Field {
    /// One item of the list that a field is.
    fn takes(&self, item: &str) -> bool {
        let of_days = match self.kind {
            FieldKind::Plain => false,
            FieldKind::DayOfMonth => {
                matches!(item, "?" | "L" | "LW")
                    || item.strip_suffix('W').is_some_and(|day| self.has(day))
            }
            FieldKind::DayOfWeek => {
                matches!(item, "?" | "L")
                    || item.strip_suffix('L').is_some_and(|day| self.has(day))
                    || item.split_once('#').is_some_and(|(day, week)| {
                        self.has(day) && matches!(week, "1" | "2" | "3" | "4" | "5")
                    })
            }
        };
        let (base, step) = item
            .split_once('/')
            .map_or((item, None), |(base, step)| (base, Some(step)));
        let stepped = step.is_none_or(|step| {
            (1..=4).contains(&step.len())
                && step.bytes().all(|byte| byte.is_ascii_digit())
                && !step.starts_with('0')
        });
        let based = base == "*"
            || self.has(base)
            || base
                .split_once('-')
                .is_some_and(|(from, to)| self.has(from) && self.has(to));
        of_days || (based && stepped)
    }

    /// One value of the field.
    fn has(&self, value: &str) -> bool {
        let number = || {
            (1..=4).contains(&value.len())
                && value.bytes().all(|byte| byte.is_ascii_digit())
                && value
                    .parse()
                    .is_ok_and(|number| (self.least..=self.most).contains(&number))
        };
        self.names.contains(&value) || number()
    }

    /// What the field may hold, for a person.
    fn form(&self) -> String {
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        let special = match self.kind {
            FieldKind::Plain => "",
            FieldKind::DayOfMonth => ", or `?`, `L` (the last), `15W` (the weekday nearest)",
            FieldKind::DayOfWeek => {
                ", or `?`, `6L` (the month's last Friday), `2#1` (its first Monday)"
            }
        };
        format!(
            "{} are {} to {}{names}, `*`, lists with `,`, ranges with `-`, steps with `/`{special}",
            self.name, self.least, self.most
        )
    }
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
    fn other_expressions_are_refused() {
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
