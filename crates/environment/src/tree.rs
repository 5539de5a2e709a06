//! Parses text to a tree of nodes, from the events of a YAML parser.
//!
//! The tree keeps what typed values lose: positions, quoting and duplicate keys. Anchors, aliases, tags and multiple
//! documents are rejected, so that every YAML parser reads the same values.

use std::ops::Range;

use serde_json::Value;

use crate::yaml::{Event, Events, ScalarStyle, Span, is_whole_number};

use super::{diagnostics::Problem, syntax};

/// The maximum nesting of lists and maps: twice what any key needs.
const MAX_DEPTH: usize = 16;

/// A value of the file.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) content: Content,
}

impl Node {
    /// The text of a scalar.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the value is absent.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, style: Style::Plain } if text.is_empty())
    }
}

/// Converts to JSON, which the variables are deserialized from.
impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        match &node.content {
            Content::Map(entries) => {
                let entries = entries.iter();
                let named = entries.filter_map(|(key, value)| Some((key.word()?, value)));
                named
                    .map(|(key, value)| (key.to_owned(), Self::from(value)))
                    .collect()
            }
            Content::List(items) => items.iter().map(Self::from).collect(),
            Content::Scalar {
                text,
                style: Style::Plain,
            } if is_boolean(text) || is_whole_number(text) => {
                serde_json::from_str(text).unwrap_or_default()
            }
            Content::Scalar { text, .. } => text.as_str().into(),
            Content::Rejected => Self::Null,
        }
    }
}

fn is_boolean(text: &str) -> bool {
    matches!(text, "true" | "false")
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar {
        text: String,
        style: Style,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// Already reported, and skipped by later checks.
    Rejected,
}

/// The style of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// `|` or `>`.
    Block,
}

/// The content of a file.
#[derive(Debug)]
pub(super) struct Tree {
    /// The top-level value; `None` if the file is empty.
    pub(super) root: Option<Node>,
    /// Problems that did not stop parsing.
    pub(super) problems: Vec<Problem>,
}

/// Parses the text.
///
/// # Errors
/// The text is not YAML; contains all problems up to and including that one.
pub(super) fn read(text: &str) -> Result<Tree, Vec<Problem>> {
    let mut builder = Builder::new(text);
    let outcome = builder.run();
    let Builder {
        root, mut problems, ..
    } = builder;
    match outcome {
        Ok(()) => Ok(Tree { root, problems }),
        Err(problem) => {
            problems.push(*problem);
            Err(problems)
        }
    }
}

/// Converts character positions to byte positions.
struct Offsets(Option<Vec<usize>>, usize);

impl Offsets {
    fn of(text: &str) -> Self {
        let map = (!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).collect());
        Self(map, text.len())
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character.min(self.1),
            Some(map) => map.get(character).copied().unwrap_or(self.1),
        }
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

struct Builder<'a> {
    text: &'a str,
    offsets: Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
    /// The end of the last event: a node's tag or anchor comes after it.
    end: usize,
    /// The end of the last alias.
    last_alias: usize,
    documents: usize,
}

/// An unfinished list or map; a map may have a key that still has no value.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<(Node, Node)>, Option<Node>),
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            offsets: Offsets::of(text),
            open: Vec::new(),
            root: None,
            problems: Vec::new(),
            end: 0,
            last_alias: 0,
            documents: 0,
        }
    }

    /// Reads all events.
    fn run(&mut self) -> Result<(), Box<Problem>> {
        for event in Events::of(self.text) {
            let (event, span) = event.map_err(|error| {
                let at = self.offsets.byte(error.marker().index());
                syntax::problem(self.text, at, error.info())
            })?;
            let span = self.offsets.bytes(span);
            let end = span.end;
            self.handle(event, span)?;
            self.end = end.max(self.end);
        }
        Ok(())
    }

    fn handle(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Box<Problem>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let rejected = self.reject_properties(anchor, tag.is_some(), &span);
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let content = if rejected {
                    Content::Rejected
                } else {
                    Content::Scalar {
                        text: text.into_owned(),
                        style,
                    }
                };
                let span = self.without_trailing(span, style);
                self.add(Node { span, content });
            }
            Event::Alias(_) => {
                // Reported once per line.
                if self.last_alias == 0 || self.text[self.last_alias..span.start].contains('\n') {
                    self.problems.push(syntax::alias(span.clone()));
                }
                self.last_alias = span.end;
                self.add(Node {
                    span,
                    content: Content::Rejected,
                });
            }
            Event::SequenceStart(anchor, tag) => {
                self.reject_properties(anchor, tag.is_some(), &span);
                self.open(Open::List(span.start, Vec::new()), span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.reject_properties(anchor, tag.is_some(), &span);
                self.open(Open::Map(span.start, Vec::new(), None), span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Box::new(
                        Problem::at(span, "multiple YAML documents are not supported", "second document starts here")
                            .help("keep one document: remove this `---` and either what follows or what precedes it"),
                    ));
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// Cuts a quoted scalar's span at its closing quote: the parser's includes trailing spaces and a comment.
    fn without_trailing(&self, span: Range<usize>, style: Style) -> Range<usize> {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let quote = written.chars().next().filter(|_| style == Style::Quoted);
        let Some(quote @ ('"' | '\'')) = quote else {
            return span;
        };
        // Fast path for nearly every value: no backslash, no doubled quote.
        if let Some(length) = written[1..].find(quote)
            && let end = 1 + length + quote.len_utf8()
            && !written.as_bytes()[..end].contains(&b'\\')
            && !written[end..].starts_with(quote)
        {
            return span.start..span.start + end;
        }
        let mut characters = written.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if character == '\\' && quote == '"' {
                characters.next();
            } else if character == quote {
                // In single quotes, a doubled quote is an escaped one.
                let doubled =
                    quote == '\'' && characters.next_if(|(_, next)| *next == quote).is_some();
                if !doubled {
                    return span.start..span.start + at + 1;
                }
            }
        }
        span
    }

    fn open(&mut self, open: Open, span: Range<usize>) -> Result<(), Box<Problem>> {
        self.open.push(open);
        if self.open.len() > MAX_DEPTH {
            return Err(Box::new(syntax::too_deep(span)));
        }
        Ok(())
    }

    fn close(&mut self, end: usize) {
        let node = match self.open.pop() {
            Some(Open::List(start, items)) => Node {
                span: start..end.max(start),
                content: Content::List(items),
            },
            Some(Open::Map(start, entries, _)) => Node {
                span: start..end.max(start),
                content: Content::Map(entries),
            },
            None => return,
        };
        self.add(node);
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    /// Reports a node's anchor and tag. Returns whether there was one.
    fn reject_properties(&mut self, anchor: usize, tag: bool, span: &Range<usize>) -> bool {
        let from = self.end.min(span.start);
        let between = self.text.get(from..span.end).unwrap_or_default();
        let find = |mark: char| {
            let start = from + between.find(mark).unwrap_or_default();
            let length = self.text[start..]
                .find(char::is_whitespace)
                .unwrap_or(self.text.len() - start);
            start..start + length
        };
        if anchor > 0 {
            self.problems.push(
                Problem::at(find('&'), "YAML anchors are not supported", "anchor")
                    .help("write the value itself in each place"),
            );
        }
        if tag {
            self.problems.push(
                Problem::at(find('!'), "YAML tags are not supported", "tag")
                    .help("remove the tag; to write a string, quote it"),
            );
        }
        anchor > 0 || tag
    }
}
