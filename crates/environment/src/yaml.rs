//! Parses YAML with positions and quoting, and detects values that other YAML parsers would read differently.

mod plain;

use saphyr_parser::{Parser, StrInput};

pub use plain::{is_nothing, is_whole_number, misread_as};
pub use saphyr_parser::{Event, ScalarStyle, ScanError, Span};

/// The events of a text, each with its span. Ends after the first error.
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
