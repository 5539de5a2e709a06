//! The one error of a value that is not what it should be.

use std::fmt;

/// A value from outside that does not have the form of its type.
///
/// Displays as `account id `12345` has 5 characters, not 12 digits`: lower case, no final period, so that it can stand
/// inside a longer message. The value is shown with control characters escaped and cut after 80 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    what: &'static str,
    value: String,
    problem: String,
    hint: Option<String>,
}

impl InvalidValue {
    /// A fault of `value`, which was to be a `what` (`"account id"`); `problem` continues the sentence.
    pub fn new(what: &'static str, value: &str, problem: impl Into<String>) -> Self {
        Self {
            what,
            value: shorten(value),
            problem: problem.into(),
            hint: None,
        }
    }

    /// Adds how to mend it: a whole sentence without a final period.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the value was to be, such as `account id`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// What is wrong with the value; continues "the account id …".
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// How to mend it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` {}", self.what, self.value, self.problem)
    }
}

impl std::error::Error for InvalidValue {}

fn shorten(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = value
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The first character of `value` that `allowed` refuses, as a problem to report: `contains ` `, which is not one of …`.
pub(crate) fn refuse_other_characters(
    value: &str,
    allowed: fn(char) -> bool,
    named: &str,
) -> Result<(), String> {
    match value.chars().find(|&character| !allowed(character)) {
        None => Ok(()),
        Some(character) => Err(format!(
            "contains `{}`; allowed are {named}",
            character.escape_debug()
        )),
    }
}

/// `[\w+=,.@-]`, the characters of IAM's names (IAM API reference, `CreateRole`; STS API reference, `AssumeRole`).
pub(crate) fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

/// How [`is_name_character`] is told to a person.
pub(crate) const NAME_CHARACTERS: &str = "letters, digits and _ + = , . @ -";

/// The length of `value` in characters must lie in `least..=most`.
pub(crate) fn refuse_other_lengths(value: &str, least: usize, most: usize) -> Result<(), String> {
    let length = value.chars().count();
    if length == 0 {
        Err("is empty".to_owned())
    } else if length < least || length > most {
        Err(format!(
            "has {length} characters; allowed are {least} to {most}"
        ))
    } else {
        Ok(())
    }
}
