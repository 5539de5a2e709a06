//! What an event asks for.
//!
//! Events come from anywhere: the console's test, EventBridge, a person. So a key that is not known is ignored, and so
//! is an event that is no object; but a key that is known must have its form, as one that is misread would answer for
//! other accounts than were asked for. Every fault of an event is told, not the first alone.
//!
//! What is *not* here: whether the stage has the accounts named ([`selection`](crate::selection)).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use contract::{AccountId, InvalidValue};
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    request::{Filter, Request, check_prefix},
    token,
};

/// Something that an event says cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct InvalidEvent {
    /// The first ones.
    faults: Vec<Fault>,
    /// How many more there are.
    more: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    text: String,
    hint: Option<String>,
}

/// The keys that mean something.
const KEYS: [&str; 4] = ["accounts", "detail", "prefix", "resume"];

/// What every event of EventBridge has (EventBridge user guide, "Events"), beside a `detail` of its own.
const EVENTBRIDGE: [&str; 2] = ["detail-type", "source"];

/// How many faults of an event are told.
const MOST_FAULTS: usize = 10;

/// Reads an event, a JSON text; `function` is the name of this function, for which a token must be made.
///
/// `null` for a key counts as if the key were not there. So does `detail` in an event of EventBridge, where it is
/// another thing: an object or, from EventBridge Scheduler, a text.
///
/// # Errors
/// A text that is not JSON, a known key of another type or form, one that is there twice, and a token that is not this function's or says
/// something else than the event.
pub(crate) fn read(event: &str, function: &str) -> Result<Request, InvalidEvent> {
    if let Err(error) = serde_json::from_str::<&RawValue>(event) {
        return Err(InvalidEvent::new(
            format!("it is not JSON: {error}"),
            Some("an event is a JSON document, such as `{}`"),
        ));
    }
    // An event that is not an object asks for nothing.
    let Keys { values, twice } = serde_json::from_str(event).unwrap_or_default();
    let mut reader = Reader::default();
    for key in twice {
        reader.fault(format!("`{key}` is there twice"), None);
    }
    let value = |key| {
        values
            .get(key)
            .copied()
            .filter(|value| value.get() != "null")
    };
    let is_of_eventbridge = EVENTBRIDGE
        .iter()
        .all(|&key| value(key).is_some_and(|value| value.get().starts_with('"')));
    let given = Given {
        accounts: value("accounts").and_then(|value| reader.accounts(value)),
        detail: value("detail")
            .filter(|_| !is_of_eventbridge)
            .and_then(|value| reader.value(value, "detail", "true or false")),
        prefix: value("prefix").and_then(|value| reader.prefix(value)),
    };
    let resumed = value("resume").and_then(|value| reader.token(value, function));
    if let Some(resumed) = &resumed {
        for key in given.differences(&resumed.filter) {
            reader.fault(
                format!("`{key}` is not what it was in the call that `resume` continues"),
                Some("`resume` alone is enough: it carries the rest".to_owned()),
            );
        }
    }
    if let Some(invalid) = reader.invalid() {
        return Err(invalid);
    }
    Ok(resumed.unwrap_or_else(|| Request {
        filter: given.into(),
        resume: None,
    }))
}

impl InvalidEvent {
    /// One fault: a sentence without a final period, that names the key.
    pub(crate) fn new(text: impl Into<String>, hint: Option<&str>) -> Self {
        let fault = Fault {
            text: text.into(),
            hint: hint.map(ToOwned::to_owned),
        };
        Self {
            faults: vec![fault],
            more: 0,
        }
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failed to take the event:")?;
        let separator = if self.faults.len() == 1 { " " } else { "\n- " };
        for fault in &self.faults {
            write!(f, "{separator}{}", fault.text)?;
            if let Some(hint) = &fault.hint {
                write!(f, "\nhint: {hint}")?;
            }
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more"),
        }
    }
}

/// What the event itself says.
struct Given {
    accounts: Option<BTreeSet<AccountId>>,
    detail: Option<bool>,
    /// Empty where no prefix is asked for expressly.
    prefix: Option<String>,
}

impl Given {
    /// The keys that say something else.
    fn differences(&self, other: &Filter) -> impl Iterator<Item = &'static str> {
        let accounts = self.accounts.is_some() && self.accounts != other.accounts;
        let detail = self.detail.is_some_and(|detail| detail != other.detail);
        let prefix = self
            .prefix
            .as_ref()
            .is_some_and(|prefix| prefix != other.prefix.as_deref().unwrap_or_default());
        [
            (accounts, "accounts"),
            (detail, "detail"),
            (prefix, "prefix"),
        ]
        .into_iter()
        .filter_map(|(differs, key)| differs.then_some(key))
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

/// Reads on past a fault, so that all of them are found.
#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
    more: usize,
}

impl Reader {
    fn fault(&mut self, text: impl Into<String>, hint: Option<String>) {
        if self.faults.len() == MOST_FAULTS {
            self.more += 1;
            return;
        }
        let text = text.into();
        self.faults.push(Fault { text, hint });
    }

    fn invalid(self) -> Option<InvalidEvent> {
        let Self { faults, more } = self;
        (!faults.is_empty()).then_some(InvalidEvent { faults, more })
    }

    fn value<'a, T: Deserialize<'a>>(
        &mut self,
        value: &'a RawValue,
        key: &str,
        wanted: &str,
    ) -> Option<T> {
        serde_json::from_str(value.get())
            .map_err(|_| {
                let text = format!("`{key}` is {}, and must be {wanted}", kind(value));
                self.fault(text, None);
            })
            .ok()
    }

    fn accounts(&mut self, value: &RawValue) -> Option<BTreeSet<AccountId>> {
        let list: Vec<&RawValue> = self.value(value, "accounts", "a list of account ids")?;
        if list.is_empty() {
            let hint = "leave the key out to list all of the stage's accounts";
            self.fault("`accounts` is empty", Some(hint.to_owned()));
        }
        let accounts: Vec<Option<AccountId>> = list
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let key = format!("accounts[{index}]");
                let text: String = self.value(value, &key, "an account id in quotes")?;
                self.parsed(&key, text.parse())
            })
            .collect();
        accounts.into_iter().collect()
    }

    fn prefix(&mut self, value: &RawValue) -> Option<String> {
        let text: String = self.value(value, "prefix", "a text")?;
        self.parsed("prefix", check_prefix(&text))?;
        Some(text)
    }

    fn token(&mut self, value: &RawValue, function: &str) -> Option<Request> {
        let text: String = self.value(value, "resume", "a text")?;
        token::read(&text, function)
            .map_err(|error| {
                let hint =
                    "take it from `resume` of an answer as it is, or leave it out to begin anew";
                self.fault(format!("`resume` {error}"), Some(hint.to_owned()));
            })
            .ok()
    }

    fn parsed<T>(&mut self, key: &str, result: Result<T, InvalidValue>) -> Option<T> {
        result
            .map_err(|error| {
                let hint = error.hint().map(ToOwned::to_owned);
                self.fault(format!("`{key}`: {error}"), hint);
            })
            .ok()
    }
}

/// What a JSON value is.
fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The values of the keys that are known, and which of them is there twice: readers of JSON differ in which they take.
#[derive(Default)]
struct Keys<'a> {
    values: BTreeMap<&'static str, &'a RawValue>,
    twice: BTreeSet<&'static str>,
}

impl<'de> Deserialize<'de> for Keys<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<'de>, A::Error> {
                let mut keys = Keys::default();
                while let Some(key) = map.next_key_seed(KnownKey)? {
                    let Some(key) = key else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    if keys.values.insert(key, map.next_value()?).is_some() && KEYS.contains(&key) {
                        keys.twice.insert(key);
                    }
                }
                Ok(keys)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A key, where it is known.
struct KnownKey;

impl<'de> de::DeserializeSeed<'de> for KnownKey {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Not as a text: half a surrogate pair makes none, and would hide the keys after it.
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KnownKey {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: de::Error>(self, text: &[u8]) -> Result<Self::Value, E> {
        let mut known = KEYS.into_iter().chain(EVENTBRIDGE);
        Ok(known.find(|key| key.as_bytes() == text))
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
    fn what_is_no_object_or_has_no_known_key_asks_for_nothing() {
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
    fn what_is_not_json_is_refused() {
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
            assert!(message.contains("it is not JSON: "), "{message}");
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
        // Escapes in a key change nothing, and half a character hides nothing.
        let event = event.replace("accounts", "a\\u0063counts");
        assert_eq!(read(&event).unwrap().filter, filter);
        let event = event.replacen('{', r#"{"\ud800": "\ud800", "#, 1);
        assert_eq!(read(&event).unwrap().filter, filter);
        assert_eq!(read(r#"{"prefix": ""}"#), Ok(Request::default()));
    }

    #[test]
    fn a_fault_deep_down_is_a_fault() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for key in KEYS {
            let error = read(&format!(r#"{{"{key}": {deep}}}"#)).unwrap_err();
            let message = error.to_string();
            assert!(
                message.starts_with("Failed to take the event: `"),
                "{message}"
            );
            assert!(message.contains(key) && message.len() < 200, "{message}");
        }
    }

    #[test]
    fn a_token_and_an_event_say_the_same() {
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
            assert!(error.to_string().contains("is not what it was"), "{error}");
        }
    }
}
