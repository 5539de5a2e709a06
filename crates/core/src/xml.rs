//! Reads well-formed XML only.
//!
//! The SDK takes the end of its input for the end of every open element, and does not compare an end tag with its start
//! tag (aws-smithy-xml 0.64, whose checking mode is not public). It would read a document with a piece missing as
//! another, shorter one. The tokens come from xmlparser, as in the SDK, but here tags must match, references must be
//! known to XML, and attributes must be unique.
//!
//! Documents that AWS never sends are rejected as well: those with a document type, and those with elements nested more
//! than [`MAX_DEPTH`] deep, which would only take memory.

use std::{borrow::Cow, collections::HashSet};

use xmlparser::{ElementEnd, Reference, Stream, Token, Tokenizer};

/// The maximum number of open elements. Responses of STS and S3 have five.
const MAX_DEPTH: usize = 64;

/// A document is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is truncated or not well-formed XML")]
pub(crate) struct NotWellFormed;

impl From<xmlparser::Error> for NotWellFormed {
    fn from(_: xmlparser::Error) -> Self {
        Self
    }
}

/// An event of the document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// An element begins. Contains its name without the prefix.
    Start(&'a str),
    /// Text in an element, with references resolved. CDATA is text, too.
    Text(Cow<'a, str>),
    /// The innermost element ends.
    End,
}

/// Reads a document, event by event.
pub(crate) struct Reader<'a> {
    document: &'a str,
    tokens: Tokenizer<'a>,
    /// The position after the last tag.
    position: usize,
    /// The open elements, with prefix and name.
    open: Vec<(&'a str, &'a str)>,
    attributes: HashSet<(&'a str, &'a str)>,
    /// Whether the last tag was both a start and an end.
    is_empty: bool,
    has_root: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a [u8]) -> Result<Self, NotWellFormed> {
        let document = str::from_utf8(document).map_err(|_| NotWellFormed)?;
        Ok(Self {
            document,
            tokens: Tokenizer::from(document),
            position: 0,
            open: Vec::new(),
            attributes: HashSet::new(),
            is_empty: false,
            has_root: false,
        })
    }

    /// Returns the next event, or `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'a>>, NotWellFormed> {
        if std::mem::take(&mut self.is_empty) {
            self.open.pop();
            return Ok(Some(Event::End));
        }
        while let Some(token) = self.tokens.next() {
            match token? {
                Token::ElementStart { prefix, local, .. } => {
                    self.start(prefix.as_str(), local.as_str())?;
                }
                Token::Attribute {
                    prefix,
                    local,
                    value,
                    ..
                } => {
                    resolved(value.as_str())?;
                    if !self.attributes.insert((prefix.as_str(), local.as_str())) {
                        return Err(NotWellFormed);
                    }
                }
                Token::ElementEnd { end, span } => {
                    self.position = span.end();
                    if let ElementEnd::Close(prefix, local) = end {
                        if self.open.pop() != Some((prefix.as_str(), local.as_str())) {
                            return Err(NotWellFormed);
                        }
                        return Ok(Some(Event::End));
                    }
                    self.is_empty = end == ElementEnd::Empty;
                    return Ok(self.open.last().map(|&(_, name)| Event::Start(name)));
                }
                Token::Text { text } if self.open.is_empty() => {
                    if !text.as_str().trim_ascii().is_empty() {
                        return Err(NotWellFormed);
                    }
                }
                Token::Text { text } => return Ok(Some(Event::Text(resolved(text.as_str())?))),
                Token::Cdata { text, .. } if !self.open.is_empty() => {
                    return Ok(Some(Event::Text(text.as_str().into())));
                }
                Token::Declaration { .. }
                | Token::ProcessingInstruction { .. }
                | Token::Comment { .. } => {}
                Token::Cdata { .. }
                | Token::DtdStart { .. }
                | Token::EmptyDtd { .. }
                | Token::EntityDeclaration { .. }
                | Token::DtdEnd { .. } => return Err(NotWellFormed),
            }
        }
        if self.has_root && self.open.is_empty() {
            Ok(None)
        } else {
            Err(NotWellFormed)
        }
    }

    fn start(&mut self, prefix: &'a str, name: &'a str) -> Result<(), NotWellFormed> {
        let is_second_root = self.has_root && self.open.is_empty();
        if is_second_root || self.open.len() == MAX_DEPTH {
            return Err(NotWellFormed);
        }
        self.has_root = true;
        self.open.push((prefix, name));
        self.attributes.clear();
        Ok(())
    }

    /// Returns the number of open elements.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Returns the text after a start tag that was just read.
    pub(crate) fn rest(&self) -> &'a str {
        if self.is_empty {
            ""
        } else {
            &self.document[self.position..]
        }
    }

    /// Continues with `rest`, a suffix of what [`rest`](Self::rest) returned. The caller has read what comes before it,
    /// and the same elements must be open there.
    pub(crate) fn go_on_with(&mut self, rest: &'a str) {
        self.position = self.document.len() - rest.len();
        self.tokens = Tokenizer::from_fragment(self.document, self.position..self.document.len());
    }
}

/// Checks a whole document.
pub(crate) fn check(document: &[u8]) -> Result<(), NotWellFormed> {
    let mut reader = Reader::new(document)?;
    while reader.next()?.is_some() {}
    Ok(())
}

/// Resolves the references in `text`.
fn resolved(text: &str) -> Result<Cow<'_, str>, NotWellFormed> {
    if !text.contains('&') {
        return Ok(text.into());
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        resolved.push_str(&rest[..at]);
        let mut stream = Stream::from(&rest[at..]);
        match stream.consume_reference() {
            Ok(Reference::Char(character)) => resolved.push(character),
            Ok(Reference::Entity(_)) | Err(_) => return Err(NotWellFormed),
        }
        rest = &rest[at + stream.pos()..];
    }
    resolved.push_str(rest);
    Ok(resolved.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn truncated_documents_are_rejected() {
        let document = "<?xml version=\"1.0\"?>\n<!-- a --><List xmlns=\"x\"><B><N>a</N><N/></B><List2></List2></List>";
        assert_eq!(check(document.as_bytes()), Ok(()));
        assert_eq!(check(format!("{document}\r\n").as_bytes()), Ok(()));
        for end in 0..document.len() {
            let beginning = &document[..end];
            assert_eq!(
                check(beginning.as_bytes()),
                Err(NotWellFormed),
                "{beginning}"
            );
        }
    }

    #[test]
    fn references_and_cdata_are_text() {
        let mut reader =
            Reader::new(b"<s:a>&lt;&#65;&#x42;&amp;b<![CDATA[<c>&d;]]></s:a>").unwrap();
        let mut events = Vec::new();
        while let Some(event) = reader.next().unwrap() {
            events.push(event);
        }
        let text = |text: &'static str| Event::Text(text.into());
        let expected = [Event::Start("a"), text("<AB&b"), text("<c>&d;"), Event::End];
        assert_eq!(events, expected);
    }

    #[test]
    fn malformed_documents_are_rejected() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(check(deep(MAX_DEPTH).as_bytes()), Ok(()));
        for document in [
            "",
            "<",
            ">",
            "</>",
            "{}",
            "<html>oops",
            "a</a>",
            "<a></b>",
            "<s:a></a>",
            "<a/><b/>",
            "<a/>b",
            "<a></a></a>",
            "<a>&b;</a>",
            "<a>&</a>",
            "<a b='&c;'/>",
            "<a b='1' b='2'/>",
            "<a>\u{1}</a>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            &deep(MAX_DEPTH + 1),
        ] {
            assert_eq!(check(document.as_bytes()), Err(NotWellFormed), "{document}");
        }
        assert_eq!(check(b"<a>\xff</a>"), Err(NotWellFormed));
    }

    proptest! {
        /// Nothing passes that an independent parser rejects.
        #[test]
        fn accepted_documents_are_well_formed(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just("<a>"), Just("</a>"), Just("<b c='d'>"), Just("</b>"), Just("<b/>"), Just("x"), Just("&amp;"),
                    Just("<!-- -->"), Just("<![CDATA[<a>]]>"), Just(" "), Just("<a"), Just(">"), Just("&#65;"), Just("<?p q?>"),
                ],
                0..9,
            ),
        ) {
            let document = format!("<a>{}</a>", pieces.concat());
            let is_well_formed = roxmltree::Document::parse(&document).is_ok();
            prop_assert_eq!(check(document.as_bytes()).is_ok(), is_well_formed, "{}", document);
        }
    }
}
