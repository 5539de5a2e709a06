//! Keeps the causes of a failure as text, without secrets.

use std::error::Error;

use contract::printable;

/// One error in the chain below a [`Failure`](crate::Failure), as text, with the next as its source.
///
/// The SDK's errors themselves are not kept: they contain the raw response, which for `AssumeRole` includes the
/// session's secrets, and their `Debug` would print it. Their texts are cut at the first brace, because some continue
/// with the whole request.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    text: String,
    #[source]
    source: Option<Box<Cause>>,
}

impl Cause {
    /// Copies the chain that starts with `error`.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        Self {
            text: before_brace(&error.to_string()),
            source: error.source().map(|source| Box::new(Self::of(source))),
        }
    }

    /// Returns the text of the last error in the chain, usually the most specific one.
    pub(crate) fn root(&self) -> &str {
        self.texts().last().unwrap_or_default()
    }

    /// Returns the texts of the chain, outermost first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self), |cause| cause.source.as_deref())
            .map(|cause| cause.text.as_str())
    }
}

fn before_brace(text: &str) -> String {
    match text.split_once('{') {
        Some((before, _)) => one_line(before) + " …",
        None => one_line(text),
    }
}

/// Puts `text`, which comes from outside, on one line of bounded length, because it is shown in logs and responses.
pub(crate) fn one_line(text: &str) -> String {
    const MAX_LENGTH: usize = 2_000;
    let mut line = String::with_capacity(text.len().min(MAX_LENGTH));
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(printable)
    {
        if line.len() + word.len() > MAX_LENGTH {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_printed_request_is_kept() {
        let error =
            std::io::Error::other("failed to sign `Request { headers: {\"token\": \"secret\"} }`");
        let cause = Cause::of(&error);
        assert_eq!(cause.to_string(), "failed to sign `Request …");
        assert_eq!(cause.root(), "failed to sign `Request …");
    }

    #[test]
    fn a_message_becomes_one_bounded_line() {
        assert_eq!(one_line(" a\r\n  b\u{1b}[31m\tc\0"), "a b [31m c");
        assert_eq!(
            one_line("User\u{2028}is \u{202e}denied\u{200b}"),
            "User is \\u{202e}denied\\u{200b}"
        );
        assert!(one_line(&"word ".repeat(10_000)).len() < 2_010);
        assert!(one_line(&"x".repeat(10_000)).len() < 2_010);
    }
}
