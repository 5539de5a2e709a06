//! The `resume` token: where a chain of calls goes on, and what it asks for.
//!
//! A text that means nothing to the caller: base64 of JSON, with the version of its form and the name of the function
//! that made it. It is no secret and no permission. What it says is held against the stage's accounts as an event is, so
//! that a made-up one reaches nothing that an event could not.

use aws_smithy_types::base64;
use contract::AccountId;
use serde::{Deserialize, Serialize};

use crate::event::{Narrowing, Position, Request, check_prefix};

/// The version of the form; another one is refused.
const VERSION: u32 = 1;

/// Why a text is no token of this function; continues "`resume` …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidToken {
    #[error("is not a token that this function gave")]
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
    at: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    detail: bool,
}

/// The token with which `function` goes on at `position`.
pub(crate) fn write(function: &str, position: Position, narrowing: &Narrowing) -> String {
    let Narrowing {
        accounts,
        prefix,
        detail,
    } = narrowing.clone();
    let token = Token {
        v: VERSION,
        function: function.to_owned(),
        from: position.from,
        at: position.at,
        accounts: accounts.map(|accounts| accounts.into_iter().collect()),
        prefix,
        detail,
    };
    // Texts and numbers: serde_json has nothing to refuse.
    base64::encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// What a token of `function` asks for.
///
/// # Errors
/// Anything that [`write`] would not have given for this function.
pub(crate) fn read(text: &str, function: &str) -> Result<Request, InvalidToken> {
    let json = base64::decode(text).map_err(|_| InvalidToken::Garbage)?;
    let Versioned { v } = serde_json::from_slice(&json).map_err(|_| InvalidToken::Garbage)?;
    if v != VERSION {
        return Err(InvalidToken::Version);
    }
    let token: Token = serde_json::from_slice(&json).map_err(|_| InvalidToken::Garbage)?;
    if token.function != function {
        let shown = token.function.chars().filter(|c| !c.is_control());
        return Err(InvalidToken::Foreign(shown.take(140).collect()));
    }
    let is_whole = token.accounts.as_ref().is_none_or(|list| !list.is_empty())
        && token
            .prefix
            .as_ref()
            .is_none_or(|prefix| !prefix.is_empty() && check_prefix(prefix).is_ok());
    if !is_whole {
        return Err(InvalidToken::Garbage);
    }
    Ok(Request {
        narrowing: Narrowing {
            accounts: token.accounts.map(|list| list.into_iter().collect()),
            prefix: token.prefix,
            detail: token.detail,
        },
        resume: Some(Position {
            from: token.from,
            at: token.at,
        }),
    })
}
