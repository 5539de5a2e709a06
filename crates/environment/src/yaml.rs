//! What `serde_yaml` does not tell of a YAML text: where each value stands, how it is written, and whether another reader
//! would take it for something else.

mod plain;

use saphyr_parser::{Parser, StrInput};

pub use plain::{is_nothing, is_whole_number, misread_as};
pub use saphyr_parser::{Event, ScalarStyle, ScanError, Span};

/// The events of a text, each with its place; the first fault ends them.
pub struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    /// The events of `text`.
    pub fn of(text: &'a str) -> Self {
        Self(Parser::new_from_str(text))
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<(Event<'a>, Span), ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
