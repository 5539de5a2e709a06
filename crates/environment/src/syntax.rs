//! What is wrong with a line that is no YAML, in the words of a person who writes `key: value` lines.

use std::ops::Range;

use super::diagnostics::Problem;

/// The problem that text is no YAML.
///
/// `at` is where the parser noticed it, which may be a line late, and `info` what the parser says.
pub(super) fn problem(text: &str, at: usize, info: &str) -> Problem {
    if info.contains("recursion limit") {
        return too_deep(at..at);
    }
    let last = text[..at].trim_end().len();
    let ends = text[at..].trim().is_empty();
    if (info.contains("flow") || ends)
        && let Some(open) = text[..at].rfind(['{', '['])
        && (info.contains("flow") || line_around(text, last).contains(&open))
        && !text[open..].contains(['}', ']'])
    {
        let title = "a bracket is not closed";
        return Problem::at(open..open + 1, title, "opened here").help(
            "close it on the same line, or write one `key: value` per line without brackets",
        );
    }
    let at = if ends { last } else { at };
    line(text, faulty_line(text, at).start).problem(at, info)
}

/// Lists and maps lie too deep inside one another.
pub(super) fn too_deep(span: Range<usize>) -> Problem {
    Problem::at(span, "lists and maps are nested too deeply", "too deep")
        .help("the deepest keys of a variables file are those in the items of `targets:`")
}

/// Template syntax, which nothing fills in.
pub(super) fn template(span: Range<usize>) -> Problem {
    Problem::at(span, "a value contains template syntax", "template syntax")
        .help("write the value itself; a variables file is not a template")
}

/// An alias of YAML.
pub(super) fn alias(span: Range<usize>) -> Problem {
    Problem::at(span, "YAML aliases are not supported", "an alias")
        .help("write the value itself; a string that starts with `*` must be in quotes")
}

/// The line that holds a position, without its end.
fn line_around(text: &str, position: usize) -> Range<usize> {
    let start = text[..position]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    start..start + line.len()
}

/// The parser may notice on the next line only that one is no `key: value`.
fn faulty_line(text: &str, at: usize) -> Range<usize> {
    let line = line_around(text, at);
    let before = text[..line.start].trim_end();
    if before.is_empty() {
        return line;
    }
    let previous = line_around(text, before.len());
    let content = text[previous.clone()].trim();
    let is_entry =
        content.contains(": ") || content.ends_with(':') || content.starts_with(['#', '-']);
    if is_entry { line } else { previous }
}

struct Line<'a> {
    span: Range<usize>,
    /// Without the spaces around it.
    content: &'a str,
    /// Where that lies.
    inner: Range<usize>,
    /// What follows the first colon and space, and where.
    value: Option<(&'a str, Range<usize>)>,
}

fn line(text: &str, position: usize) -> Line<'_> {
    let span = line_around(text, position);
    let content = text[span.clone()].trim();
    let start = span.end - text[span.clone()].trim_start().len();
    let inner = start..start + content.len();
    let value = content.split_once(": ").map(|(_, value)| {
        let value = value.trim_start();
        (value, inner.end - value.len()..inner.end)
    });
    Line {
        span,
        content,
        inner,
        value,
    }
}

impl Line<'_> {
    fn problem(&self, at: usize, info: &str) -> Problem {
        let content = self.content;
        let (value, value_span) = self.value.clone().unwrap_or((content, self.inner.clone()));
        if ["{{", "{%", "{#"].iter().any(|mark| content.contains(mark)) {
            return template(value_span);
        }
        if info.contains("anchor") || info.contains("alias") {
            return alias(value_span);
        }
        if self.value.is_none() && !content.ends_with(':') {
            return self.no_entry();
        }
        for (part, span) in [(value, &value_span), (content, &self.inner)] {
            let is_open = |quote: char| part.starts_with(quote) && part.matches(quote).count() == 1;
            if is_open('"') || is_open('\'') {
                let title = "a quote is not closed";
                return Problem::at(span.clone(), title, "not closed on this line")
                    .help("close the quotes on the same line");
            }
        }
        let inside = "remove them; no value needs quotes or backslashes";
        if info.contains("escape") {
            return Problem::at(value_span, "the value contains a backslash", "not YAML")
                .help(inside);
        }
        if info.contains("trailing content") {
            let title = "text follows the closing quote";
            return Problem::at(value_span, title, "not YAML").help(inside);
        }
        let first = value.chars().next().filter(char::is_ascii_punctuation);
        if let Some(first) = first.filter(|_| at == value_span.start && self.value.is_some()) {
            let title = format!("a value cannot begin with `{first}` in YAML");
            return Problem::at(value_span, title, "not YAML")
                .help("put a value that starts with it in quotes");
        }
        if info.contains("comments must be separated") {
            return Problem::at(
                self.point(at),
                "a space is missing before the comment",
                "no space before it",
            )
            .help("write a space before `#`");
        }
        if info.contains("<document start>") {
            return Problem::at(
                self.inner.clone(),
                "the line is indented less than the first key",
                "indented less than the first key",
            )
            .help("start all keys in the same column");
        }
        if value.contains(": ") && info.contains("mapping values") {
            return Problem::at(
                self.point(at),
                "the line contains a second `: `",
                "not YAML",
            )
            .help("write one `key: value` per line; a value that contains `: ` must be in quotes");
        }
        let is_indented = self.inner.start > self.span.start;
        if is_indented && (info.contains("mapping values") || info.contains("expected key")) {
            return Problem::at(
                self.inner.clone(),
                "the line is indented, but no key precedes it",
                "indented too far",
            )
            .help("start it in the same column as the keys around it");
        }
        Problem::at(self.point(at), format!("not YAML: {info}"), "here")
            .help("write one `key: value` per line")
    }

    /// The line is no `key: value`.
    fn no_entry(&self) -> Problem {
        let problem = |title: &str| Problem::at(self.inner.clone(), title, "not `key: value`");
        match self.content.split_once(':') {
            Some((key, rest)) => problem("a space is missing after the colon").write(
                "add a space",
                self.inner.clone(),
                format!("{key}: {rest}"),
            ),
            None => problem("the line is not `key: value`")
                .help("write a key, a colon, a space and the value"),
        }
    }

    /// Where the parser noticed the fault, or the whole line where that was in another one.
    fn point(&self, at: usize) -> Range<usize> {
        if self.inner.contains(&at) {
            let rest = &self.content[at - self.inner.start..];
            at..at + rest.chars().next().map_or(0, char::len_utf8)
        } else {
            self.inner.clone()
        }
    }
}
