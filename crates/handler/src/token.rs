//! The `resume` token: the position to continue at, and the filter.
//!
//! It is opaque to the caller: base64 of JSON, with the version of its format and the name of the function that issued it.
//! It is neither a secret nor a permission. Like an event, it is checked against the stage's accounts, so a forged token
//! reaches nothing that an event could not.

use aws_smithy_types::base64;
use contract::{AccountId, printable};
use serde::{Deserialize, Serialize};

use crate::{
    prefix_checksum::{PassedAccounts, PrefixChecksum},
    request::{Filter, Position, Request, check_prefix},
};

/// The version of the format; other versions are rejected.
const VERSION: u32 = 3;

/// The reason why a text is not a token of this function; continues "`resume` …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidToken {
    #[error("is not a token of this function")]
    Garbage,
    #[error("is a token of another version of the function")]
    Version,
    #[error("is a token of another function, `{0}`")]
    Foreign(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    v: u32,
    function: String,
    from: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<PrefixChecksum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    detail: bool,
}

/// Creates the token with which `function` continues at `position`.
pub(crate) fn write(function: &str, position: Position, filter: &Filter) -> String {
    let Filter {
        accounts,
        prefix,
        detail,
    } = filter.clone();
    let token = Token {
        v: VERSION,
        function: function.to_owned(),
        from: position.from,
        at: position.passed.map(|passed| passed.count),
        seen: position.passed.map(|passed| passed.checksum),
        accounts: accounts.map(|accounts| accounts.into_iter().collect()),
        prefix,
        detail,
    };
    // Cannot fail: the values are strings and numbers.
    base64::encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// Parses a token of `function`.
///
/// # Errors
/// [`write()`] does not return this text for this function.
pub(crate) fn read(text: &str, function: &str) -> Result<Request, InvalidToken> {
    let json = base64::decode(text).map_err(|_| InvalidToken::Garbage)?;
    let Versioned { v } = serde_json::from_slice(&json).map_err(|_| InvalidToken::Garbage)?;
    if v != VERSION {
        return Err(InvalidToken::Version);
    }
    let token: Token = serde_json::from_slice(&json).map_err(|_| InvalidToken::Garbage)?;
    if token.function != function {
        let shown: String = token.function.chars().take(140).collect();
        return Err(InvalidToken::Foreign(printable(&shown).into_owned()));
    }
    let passed = match (token.at, token.seen) {
        (Some(count), Some(seen)) => Some(PassedAccounts {
            count,
            checksum: seen,
        }),
        (None, None) => None,
        _ => return Err(InvalidToken::Garbage),
    };
    let is_whole = token.accounts.as_ref().is_none_or(|list| !list.is_empty())
        && token
            .prefix
            .as_ref()
            .is_none_or(|prefix| !prefix.is_empty() && check_prefix(prefix).is_ok());
    if !is_whole {
        return Err(InvalidToken::Garbage);
    }
    Ok(Request {
        filter: Filter {
            accounts: token.accounts.map(|list| list.into_iter().collect()),
            prefix: token.prefix,
            detail: token.detail,
        },
        resume: Some(Position {
            from: token.from,
            passed,
        }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn account() -> impl Strategy<Value = AccountId> {
        "[0-9]{12}".prop_map(|id| id.parse().unwrap())
    }

    fn request() -> impl Strategy<Value = (Filter, Position)> {
        let accounts = proptest::option::of(btree_set(account(), 1..20));
        let prefix = proptest::option::of("[a-zA-Z0-9._-]{1,255}");
        let count = proptest::option::of(any::<usize>());
        (accounts, prefix, any::<bool>(), account(), count).prop_map(
            |(accounts, prefix, detail, from, count)| {
                let seen = PrefixChecksum::default().and([&from]);
                let passed = count.map(|count| PassedAccounts {
                    count,
                    checksum: seen,
                });
                let filter = Filter {
                    accounts,
                    prefix,
                    detail,
                };
                (filter, Position { from, passed })
            },
        )
    }

    fn encoded(json: &str) -> Result<Request, InvalidToken> {
        read(&base64::encode(json), "list")
    }

    #[test]
    fn a_token_without_a_filter_is_small() {
        let from = "222222222222".parse().unwrap();
        let position = Position {
            from,
            passed: Some(PassedAccounts {
                count: 17,
                checksum: PrefixChecksum::default(),
            }),
        };
        let token = write("list", position.clone(), &Filter::default());
        assert_eq!(
            base64::decode(&token).unwrap(),
            br#"{"v":3,"function":"list","from":"222222222222","at":17,"seen":"811c9dc5"}"#
        );
        let position = Position {
            passed: None,
            ..position
        };
        let token = write("list", position, &Filter::default());
        assert_eq!(
            base64::decode(&token).unwrap(),
            br#"{"v":3,"function":"list","from":"222222222222"}"#
        );
    }

    #[test]
    fn foreign_tokens_are_rejected() {
        use InvalidToken::{Foreign, Garbage, Version};

        for (json, expected) in [
            ("", Garbage),
            ("null", Garbage),
            ("{}", Garbage),
            (r#"{"v":"1"}"#, Garbage),
            (r#"{"v":3}"#, Garbage),
            (r#"{"v":0}"#, Version),
            (r#"{"v":4,"function":"list","what":"ever"}"#, Version),
            (
                r#"{"v":3,"function":"list","from":"22222222222","at":1,"seen":"811c9dc5"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":-1,"seen":"811c9dc5"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","seen":"811c9dc5"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":18446744073709551616,"seen":"811c9dc5"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"a\u202eb","from":"222222222222"}"#,
                Foreign("a\\u{202e}b".to_owned()),
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811c9dc5","role":"Admin"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811c9dc5","accounts":[]}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811c9dc5","accounts":["*"]}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811c9dc5","prefix":""}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"list","from":"222222222222","at":1,"seen":"811c9dc5","prefix":"a b"}"#,
                Garbage,
            ),
            (
                r#"{"v":3,"function":"a\nb","from":"222222222222","at":1,"seen":"811c9dc5"}"#,
                Foreign("a\\nb".to_owned()),
            ),
        ] {
            assert_eq!(encoded(json), Err(expected), "{json}");
        }
        for text in ["", "=", "!", "bm90IGEgdG9rZW4", "e30", "{\"v\":1}"] {
            assert_eq!(read(text, "list"), Err(Garbage), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn tokens_round_trip((filter, position) in request(), function in "[a-zA-Z0-9_-]{0,140}") {
            let token = write(&function, position.clone(), &filter);
            let request = Request { filter, resume: Some(position) };
            prop_assert_eq!(read(&token, &function), Ok(request));
            prop_assert_eq!(read(&token, "other function"), Err(InvalidToken::Foreign(function)));
        }

        #[test]
        fn arbitrary_text_is_not_a_token(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            prop_assert!(read(&text, "list").is_err());
            prop_assert!(read(&base64::encode(bytes), "list").is_err());
        }

        #[test]
        fn a_damaged_token_is_rejected_or_a_token(
            (filter, position) in request(), at in any::<prop::sample::Index>(), byte in 0x20..0x7f_u8,
        ) {
            let mut token = write("list", position, &filter).into_bytes();
            let at = at.index(token.len());
            token[at] = byte;
            let token = String::from_utf8(token).unwrap();
            if let Ok(Request { filter, resume: Some(position) }) = read(&token, "list") {
                let again = write("list", position.clone(), &filter);
                let request = Request { filter, resume: Some(position) };
                prop_assert_eq!(read(&again, "list"), Ok(request));
            }
        }
    }
}
