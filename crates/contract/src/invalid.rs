//! The error of an invalid value.

use std::fmt;

/// A value from outside that is invalid for its type.
///
/// Displays as `account ID `12345` has 5 digits, not 12`: lower case and without a period, to be part of a longer message.
/// Control characters in the value are escaped, and it is cut after 80 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    what: &'static str,
    value: String,
    problem: String,
    hint: Option<String>,
}

impl InvalidValue {
    /// A problem with `value`, which should be a `what` (`"account ID"`); `problem` continues the sentence.
    pub fn new(what: &'static str, value: &str, problem: impl Into<String>) -> Self {
        Self {
            what,
            value: shorten(value),
            problem: problem.into(),
            hint: None,
        }
    }

    /// Adds how to fix it: an imperative or a sentence, without a final period.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The expected kind of value, such as `account ID`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The problem with the value; continues "the account ID …".
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// How to fix it, if known.
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
    const MAX_LENGTH: usize = 80;
    let mut shown: String = value
        .chars()
        .take(MAX_LENGTH)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(MAX_LENGTH).is_some() {
        shown.push('…');
    }
    shown
}

/// Rejects a `value` with a character that is not `allowed`; `named` lists the allowed characters in words.
pub(crate) fn check_characters(
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

/// [`is_name_character`] in words.
pub(crate) const NAME_CHARACTERS: &str = "letters, digits and _ + = , . @ -";

/// Rejects a `value` whose length in characters is not in `min..=max`.
pub(crate) fn check_length(value: &str, min: usize, max: usize) -> Result<(), String> {
    let length = value.chars().count();
    if length == 0 {
        Err("is empty".to_owned())
    } else if length < min || length > max {
        Err(format!(
            "has {length} characters; allowed are {min} to {max}"
        ))
    } else {
        Ok(())
    }
}
