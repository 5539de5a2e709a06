//! Conditions: when one holds, and which others it implies (IAM user guide, "IAM JSON policy elements: Condition operators"
//! and "Multivalued context keys").

use crate::{
    document::Condition,
    pattern::{Pattern, StarReach},
};

/// A condition with its operator parsed.
#[derive(Debug, Clone)]
pub(crate) struct ParsedCondition<'a> {
    condition: &'a Condition,
    operator: Operator,
    /// The result if the key is not in the request.
    if_absent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    /// `Null`, and its result if the key is in the request.
    Null { present: bool },
    /// A comparison. The qualifier is `foranyvalue`, `forallvalues` or empty.
    Compare {
        qualifier: String,
        negated: bool,
        comparison: Comparison,
    },
    /// An unknown operator.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Comparison {
    Equals,
    IgnoreCase,
    Like,
    /// Compares each of the six segments of an ARN: a `*` does not match across segments.
    Arn,
    /// A comparison of numbers, dates, addresses and so on, by its name. Its values are opaque here.
    Other(String),
}

impl<'a> ParsedCondition<'a> {
    pub(crate) fn of(condition: &'a Condition) -> Self {
        let name = condition.operator.to_ascii_lowercase();
        let (name, if_exists) = match name.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let (qualifier, name) = name.split_once(':').unwrap_or(("", name));
        let has_value = |word: &str| {
            condition
                .values
                .iter()
                .any(|value| value.eq_ignore_ascii_case(word))
        };
        let (negated, comparison) = match name {
            "null" => {
                return Self {
                    condition,
                    operator: Operator::Null {
                        present: has_value("false"),
                    },
                    if_absent: has_value("true"),
                };
            }
            "stringequals" => (false, Comparison::Equals),
            "stringnotequals" => (true, Comparison::Equals),
            "stringequalsignorecase" => (false, Comparison::IgnoreCase),
            "stringnotequalsignorecase" => (true, Comparison::IgnoreCase),
            "stringlike" => (false, Comparison::Like),
            "stringnotlike" => (true, Comparison::Like),
            "arnequals" | "arnlike" => (false, Comparison::Arn),
            "arnnotequals" | "arnnotlike" => (true, Comparison::Arn),
            name => (name.contains("not"), Comparison::Other(name.to_owned())),
        };
        let is_known = matches!(qualifier, "" | "foranyvalue" | "forallvalues")
            && match &comparison {
                Comparison::Other(name) => OPAQUE.contains(&name.as_str()),
                _ => true,
            };
        let operator = if is_known {
            Operator::Compare {
                qualifier: qualifier.to_owned(),
                negated,
                comparison,
            }
        } else {
            Operator::Unknown
        };
        let if_absent = match qualifier {
            _ if if_exists => true,
            "foranyvalue" => false,
            "forallvalues" => true,
            _ => negated,
        };
        Self {
            condition,
            operator,
            if_absent,
        }
    }

    /// Returns whether it holds for this value of the key, or for an absent key. Returns `None` if that is unknown.
    pub(crate) fn holds(&self, value: Option<&str>) -> Option<bool> {
        let Some(value) = value else {
            return (self.operator != Operator::Unknown).then_some(self.if_absent);
        };
        match &self.operator {
            Operator::Null { present } => Some(*present),
            Operator::Compare { qualifier, .. } if qualifier.is_empty() => self.matches(value),
            _ => None,
        }
    }

    /// Returns whether one value of the key matches.
    fn matches(&self, value: &str) -> Option<bool> {
        let Operator::Compare {
            negated,
            comparison,
            ..
        } = &self.operator
        else {
            return None;
        };
        let mut any = Some(false);
        for wanted in &self.condition.values {
            match comparison.matches(wanted, value) {
                Some(true) => return Some(!negated),
                Some(false) => {}
                None => any = None,
            }
        }
        any.map(|any| any != *negated)
    }

    /// The patterns of which the key must match one. Returns `None` if the key may also be absent or have other values.
    pub(crate) fn allowed_values(
        &self,
    ) -> Option<impl Iterator<Item = (&'a String, Pattern)> + use<'a>> {
        let Operator::Compare {
            qualifier,
            negated: false,
            comparison: comparison @ (Comparison::Equals | Comparison::Like | Comparison::Arn),
        } = &self.operator
        else {
            return None;
        };
        let is_plain = *comparison == Comparison::Equals;
        let read = move |value: &'a String| {
            let pattern = if is_plain {
                Pattern::plain(value)
            } else {
                Pattern::glob(value)
            };
            (value, pattern)
        };
        (qualifier.is_empty() && !self.if_absent).then(|| self.condition.values.iter().map(read))
    }

    /// Returns true if `other` holds whenever this condition holds.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        if !self
            .condition
            .key
            .eq_ignore_ascii_case(&other.condition.key)
        {
            return false;
        }
        let (now, old) = (self.condition, other.condition);
        if now.values == old.values && now.operator.eq_ignore_ascii_case(&old.operator) {
            return true;
        }
        if self.operator == Operator::Unknown || other.operator == Operator::Unknown {
            return false;
        }
        (!self.if_absent || other.if_absent) && self.implies_if_present(other)
    }

    fn implies_if_present(&self, other: &Self) -> bool {
        let (now, old) = match (&self.operator, &other.operator) {
            (_, Operator::Null { present: true }) | (Operator::Null { present: false }, _) => {
                return true;
            }
            (Operator::Compare { qualifier, .. }, Operator::Compare { qualifier: old, .. })
                if qualifier == old =>
            {
                (self, other)
            }
            _ => return false,
        };
        let (
            Operator::Compare {
                negated,
                comparison,
                ..
            },
            Operator::Compare {
                negated: old_negated,
                comparison: old_comparison,
                ..
            },
        ) = (&now.operator, &old.operator)
        else {
            return false;
        };
        let (values, old_values) = (&now.condition.values, &old.condition.values);
        match (negated, old_negated) {
            // Allowing fewer values is stricter.
            (false, false) => values.iter().all(|value| {
                comparison
                    .as_literal(value)
                    .is_some_and(|text| old.matches(&text) == Some(true))
                    || old_values
                        .iter()
                        .any(|wide| old_comparison.covers(wide, comparison, value))
            }),
            // Excluding more values is stricter.
            (true, true) => old_values.iter().all(|value| {
                values
                    .iter()
                    .any(|wide| comparison.covers(wide, old_comparison, value))
            }),
            (false, true) => values.iter().all(|value| {
                old_values
                    .iter()
                    .all(|excluded| comparison.is_disjoint(value, old_comparison, excluded))
            }),
            (true, false) => false,
        }
    }
}

/// Operators that do not compare text.
const OPAQUE: [&str; 16] = [
    "numericequals",
    "numericnotequals",
    "numericlessthan",
    "numericlessthanequals",
    "numericgreaterthan",
    "numericgreaterthanequals",
    "dateequals",
    "datenotequals",
    "datelessthan",
    "datelessthanequals",
    "dategreaterthan",
    "dategreaterthanequals",
    "bool",
    "binaryequals",
    "ipaddress",
    "notipaddress",
];

impl Comparison {
    /// Parses a value of the condition.
    fn pattern(&self, value: &str) -> Pattern {
        match self {
            Self::Equals | Self::Other(_) => Pattern::plain(value),
            Self::IgnoreCase => Pattern::plain(value).into_lowercase(),
            Self::Like | Self::Arn => Pattern::glob(value),
        }
    }

    fn matches(&self, wanted: &str, value: &str) -> Option<bool> {
        let wanted = self.pattern(wanted);
        match self {
            Self::Equals | Self::Like => wanted.matches(value, StarReach::Anywhere),
            Self::IgnoreCase => wanted.matches(&value.to_ascii_lowercase(), StarReach::Anywhere),
            // The value of a variable may contain a `:`.
            Self::Arn if wanted.has_variables() => None,
            Self::Arn => Some(arn_covers(&wanted, &Pattern::literal(value))),
            Self::Other(_) => None,
        }
    }

    /// The text that `value` matches, if there is exactly one.
    fn as_literal(&self, value: &str) -> Option<String> {
        match self {
            Self::Equals | Self::Like | Self::Arn => self.pattern(value).as_literal(),
            Self::IgnoreCase | Self::Other(_) => None,
        }
    }

    /// Returns true if `wide`, compared this way, matches everything that `narrow` matches, compared as `other`.
    fn covers(&self, wide: &str, other: &Self, narrow: &str) -> bool {
        let (wide_pattern, narrow_pattern) = (self.pattern(wide), other.pattern(narrow));
        match (self, other) {
            (Self::Equals, Self::Equals) => wide_pattern == narrow_pattern,
            (Self::IgnoreCase, Self::Equals | Self::IgnoreCase) => {
                wide_pattern == narrow_pattern.into_lowercase()
            }
            (Self::Like, Self::Equals | Self::Like | Self::Arn) => {
                wide_pattern.covers(&narrow_pattern, StarReach::Anywhere)
            }
            (Self::Arn, Self::Arn) if wide_pattern == narrow_pattern => true,
            (Self::Arn, Self::Arn) => {
                !wide_pattern.has_variables()
                    && !narrow_pattern.has_variables()
                    && arn_covers(&wide_pattern, &narrow_pattern)
            }
            (Self::Other(one), Self::Other(other)) => one == other && wide == narrow,
            _ => false,
        }
    }

    /// Returns true if no text matches both.
    fn is_disjoint(&self, one: &str, other_comparison: &Self, other: &str) -> bool {
        if matches!(self, Self::Other(_)) || matches!(other_comparison, Self::Other(_)) {
            return false;
        }
        let (mut one, mut other) = (self.pattern(one), other_comparison.pattern(other));
        if *self == Self::IgnoreCase || *other_comparison == Self::IgnoreCase {
            (one, other) = (one.into_lowercase(), other.into_lowercase());
        }
        !one.overlaps(&other)
    }
}

fn arn_covers(wide: &Pattern, narrow: &Pattern) -> bool {
    let (Some(wide), Some(narrow)) = (wide.segments(), narrow.segments()) else {
        return false;
    };
    let mut pairs = wide.iter().zip(&narrow);
    pairs.all(|(wide, narrow)| wide.covers(narrow, StarReach::Anywhere))
}
