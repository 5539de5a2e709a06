//! Parses the event of an invocation.
//!
//! Events come from the console, EventBridge and scripts. Unknown keys are therefore ignored, and an event that is not an
//! object counts as empty. Known keys are validated strictly, because a misread key would list the wrong accounts. All
//! problems are reported at once.
//!
//! [`selection`](crate::selection) checks that the stage contains the requested accounts.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use contract::{AccountId, InvalidValue};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    request::{Filter, Request, check_prefix},
    token,
};

/// The problems of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub(crate) struct InvalidEvent {
    /// The first [`MAX_PROBLEMS`], each with its hint.
    problems: Vec<String>,
    /// The number of problems after those.
    more: usize,
}

/// The keys of the function.
const KEYS: [&str; 4] = ["accounts", "detail", "prefix", "resume"];

/// Keys of every EventBridge event (EventBridge user guide, "Events"), which also has a `detail` of its own.
const EVENTBRIDGE_KEYS: [&str; 2] = ["detail-type", "source"];

/// The maximum number of problems in a message.
const MAX_PROBLEMS: usize = 10;

/// Parses `event`, a JSON text, for the function named `function`, which must have issued a resume token.
///
/// A key that is `null` counts as absent. So does `detail` in an event of EventBridge, where it is an object or, from
/// EventBridge Scheduler, a string.
///
/// # Errors
/// The text is not JSON, a known key has an invalid value or occurs more than once, or the token is not one of this
/// function or contradicts the event.
pub(crate) fn read(event: &str, function: &str) -> Result<Request, InvalidEvent> {
    if let Err(error) = serde_json::from_str::<&RawValue>(event) {
        return Err(InvalidEvent::new(
            format!("invalid JSON: {error}"),
            Some("an event is a JSON document, such as `{}`"),
        ));
    }
    // Fails for an event that is not an object.
    let Entries(entries) = serde_json::from_str(event).unwrap_or_default();
    let value = |wanted: &str| {
        let (_, value) = entries.iter().rfind(|(key, _)| *key == wanted)?;
        Some(*value).filter(|value| value.get() != "null")
    };
    let is_of_eventbridge = EVENTBRIDGE_KEYS
        .iter()
        .all(|&key| value(key).is_some_and(|value| value.get().starts_with('"')));

    let mut parser = Parser::default();
    for known in KEYS {
        if entries.iter().filter(|(key, _)| *key == known).count() > 1 {
            parser.report(format!("duplicate key `{known}`"), None);
        }
    }
    let given = Given {
        accounts: value("accounts").and_then(|value| parser.accounts(value)),
        detail: value("detail")
            .filter(|_| !is_of_eventbridge)
            .and_then(|value| parser.value(value, "detail", "a boolean")),
        prefix: value("prefix").and_then(|value| parser.prefix(value)),
    };
    let resumed = value("resume").and_then(|value| parser.token(value, function));
    if let Some(resumed) = &resumed {
        for key in given.differences(&resumed.filter) {
            parser.report(
                format!("`{key}` differs from the invocation that `resume` continues"),
                Some("pass `resume` alone; it carries the other keys"),
            );
        }
    }
    if !parser.0.problems.is_empty() {
        return Err(parser.0);
    }
    Ok(resumed.unwrap_or_else(|| Request {
        filter: given.into(),
        resume: None,
    }))
}

impl InvalidEvent {
    /// One problem: a clause that names the key, without a final period.
    pub(crate) fn new(problem: impl Into<String>, hint: Option<&str>) -> Self {
        let mut event = Self::default();
        event.add(problem, hint);
        event
    }

    fn add(&mut self, problem: impl Into<String>, hint: Option<&str>) {
        if self.problems.len() == MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        let mut problem = problem.into();
        if let Some(hint) = hint {
            problem += "\nhint: ";
            problem += hint;
        }
        self.problems.push(problem);
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid event:")?;
        let separator = if self.problems.len() == 1 {
            " "
        } else {
            "\n- "
        };
        for problem in &self.problems {
            write!(f, "{separator}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more"),
        }
    }
}

/// The filter of the event itself, before the defaults.
struct Given {
    accounts: Option<BTreeSet<AccountId>>,
    detail: Option<bool>,
    /// An empty prefix matches every name.
    prefix: Option<String>,
}

impl Given {
    /// The keys whose values differ from those of `token`.
    fn differences(&self, token: &Filter) -> impl Iterator<Item = &'static str> {
        let accounts = self.accounts.is_some() && self.accounts != token.accounts;
        let detail = self.detail.is_some_and(|detail| detail != token.detail);
        let prefix = self
            .prefix
            .as_ref()
            .is_some_and(|prefix| prefix != token.prefix.as_deref().unwrap_or_default());
        [
            accounts.then_some("accounts"),
            detail.then_some("detail"),
            prefix.then_some("prefix"),
        ]
        .into_iter()
        .flatten()
    }
}

impl From<Given> for Filter {
    fn from(given: Given) -> Self {
        Self {
            accounts: given.accounts,
            prefix: given.prefix.filter(|prefix| !prefix.is_empty()),
            detail: given.detail.unwrap_or_default(),
        }
    }
}

/// Parses values, and collects their problems.
#[derive(Default)]
struct Parser(InvalidEvent);

impl Parser {
    fn report(&mut self, problem: String, hint: Option<&str>) {
        self.0.add(problem, hint);
    }

    fn value<'a, T: Deserialize<'a>>(
        &mut self,
        value: &'a RawValue,
        key: &str,
        expected: &str,
    ) -> Option<T> {
        let parsed = serde_json::from_str(value.get());
        if parsed.is_err() {
            let problem = format!("`{key}`: expected {expected}, got {}", json_type(value));
            self.report(problem, None);
        }
        parsed.ok()
    }

    fn accounts(&mut self, value: &RawValue) -> Option<BTreeSet<AccountId>> {
        let list: Vec<&RawValue> = self.value(value, "accounts", "a list of account IDs")?;
        if list.is_empty() {
            let hint = "omit the key to list all accounts of the stage";
            self.report("`accounts` is empty".to_owned(), Some(hint));
        }
        let accounts: Vec<Option<AccountId>> = list
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let key = format!("accounts[{index}]");
                let text: String = self.value(value, &key, "an account ID in quotes")?;
                self.checked(&key, text.parse())
            })
            .collect();
        accounts.into_iter().collect()
    }

    fn prefix(&mut self, value: &RawValue) -> Option<String> {
        let text: String = self.value(value, "prefix", "a string")?;
        self.checked("prefix", check_prefix(&text))?;
        Some(text)
    }

    fn token(&mut self, value: &RawValue, function: &str) -> Option<Request> {
        let text: String = self.value(value, "resume", "a string")?;
        token::read(&text, function)
            .map_err(|error| {
                let hint =
                    "pass `resume` exactly as a response returned it, or omit it to start again";
                self.report(format!("`resume` {error}"), Some(hint));
            })
            .ok()
    }

    fn checked<T>(&mut self, key: &str, result: Result<T, InvalidValue>) -> Option<T> {
        result
            .map_err(|error| self.report(format!("`{key}`: {error}"), error.hint()))
            .ok()
    }
}

/// The type of a JSON value.
fn json_type(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The entries of an object whose keys are known, duplicates included: serde's derived types would take the last one.
#[derive(Default)]
struct Entries<'a>(Vec<(&'static str, &'a RawValue)>);

/// Bytes, because a key may have half a surrogate pair, which is not a string and would hide the keys after it.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Entries::default();
                while let Some((Key(key), value)) = map.next_entry()? {
                    let mut known = KEYS.into_iter().chain(EVENTBRIDGE_KEYS);
                    if let Some(key) = known.find(|known| known.as_bytes() == &*key) {
                        entries.0.push((key, value));
                    }
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{prefix_checksum::PassedAccounts, request::Position};

    fn read(event: &str) -> Result<Request, InvalidEvent> {
        super::read(event, "list")
    }

    #[test]
    fn an_event_without_known_keys_is_empty() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for event in [
            "null",
            "[]",
            "{}",
            "1",
            "\"\"",
            "false",
            r#"{"Accounts": 1, "a": {"accounts": 2}}"#,
            r#"{"accounts": null, "detail": null, "prefix": null, "resume": null}"#,
            &deep,
            &format!(r#"{{"a": {deep}}}"#),
        ] {
            assert_eq!(read(event), Ok(Request::default()), "{event:.80}");
        }
    }

    #[test]
    fn an_event_that_is_not_json_is_rejected() {
        for (event, problem) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("accounts", "expected value at line 1 column 1"),
            (
                r#"{"accounts": ["222222222222"]"#,
                "EOF while parsing an object",
            ),
            (
                r#"{"prefix": "a"} x"#,
                "trailing characters at line 1 column 17",
            ),
            ("{'prefix': 'a'}", "key must be a string at line 1 column 2"),
            ("\u{fffd}", "expected value"),
        ] {
            let message = read(event).unwrap_err().to_string();
            assert!(
                message.contains("Invalid event: invalid JSON: "),
                "{message}"
            );
            assert!(message.contains(problem), "{event}: {message}");
            assert!(message.contains("\nhint: "), "{message}");
        }
    }

    #[test]
    fn the_keys_are_read() {
        let event = r#"{"accounts": ["222222222222", "022222222222", "222222222222"], "prefix": "a", "detail": true}"#;
        let accounts = ["022222222222", "222222222222"].map(|id| id.parse().unwrap());
        let filter = Filter {
            accounts: Some(accounts.into()),
            prefix: Some("a".to_owned()),
            detail: true,
        };
        assert_eq!(read(event).unwrap().filter, filter);
        // Escapes in a key have no effect, and half a surrogate pair hides nothing.
        let event = event.replace("accounts", "a\\u0063counts");
        assert_eq!(read(&event).unwrap().filter, filter);
        let event = event.replacen('{', r#"{"\ud800": "\ud800", "#, 1);
        assert_eq!(read(&event).unwrap().filter, filter);
        assert_eq!(read(r#"{"prefix": ""}"#), Ok(Request::default()));
    }

    #[test]
    fn a_deeply_nested_value_is_invalid() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for key in KEYS {
            let error = read(&format!(r#"{{"{key}": {deep}}}"#)).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with("Invalid event: `"), "{message}");
            assert!(message.contains(key) && message.len() < 200, "{message}");
        }
    }

    #[test]
    fn an_event_may_repeat_its_token() {
        let accounts = ["022222222222", "222222222222"].map(|id| id.parse().unwrap());
        let filter = Filter {
            accounts: Some(accounts.into()),
            prefix: Some("logs-".to_owned()),
            detail: true,
        };
        let position = Position {
            from: "222222222222".parse().unwrap(),
            passed: Some(PassedAccounts::default()),
        };
        let token = token::write("list", position.clone(), &filter);
        for same in [
            "",
            r#", "prefix": "logs-", "detail": true"#,
            r#", "accounts": ["222222222222", "022222222222"]"#,
        ] {
            let request = read(&format!(r#"{{"resume": "{token}"{same}}}"#)).unwrap();
            assert_eq!(request.filter, filter);
            assert_eq!(request.resume.as_ref(), Some(&position));
        }
        for other in [
            r#""prefix": """#,
            r#""prefix": "logs""#,
            r#""detail": false"#,
            r#""accounts": ["222222222222"]"#,
        ] {
            let error = read(&format!(r#"{{"resume": "{token}", {other}}}"#)).unwrap_err();
            assert!(
                error.to_string().contains("differs from the invocation"),
                "{error}"
            );
        }
    }
}
