//! A condition of a statement: when it holds, and which others it makes sure of (IAM user guide, "IAM JSON policy elements:
//! Condition operators" and "Multivalued context keys").

use crate::{
    document::Condition,
    pattern::{Pattern, Reach},
};

/// A condition, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Test<'a> {
    condition: &'a Condition,
    operator: Operator,
    /// Whether it holds if the key is not in the request.
    absent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    /// Whether it holds if the key is in the request.
    Null { present: bool },
    /// How each value of the key is compared, after `ForAnyValue` or `ForAllValues` in lower case, or neither.
    Compare {
        qualifier: String,
        negated: bool,
        how: How,
    },
    /// One that is not known.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Equals,
    IgnoreCase,
    Like,
    /// Each of an ARN's six parts by itself: a `*` reaches no further than its part.
    Arn,
    /// Of numbers, dates, addresses and the like: by its name. What values mean is not known here.
    Other(String),
}

impl<'a> Test<'a> {
    pub(crate) fn of(condition: &'a Condition) -> Self {
        let name = condition.operator.to_ascii_lowercase();
        let (name, if_exists) = match name.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let (qualifier, name) = name.split_once(':').unwrap_or(("", name));
        let says = |word: &str| {
            condition
                .values
                .iter()
                .any(|value| value.eq_ignore_ascii_case(word))
        };
        let (negated, how) = match name {
            "null" => {
                return Self {
                    condition,
                    operator: Operator::Null {
                        present: says("false"),
                    },
                    absent: says("true"),
                };
            }
            "stringequals" => (false, How::Equals),
            "stringnotequals" => (true, How::Equals),
            "stringequalsignorecase" => (false, How::IgnoreCase),
            "stringnotequalsignorecase" => (true, How::IgnoreCase),
            "stringlike" => (false, How::Like),
            "stringnotlike" => (true, How::Like),
            "arnequals" | "arnlike" => (false, How::Arn),
            "arnnotequals" | "arnnotlike" => (true, How::Arn),
            name => (name.contains("not"), How::Other(name.to_owned())),
        };
        let is_known = matches!(qualifier, "" | "foranyvalue" | "forallvalues")
            && match &how {
                How::Other(name) => OTHERS.contains(&name.as_str()),
                _ => true,
            };
        let operator = if is_known {
            Operator::Compare {
                qualifier: qualifier.to_owned(),
                negated,
                how,
            }
        } else {
            Operator::Unknown
        };
        let absent = match qualifier {
            _ if if_exists => true,
            "foranyvalue" => false,
            "forallvalues" => true,
            _ => negated,
        };
        Self {
            condition,
            operator,
            absent,
        }
    }

    /// Whether it holds if the key has this value, or is not in the request; nothing if that cannot be told.
    pub(crate) fn holds(&self, value: Option<&str>) -> Option<bool> {
        let Some(value) = value else {
            return (self.operator != Operator::Unknown).then_some(self.absent);
        };
        match &self.operator {
            Operator::Null { present } => Some(*present),
            Operator::Compare { qualifier, .. } if qualifier.is_empty() => self.takes(value),
            _ => None,
        }
    }

    /// Whether one value of the key fits.
    fn takes(&self, value: &str) -> Option<bool> {
        let Operator::Compare { negated, how, .. } = &self.operator else {
            return None;
        };
        let mut any = Some(false);
        for wanted in &self.condition.values {
            match how.matches(wanted, value) {
                Some(true) => return Some(!negated),
                Some(false) => {}
                None => any = None,
            }
        }
        any.map(|any| any != *negated)
    }

    /// The values that the key must have one of, as patterns; nothing if it may also be absent or have others.
    pub(crate) fn admits(&self) -> Option<impl Iterator<Item = (&'a String, Pattern)> + use<'a>> {
        let Operator::Compare {
            qualifier,
            negated: false,
            how: how @ (How::Equals | How::Like | How::Arn),
        } = &self.operator
        else {
            return None;
        };
        let is_plain = *how == How::Equals;
        let read = move |value: &'a String| {
            let pattern = if is_plain {
                Pattern::plain(value)
            } else {
                Pattern::glob(value)
            };
            (value, pattern)
        };
        (qualifier.is_empty() && !self.absent).then(|| self.condition.values.iter().map(read))
    }

    /// Whether this holds only if `other` does.
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
        (!self.absent || other.absent) && self.implies_if_present(other)
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
            Operator::Compare { negated, how, .. },
            Operator::Compare {
                negated: old_negated,
                how: old_how,
                ..
            },
        ) = (&now.operator, &old.operator)
        else {
            return false;
        };
        let (values, old_values) = (&now.condition.values, &old.condition.values);
        match (negated, old_negated) {
            // To admit less is stricter.
            (false, false) => values.iter().all(|value| {
                how.only(value)
                    .is_some_and(|only| old.takes(&only) == Some(true))
                    || old_values
                        .iter()
                        .any(|wide| old_how.covers(wide, how, value))
            }),
            // And so is to exclude more.
            (true, true) => old_values
                .iter()
                .all(|value| values.iter().any(|wide| how.covers(wide, old_how, value))),
            (false, true) => values.iter().all(|value| {
                old_values
                    .iter()
                    .all(|excluded| how.is_apart(value, old_how, excluded))
            }),
            (true, false) => false,
        }
    }
}

/// Operators whose values are compared by another meaning than their text.
const OTHERS: [&str; 16] = [
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

impl How {
    /// `value` of a policy, as a pattern.
    fn read(&self, value: &str) -> Pattern {
        match self {
            Self::Equals | Self::Other(_) => Pattern::plain(value),
            Self::IgnoreCase => Pattern::plain(value).lower(),
            Self::Like | Self::Arn => Pattern::glob(value),
        }
    }

    fn matches(&self, wanted: &str, value: &str) -> Option<bool> {
        let wanted = self.read(wanted);
        match self {
            Self::Equals | Self::Like => wanted.matches(value, Reach::Free),
            Self::IgnoreCase => wanted.matches(&value.to_ascii_lowercase(), Reach::Free),
            // A variable's value may have a `:`.
            Self::Arn if wanted.has_variables() => None,
            Self::Arn => Some(arn_covers(&wanted, &Pattern::text(value))),
            Self::Other(_) => None,
        }
    }

    /// The only value that `value` stands for.
    fn only(&self, value: &str) -> Option<String> {
        match self {
            Self::Equals | Self::Like | Self::Arn => self.read(value).only(),
            Self::IgnoreCase | Self::Other(_) => None,
        }
    }

    /// Whether `wide`, compared this way, stands for everything that `narrow` does, compared the other way.
    fn covers(&self, wide: &str, other: &Self, narrow: &str) -> bool {
        let (wide_pattern, narrow_pattern) = (self.read(wide), other.read(narrow));
        match (self, other) {
            (Self::Equals, Self::Equals) => wide_pattern == narrow_pattern,
            (Self::IgnoreCase, Self::Equals | Self::IgnoreCase) => {
                wide_pattern == narrow_pattern.lower()
            }
            (Self::Like, Self::Equals | Self::Like | Self::Arn) => {
                wide_pattern.covers(&narrow_pattern, Reach::Free)
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

    /// Whether no value can be both.
    fn is_apart(&self, one: &str, other_how: &Self, other: &str) -> bool {
        if matches!(self, Self::Other(_)) || matches!(other_how, Self::Other(_)) {
            return false;
        }
        let (mut one, mut other) = (self.read(one), other_how.read(other));
        if *self == Self::IgnoreCase || *other_how == Self::IgnoreCase {
            (one, other) = (one.lower(), other.lower());
        }
        !one.overlaps(&other)
    }
}

fn arn_covers(wide: &Pattern, narrow: &Pattern) -> bool {
    let (Some(wide), Some(narrow)) = (wide.segments(), narrow.segments()) else {
        return false;
    };
    let mut pairs = wide.iter().zip(&narrow);
    pairs.all(|(wide, narrow)| wide.covers(narrow, Reach::Free))
}
