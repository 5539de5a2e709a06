//! Generates random pairs of small policies.

use fastrand::Rng;
use iam_policy::Document;
use serde_json::{Map, Value, json};

pub(crate) fn one_in(rng: &mut Rng, count: usize) -> bool {
    rng.usize(..count) == 0
}

pub(crate) fn choose<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())]
}

fn choose_some<T: Copy + PartialEq>(rng: &mut Rng, all: &[T]) -> Vec<T> {
    let mut some = Vec::new();
    for _ in 0..=rng.usize(..2) {
        let one = choose(rng, all);
        if !some.contains(&one) {
            some.push(one);
        }
    }
    some
}

const ACTIONS: [&str; 8] = [
    "sts:AssumeRole",
    "sts:AssumeRole",
    "STS:assumerole",
    "sts:*",
    "sts:?ssumeRole",
    "s3:GetObject",
    "s3:Get*",
    "*",
];
const RESOURCES: [&str; 13] = [
    "*",
    "arn:aws:s3:::a",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b",
    "arn:aws:s3:::a/?",
    "arn:aws:s3:::a/${aws:username}",
    "arn:aws:s3:::a/${*}",
    "arn:aws:iam::222222222222:role/R",
    "arn:aws:iam::*:role/R",
    "arn:aws:iam::*2:role/R",
    "arn:aws:iam::222222222222:role/*",
    "arn:aws:iam::222222222222:*R",
];
const PRINCIPALS: [(&str, &str); 11] = [
    ("AWS", "*"),
    ("AWS", "111111111111"),
    ("AWS", "arn:aws:iam::111111111111:root"),
    ("AWS", "arn:aws:iam::111111111111:role/E"),
    ("AWS", "arn:aws:iam::111111111111:role/E"),
    ("AWS", "arn:aws:iam::111111111111:role/G"),
    ("AWS", "arn:aws:iam::222222222222:role/F"),
    ("AWS", "arn:aws:iam::222222222222:root"),
    ("AWS", "arn:aws:sts::111111111111:assumed-role/E/S"),
    ("Service", "lambda.amazonaws.com"),
    ("Service", "ec2.amazonaws.com"),
];
const STRING: [&str; 6] = [
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
];
const ARN: [&str; 6] = [
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "StringEquals",
    "StringLike",
];
const OF_LISTS: [&str; 5] = [
    "ForAnyValue:StringEquals",
    "ForAnyValue:StringLike",
    "ForAllValues:StringEquals",
    "ForAllValues:StringLike",
    "ForAnyValue:StringNotEquals",
];
/// Context keys with the operators and values of their conditions.
const CONDITIONS: [(&str, &[&str], &[&str]); 5] = [
    (
        "aws:PrincipalArn",
        &ARN,
        &[
            "arn:aws:iam::111111111111:role/E",
            "arn:aws:iam::111111111111:role/*",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:*",
            "arn:aws:iam::222222222222:role/F",
            "arn:aws:iam::*:role/E",
            "arn:*:role/E",
            "arn:aws:iam::*",
            "*",
        ],
    ),
    (
        "aws:principalarn",
        &ARN,
        &["arn:aws:iam::111111111111:role/E", "arn:aws:iam::*:role/*"],
    ),
    (
        "sts:ExternalId",
        &STRING,
        &[
            "a",
            "A",
            "a*",
            "a?",
            "ab",
            "*",
            "b",
            "${aws:username}",
            "${*}",
            "x${AWS:username}",
        ],
    ),
    ("aws:PrincipalOrgID", &STRING, &["o-1", "o-*", "O-1", "o-2"]),
    ("aws:TagKeys", &OF_LISTS, &["a", "b", "a*"]),
];

/// The values of an element, or of its negation.
#[derive(Clone)]
pub(crate) struct Values<T> {
    pub(crate) not: bool,
    pub(crate) values: Vec<T>,
}

impl<T: Copy + PartialEq> Values<T> {
    pub(crate) fn sample(rng: &mut Rng, all: &[T]) -> Self {
        Self {
            not: one_in(rng, 6),
            values: choose_some(rng, all),
        }
    }

    fn mutate(&mut self, rng: &mut Rng, all: &[T]) {
        match rng.usize(..4) {
            0 => self.values.push(choose(rng, all)),
            1 if self.values.len() > 1 => {
                self.values.remove(0);
            }
            2 => self.not = !self.not,
            _ => {
                let at = rng.usize(..self.values.len());
                self.values[at] = choose(rng, all);
            }
        }
    }

    pub(crate) fn holds(&self, is: impl Fn(T) -> bool) -> bool {
        self.values.iter().any(|&value| is(value)) != self.not
    }
}

#[derive(Clone)]
pub(crate) struct Condition {
    pub(crate) operator: String,
    pub(crate) key: &'static str,
    pub(crate) values: Vec<&'static str>,
}

impl Condition {
    pub(crate) fn sample(rng: &mut Rng) -> Self {
        let (key, operators, values) = choose(rng, &CONDITIONS);
        if one_in(rng, 8) {
            return Self {
                operator: "Null".to_owned(),
                key,
                values: choose_some(rng, &["true", "false"]),
            };
        }
        let if_exists = if one_in(rng, 5) { "IfExists" } else { "" };
        Self {
            operator: format!("{}{if_exists}", choose(rng, operators)),
            key,
            values: choose_some(rng, values),
        }
    }

    fn mutate(&mut self, rng: &mut Rng) {
        let other = loop {
            let other = Self::sample(rng);
            if other.key == self.key {
                break other;
            }
        };
        match rng.usize(..3) {
            _ if (other.operator == "Null") != (self.operator == "Null") => *self = other,
            0 => self.operator = other.operator,
            1 => self.values = other.values,
            _ => self.values.extend(other.values),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) denies: bool,
    pub(crate) principals: Option<Values<(&'static str, &'static str)>>,
    pub(crate) actions: Values<&'static str>,
    pub(crate) resources: Option<Values<&'static str>>,
    pub(crate) conditions: Vec<Condition>,
}

impl Statement {
    pub(crate) fn sample(rng: &mut Rng, is_trust: bool) -> Self {
        Self {
            denies: one_in(rng, 4),
            principals: is_trust.then(|| Values::sample(rng, &PRINCIPALS)),
            actions: Values::sample(rng, &ACTIONS),
            resources: (!is_trust).then(|| Values::sample(rng, &RESOURCES)),
            conditions: (0..rng.usize(..3))
                .map(|_| Condition::sample(rng))
                .collect(),
        }
    }

    fn mutate(&mut self, rng: &mut Rng) {
        match rng.usize(..6) {
            0 => self.actions.mutate(rng, &ACTIONS),
            1 | 2 => match (&mut self.principals, &mut self.resources) {
                (Some(principals), _) => principals.mutate(rng, &PRINCIPALS),
                (None, Some(resources)) => resources.mutate(rng, &RESOURCES),
                (None, None) => {}
            },
            3 => self.conditions.push(Condition::sample(rng)),
            4 if !self.conditions.is_empty() => {
                let at = rng.usize(..self.conditions.len());
                self.conditions.remove(at);
            }
            _ => {
                let at = rng.usize(..self.conditions.len().max(1));
                if let Some(condition) = self.conditions.get_mut(at) {
                    condition.mutate(rng);
                }
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        let mut map = Map::new();
        let name = |not: bool, name: &str| format!("{}{name}", if not { "Not" } else { "" });
        map.insert(
            "Effect".to_owned(),
            json!(if self.denies { "Deny" } else { "Allow" }),
        );
        if let Some(Values { not, values }) = &self.principals {
            let mut kinds = Map::new();
            for (kind, value) in values {
                let of_kind = kinds.entry(*kind).or_insert_with(|| json!([]));
                of_kind.as_array_mut().unwrap().push(json!(value));
            }
            map.insert(name(*not, "Principal"), kinds.into());
        }
        map.insert(name(self.actions.not, "Action"), json!(self.actions.values));
        if let Some(Values { not, values }) = &self.resources {
            map.insert(name(*not, "Resource"), json!(values));
        }
        let mut operators = Map::new();
        for Condition {
            operator,
            key,
            values,
        } in &self.conditions
        {
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys[key] = json!(values);
        }
        if !operators.is_empty() {
            map.insert("Condition".to_owned(), operators.into());
        }
        map.into()
    }
}

#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) version: Option<&'static str>,
    pub(crate) statements: Vec<Statement>,
}

impl Policy {
    pub(crate) fn sample(rng: &mut Rng, is_trust: bool) -> Self {
        Self {
            version: choose(
                rng,
                &[
                    Some("2012-10-17"),
                    Some("2012-10-17"),
                    Some("2012-10-17"),
                    Some("2008-10-17"),
                    None,
                ],
            ),
            statements: (0..=rng.usize(..3))
                .map(|_| Statement::sample(rng, is_trust))
                .collect(),
        }
    }

    fn mutate(&mut self, rng: &mut Rng, is_trust: bool) {
        match rng.usize(..10) {
            0 => self.version = choose(rng, &[Some("2012-10-17"), None]),
            1 => self.statements.push(Statement::sample(rng, is_trust)),
            2 if self.statements.len() > 1 => {
                let at = rng.usize(..self.statements.len());
                self.statements.remove(at);
            }
            3 => self.statements.rotate_left(1),
            _ => {
                let at = rng.usize(..self.statements.len());
                self.statements[at].mutate(rng);
            }
        }
    }

    /// Removes conditions with the same operator and key, except the last. JSON has no place for them.
    fn deduplicated(mut self) -> Self {
        for statement in &mut self.statements {
            let conditions = std::mem::take(&mut statement.conditions);
            for condition in conditions {
                statement.conditions.retain(|other| {
                    (&other.operator, other.key) != (&condition.operator, condition.key)
                });
                statement.conditions.push(condition);
            }
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::json).collect();
        match self.version {
            Some(version) => json!({"Version": version, "Statement": statements}),
            None => json!({"Statement": statements}),
        }
    }

    pub(crate) fn document(&self) -> Document {
        Document::from_json(&self.json()).unwrap()
    }
}

/// Generates two policies. The second is usually a mutation of the first, like two versions of the policy of a role.
pub(crate) fn pair(rng: &mut Rng) -> (Policy, Policy) {
    let is_trust = one_in(rng, 2);
    let old = Policy::sample(rng, is_trust).deduplicated();
    if one_in(rng, 4) {
        let new = Policy::sample(rng, is_trust).deduplicated();
        return (old, new);
    }
    let mut new = old.clone();
    for _ in 0..=rng.usize(..2) {
        new.mutate(rng, is_trust);
    }
    (old, new.deduplicated())
}
