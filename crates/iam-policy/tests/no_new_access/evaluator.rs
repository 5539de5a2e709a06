//! Evaluates requests after the IAM user guide, without code of the crate.

use fastrand::Rng;

use crate::{
    generator::{Condition, Policy, Statement, Values, one_in},
    request::{Caller, Request},
};

/// A reading of the IAM user guide where it is ambiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// "If AWS can't resolve a variable, this might cause the entire statement to be invalid" ("IAM policy elements:
    /// Variables and tags"). If false, only the string with the variable matches nothing.
    unresolved_voids: bool,
    /// "You can use wildcard characters within the individual segments of an ARN" ("IAM JSON policy elements: Resource"):
    /// a `*` matches a `:` only if it is the last character of its segment. If false, it always does.
    star_keeps_to_segment: bool,
    /// `NotPrincipal` excludes a role only if it lists the session, the role and the account ("AWS JSON policy elements:
    /// `NotPrincipal`"). If false, one of them is enough.
    not_principal_needs_all: bool,
}

impl Reading {
    pub(crate) fn sample(rng: &mut Rng) -> Self {
        Self {
            unresolved_voids: one_in(rng, 2),
            star_keeps_to_segment: one_in(rng, 2),
            not_principal_needs_all: one_in(rng, 2),
        }
    }
}

/// Returns true if a statement allows the request and none denies it.
pub(crate) fn allows(policy: &Policy, request: &Request, reading: Reading) -> bool {
    let has_variables = policy.version == Some("2012-10-17");
    let applies = |statement: &&Statement| applies(statement, request, reading, has_variables);
    let (denials, grants): (Vec<&Statement>, Vec<&Statement>) = policy
        .statements
        .iter()
        .partition(|statement| statement.denies);
    grants.iter().any(applies) && !denials.iter().any(applies)
}

fn applies(
    statement: &Statement,
    request: &Request,
    reading: Reading,
    has_variables: bool,
) -> bool {
    let read = |text: &str| pieces(text, request, has_variables);
    if reading.unresolved_voids {
        let resources = statement.resources.iter().flat_map(|set| &set.values);
        let values = statement
            .conditions
            .iter()
            .flat_map(|condition| &condition.values);
        if resources.chain(values).any(|text| read(text).is_none()) {
            return false;
        }
    }
    let lower = |text: &str| -> Vec<char> { text.to_ascii_lowercase().chars().collect() };
    let action = lower(request.action);
    let names_action = statement.actions.holds(|value| {
        let pattern = pieces(&value.to_ascii_lowercase(), request, false);
        glob(&pattern.unwrap(), &action, false)
    });
    let resource: Vec<char> = request.resource.chars().collect();
    let names_resource = statement.resources.as_ref().is_none_or(|set| {
        set.holds(|value| {
            read(value)
                .is_some_and(|pattern| glob(&pattern, &resource, reading.star_keeps_to_segment))
        })
    });
    let names_caller = statement
        .principals
        .as_ref()
        .is_none_or(|set| is_named(set, request.caller, reading));
    names_action
        && names_resource
        && names_caller
        && statement
            .conditions
            .iter()
            .all(|condition| holds(condition, request, has_variables))
}

fn is_named(set: &Values<(&'static str, &'static str)>, caller: Caller, reading: Reading) -> bool {
    let is_account = |value: &str, account: &str| {
        value == account || value == format!("arn:aws:iam::{account}:root")
    };
    let listed = |is: &dyn Fn(&str) -> bool| {
        set.values
            .iter()
            .any(|&(kind, value)| kind == "AWS" && is(value))
    };
    let everybody = listed(&|value| value == "*");
    let chain = match caller {
        Caller::Service(name) => vec![set.values.contains(&("Service", name))],
        Caller::Role(account, role, session) => vec![
            listed(&|value| is_account(value, account)),
            listed(&|value| value == role),
            listed(&|value| value == session),
        ],
        Caller::User(account, user) => vec![
            listed(&|value| is_account(value, account)),
            listed(&|value| value == user),
        ],
    };
    let any = everybody || chain.contains(&true);
    match (set.not, reading.not_principal_needs_all) {
        (false, _) => any,
        (true, false) => !any,
        (true, true) => !everybody && chain.contains(&false),
    }
}

fn holds(condition: &Condition, request: &Request, has_variables: bool) -> bool {
    let actual = request.of_key(condition.key);
    if condition.operator == "Null" {
        let expected = if actual.is_empty() { "true" } else { "false" };
        return condition.values.contains(&expected);
    }
    let (operator, if_exists) = match condition.operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (condition.operator.as_str(), false),
    };
    if actual.is_empty() && if_exists {
        return true;
    }
    let (of_list, operator) = operator.split_once(':').unwrap_or(("", operator));
    let positive = operator.replace("Not", "");
    let matches = |actual: &str| {
        let any = condition.values.iter().any(|expected| {
            pieces(expected, request, has_variables)
                .is_some_and(|expected| compare(&positive, &expected, actual))
        });
        any != operator.contains("Not")
    };
    match of_list {
        "ForAnyValue" => actual.iter().any(|actual| matches(actual)),
        "ForAllValues" => actual.iter().all(|actual| matches(actual)),
        _ => match actual[..] {
            [] => operator.contains("Not"),
            [one] => matches(one),
            _ => unreachable!("a list"),
        },
    }
}

fn compare(operator: &str, expected: &[Piece], actual: &str) -> bool {
    let actual: Vec<char> = actual.chars().collect();
    let plain =
        |pieces: &[Piece]| -> String { pieces.iter().map(|piece| piece.written()).collect() };
    let text: String = actual.iter().collect();
    match operator {
        "StringEquals" => plain(expected) == text,
        "StringEqualsIgnoreCase" => plain(expected).eq_ignore_ascii_case(&text),
        "StringLike" => glob(expected, &actual, false),
        "ArnEquals" | "ArnLike" => {
            let expected: Vec<&[Piece]> = expected
                .splitn(6, |&piece| piece == Piece::Is(':'))
                .collect();
            let actual: Vec<&[char]> = actual.splitn(6, |&one| one == ':').collect();
            let (6, 6) = (expected.len(), actual.len()) else {
                return false;
            };
            expected
                .iter()
                .zip(actual)
                .all(|(expected, actual)| glob(expected, actual, false))
        }
        other => unreachable!("{other}"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    Is(char),
    Any,
    One,
}

impl Piece {
    fn written(self) -> char {
        match self {
            Self::Is(one) => one,
            Self::Any => '*',
            Self::One => '?',
        }
    }
}

/// Replaces the variables in a string. Returns `None` if the request lacks one.
fn pieces(text: &str, request: &Request, has_variables: bool) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if has_variables
            && let Some(from) = rest.strip_prefix("${")
            && let Some((name, behind)) = from.split_once('}')
        {
            match name {
                "*" | "?" | "$" => pieces.extend(name.chars().map(Piece::Is)),
                name => pieces.extend(request.of_key(name).first()?.chars().map(Piece::Is)),
            }
            rest = behind;
            continue;
        }
        pieces.push(match next {
            '*' => Piece::Any,
            '?' => Piece::One,
            other => Piece::Is(other),
        });
        rest = &rest[next.len_utf8()..];
    }
    Some(pieces)
}

fn glob(pattern: &[Piece], text: &[char], keeps_to_segment: bool) -> bool {
    let Some((first, pattern)) = pattern.split_first() else {
        return text.is_empty();
    };
    let take = |from: usize| glob(pattern, &text[from..], keeps_to_segment);
    match first {
        Piece::Is(expected) => text.first() == Some(expected) && take(1),
        Piece::One => {
            text.first()
                .is_some_and(|&one| !(keeps_to_segment && one == ':'))
                && take(1)
        }
        Piece::Any => {
            let is_last = matches!(pattern.first(), None | Some(Piece::Is(':')));
            let most = if keeps_to_segment && !is_last {
                text.iter()
                    .position(|&one| one == ':')
                    .unwrap_or(text.len())
            } else {
                text.len()
            };
            (0..=most).any(take)
        }
    }
}
