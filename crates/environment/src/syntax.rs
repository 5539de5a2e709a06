//! Explains YAML syntax errors in terms of `key: value` lines.

use std::ops::Range;

use super::diagnostics::Problem;

/// Explains a syntax error.
///
/// `at` is the parser's position, which may be a line late, and `info` is its message.
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
        let title = "unclosed bracket";
        return Problem::at(open..open + 1, title, "opened here").help(
            "close it on the same line, or write one `key: value` per line without brackets",
        );
    }
    let at = if ends { last } else { at };
    line(text, faulty_line(text, at).start).problem(at, info)
}

/// Reports lists and maps that are nested too deeply.
pub(super) fn too_deep(span: Range<usize>) -> Problem {
    Problem::at(
        span,
        "lists and maps are nested too deeply",
        "too deep",
    )
    .help("remove levels: only sections such as `function:` and items of `targets:` have keys under them")
}

/// Reports template syntax, which nothing would substitute.
pub(super) fn template(span: Range<usize>) -> Problem {
    Problem::at(
        span,
        "template syntax is not supported in the variables file",
        "would not be substituted",
    )
    .help("write the value itself: templates read the variables, not the other way around")
}

/// Reports a YAML alias.
pub(super) fn alias(span: Range<usize>) -> Problem {
    Problem::at(span, "YAML aliases are not supported", "alias")
        .help("write the value itself, or quote text that starts with `*`")
}

/// The line around a position, without its line ending.
fn line_around(text: &str, position: usize) -> Range<usize> {
    let start = text[..position]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    start..start + line.len()
}

/// Finds the faulty line: the parser may notice only on the next line that one is not `key: value`.
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
    /// The line without leading and trailing spaces.
    content: &'a str,
    /// The span of `content`.
    inner: Range<usize>,
    /// The value after the first colon and space, and its span.
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
                let title = "unclosed quote";
                return Problem::at(span.clone(), title, "not closed on this line")
                    .help("close the quote on the same line");
            }
        }
        let inside = "remove quotes and backslashes inside the value: no variable needs them";
        if info.contains("escape") {
            return Problem::at(value_span, "invalid backslash in the value", "invalid YAML")
                .help(inside);
        }
        if info.contains("trailing content") {
            let title = "unexpected text after the closing quote";
            return Problem::at(value_span, title, "invalid YAML").help(inside);
        }
        let first = value.chars().next().filter(char::is_ascii_punctuation);
        if let Some(first) = first.filter(|_| at == value_span.start && self.value.is_some()) {
            let title = format!("an unquoted value cannot start with `{first}`");
            return Problem::at(value_span, title, "invalid YAML")
                .help("remove the character, or quote the value");
        }
        if info.contains("comments must be separated") {
            return Problem::at(
                self.point(at),
                "missing space before the comment",
                "expected a space before this",
            )
            .help("add a space before `#`");
        }
        if info.contains("<document start>") {
            return Problem::at(
                self.inner.clone(),
                "the line is indented less than the first key",
                "indented too little",
            )
            .help("start all top-level keys in the same column");
        }
        if value.contains(": ") && info.contains("mapping values") {
            return Problem::at(
                self.point(at),
                "unexpected second `: ` on the line",
                "invalid YAML",
            )
            .help("write one `key: value` per line, and quote a value that contains `: `");
        }
        let is_indented = self.inner.start > self.span.start;
        if is_indented && (info.contains("mapping values") || info.contains("expected key")) {
            return Problem::at(
                self.inner.clone(),
                "unexpected indentation",
                "indented too much",
            )
            .help("align it with the other keys of its section");
        }
        Problem::at(self.point(at), format!("invalid YAML: {info}"), "here")
            .help("write one `key: value` per line")
    }

    /// Reports a line that is not `key: value`.
    fn no_entry(&self) -> Problem {
        let problem = |title: &str| Problem::at(self.inner.clone(), title, "expected `key: value`");
        match self.content.split_once(':') {
            Some((key, rest)) => problem("missing space after the colon").write(
                "add a space",
                self.inner.clone(),
                format!("{key}: {rest}"),
            ),
            None => problem("the line is not a `key: value` pair")
                .help("write a key, a colon, a space and the value"),
        }
    }

    /// The character at the parser's position, or the whole line if the position is on another one.
    fn point(&self, at: usize) -> Range<usize> {
        if self.inner.contains(&at) {
            let rest = &self.content[at - self.inner.start..];
            at..at + rest.chars().next().map_or(0, char::len_utf8)
        } else {
            self.inner.clone()
        }
    }
}
