//! Renders the problems of a file, in the style of rustc.

use std::{collections::HashMap, fmt, fmt::Write as _, ops::Range};

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet, renderer::DecorStyle,
};

/// Every problem of one file, in the order of the file.
///
/// Displays as plain text; [`render`](Self::render) can colour it.
#[derive(Debug)]
pub struct Diagnostics {
    source: String,
    text: String,
    problems: Vec<Problem>,
    is_partial: bool,
}

/// A problem and its fixes.
#[derive(Debug)]
pub(super) struct Problem {
    title: String,
    location: Location,
    also: Option<(Range<usize>, String)>,
    notes: Vec<String>,
    fixes: Vec<Fix>,
}

/// The location of a problem, in bytes of the text.
#[derive(Debug)]
enum Location {
    /// The file as a whole.
    File,
    /// The position of something missing.
    Gap(usize),
    /// A span of the text, and its label.
    Text(Range<usize>, String),
}

/// A fix for a problem.
#[derive(Debug)]
enum Fix {
    Hint(String),
    Replace {
        hint: String,
        at: Range<usize>,
        with: String,
        /// Whether `check --fix` may apply it: the meaning of the file stays the same.
        is_safe: bool,
    },
}

impl Problem {
    /// A problem with the text in `span`; `label` is printed under it.
    pub(super) fn at(
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self::new(Location::Text(span, label.into()), title.into())
    }

    /// A problem with something missing at `position`.
    pub(super) fn gap(position: usize, title: impl Into<String>) -> Self {
        Self::new(Location::Gap(position), title.into())
    }

    /// A problem with the whole file.
    pub(super) fn file(title: impl Into<String>) -> Self {
        Self::new(Location::File, title.into())
    }

    fn new(location: Location, title: String) -> Self {
        Self {
            title,
            location,
            also: None,
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// Adds a second span.
    pub(super) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also = Some((span, label.into()));
        self
    }

    /// Adds a note.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a hint.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.fixes.push(Fix::Hint(help.into()));
        self
    }

    /// Adds a replacement: `with` instead of the text `at`.
    pub(super) fn write(
        self,
        hint: impl Into<String>,
        at: Range<usize>,
        with: impl Into<String>,
    ) -> Self {
        self.write_if(false, hint, at, with)
    }

    /// Adds a replacement, which [`Diagnostics::fixed`] applies if it `is_safe`.
    pub(super) fn write_if(
        mut self,
        is_safe: bool,
        hint: impl Into<String>,
        at: Range<usize>,
        with: impl Into<String>,
    ) -> Self {
        self.fixes.push(Fix::Replace {
            hint: hint.into(),
            at,
            with: with.into(),
            is_safe,
        });
        self
    }

    /// The safe replacements, and their spans.
    fn safe(&self) -> impl Iterator<Item = (&Range<usize>, &str)> {
        self.fixes.iter().filter_map(|fix| match fix {
            Fix::Replace {
                at,
                with,
                is_safe: true,
                ..
            } => Some((at, with.as_str())),
            Fix::Replace { .. } | Fix::Hint(_) => None,
        })
    }

    /// The title with numbers as `#`: problems with the same pattern are grouped.
    fn title_pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.title.len());
        for character in self.title.chars() {
            if !character.is_ascii_digit() {
                pattern.push(character);
            } else if !pattern.ends_with('#') {
                pattern.push('#');
            }
        }
        pattern
    }

    /// The start of the problem, in bytes of the text.
    pub(super) fn start(&self) -> usize {
        match &self.location {
            Location::File => 0,
            Location::Gap(position) => *position,
            Location::Text(span, _) => span.start,
        }
    }

    /// Renders the problem; `others` are the problems grouped under it.
    fn render(
        &self,
        source: &str,
        text: &str,
        lines: &Lines,
        others: &[&Self],
        renderer: &Renderer,
    ) -> String {
        let title = Level::ERROR.primary_title(self.title.as_str());
        let similar = (!others.is_empty()).then(|| similar(others, lines));
        let notes = self.notes.iter().chain(&similar);
        let notes = notes.map(|note| Level::NOTE.message(note));
        let hints = self.fixes.iter().filter_map(|fix| match fix {
            Fix::Hint(help) => Some(Level::HELP.message(help)),
            Fix::Replace { .. } => None,
        });
        let group = match &self.location {
            Location::File => title.element(Origin::path(source).line(1).char_column(1)),
            Location::Gap(position) => {
                let line = lines.of(*position);
                title.element(Origin::path(source).line(line).char_column(1))
            }
            Location::Text(span, label) => {
                let also = self.also.as_ref();
                let (near, far): (Option<_>, Option<_>) = match also {
                    Some((at, _)) if at.start.abs_diff(span.start) > MAX_GAP => (None, also),
                    _ => (also, None),
                };
                let window = Window::around(text, lines, &[Some(span), near.map(|(at, _)| at)]);
                let mut snippet = Snippet::source(window.text)
                    .line_start(window.line)
                    .path(source)
                    .annotation(
                        AnnotationKind::Primary
                            .span(window.inside(span))
                            .label(label),
                    );
                if let Some((at, label)) = near {
                    snippet = snippet
                        .annotation(AnnotationKind::Context.span(window.inside(at)).label(label));
                }
                let group = title.element(snippet);
                match far {
                    None => group,
                    Some((at, label)) => {
                        let window = Window::around(text, lines, &[Some(at)]);
                        let annotation = AnnotationKind::Context.span(window.inside(at));
                        group.element(
                            Snippet::source(window.text)
                                .line_start(window.line)
                                .path(source)
                                .annotation(annotation.label(label)),
                        )
                    }
                }
            }
        };
        let mut report = vec![group.elements(notes).elements(hints)];
        for fix in &self.fixes {
            if let Fix::Replace { hint, at, with, .. } = fix {
                let window = Window::around(text, lines, &[Some(at)]);
                report.push(
                    Group::with_title(Level::HELP.secondary_title(hint)).element(
                        Snippet::source(window.text)
                            .line_start(window.line)
                            .path(source)
                            .patch(Patch::new(window.inside(at), with)),
                    ),
                );
            }
        }
        renderer.render(&report)
    }
}

/// The maximum number of similar problems that are not grouped under the first.
const MAX_UNGROUPED: usize = 5;

/// Lists the lines of the problems grouped under another.
fn similar(others: &[&Problem], lines: &Lines) -> String {
    const MAX_LINES: usize = 10;
    let line_of = |problem: &&Problem| lines.of(problem.start()).to_string();
    let mut text: Vec<String> = others.iter().take(MAX_LINES).map(line_of).collect();
    if others.len() > MAX_LINES {
        text.push("…".to_owned());
    }
    format!(
        "{} more like this, on lines {}",
        others.len(),
        text.join(", ")
    )
}

/// The distance, in bytes, from which the two spans of a problem are rendered apart: otherwise, the text between them
/// would be searched for each problem.
const MAX_GAP: usize = 4096;

/// The lines around some spans, so that a large file is not searched again for each problem.
struct Window<'a> {
    text: &'a str,
    line: usize,
    offset: usize,
}

impl<'a> Window<'a> {
    fn around(text: &'a str, lines: &Lines, spans: &[Option<&Range<usize>>]) -> Self {
        let spans = || spans.iter().copied().flatten();
        let first = spans().map(|span| span.start).min().unwrap_or_default();
        let last = spans().map(|span| span.end).max().unwrap_or_default();
        let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[last..]
            .find('\n')
            .map_or(text.len(), |newline| last + newline + 1);
        Self {
            text: &text[start..end],
            line: lines.of(start),
            offset: start,
        }
    }

    fn inside(&self, span: &Range<usize>) -> Range<usize> {
        span.start - self.offset..span.end - self.offset
    }
}

/// The line starts of a text, so that a large file is not counted again for each problem.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of_text(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The line of a position, from 1.
    pub(super) fn of(&self, position: usize) -> usize {
        self.0.partition_point(|&start| start <= position)
    }
}

impl Diagnostics {
    /// The problems of `text`, which comes from the file `source`.
    pub(super) fn new(source: &str, text: String, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::start);
        Self {
            source: source.to_owned(),
            text,
            problems,
            is_partial: false,
        }
    }

    /// The problems of a text that is not YAML, and whose keys and values are not checked yet.
    pub(super) fn partial(source: &str, text: String, problems: Vec<Problem>) -> Self {
        Self {
            is_partial: true,
            ..Self::new(source, text, problems)
        }
    }

    /// The number of problems.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Applies the safe fixes to `bytes`, the content of the file. Returns the fixed content and the number of fixes;
    /// `None` if there is none, or if the problems are those of another content.
    pub fn fixed(&self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let mark = if bytes.starts_with(MARK) { MARK } else { b"" };
        if bytes[mark.len()..] != *self.text.as_bytes() {
            return None;
        }
        let mut safe: Vec<_> = self.problems.iter().flat_map(Problem::safe).collect();
        safe.sort_by_key(|(at, _)| at.start);
        safe.dedup_by_key(|(at, _)| at.start);
        let mut fixed = mark.to_vec();
        let mut end = 0;
        for (at, with) in &safe {
            fixed.extend_from_slice(&self.text.as_bytes()[end..at.start]);
            fixed.extend_from_slice(with.as_bytes());
            end = at.end;
        }
        fixed.extend_from_slice(&self.text.as_bytes()[end..]);
        (!safe.is_empty()).then_some((fixed, safe.len()))
    }

    /// The problems to show, each with those grouped under it.
    pub(super) fn shown(&self) -> Vec<(&Problem, Vec<&Problem>)> {
        let mut patterns: HashMap<String, Vec<&Problem>> = HashMap::new();
        for problem in &self.problems {
            patterns
                .entry(problem.title_pattern())
                .or_default()
                .push(problem);
        }
        let grouped = |problem: &'_ Problem| match patterns
            .get(&problem.title_pattern())
            .map(Vec::as_slice)
        {
            Some([first, others @ ..]) if others.len() >= MAX_UNGROUPED => {
                std::ptr::eq(*first, problem).then(|| others.to_vec())
            }
            _ => Some(Vec::new()),
        };
        self.problems
            .iter()
            .filter_map(|problem| Some((problem, grouped(problem)?)))
            .collect()
    }

    /// Renders all problems and a summary.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled().decor_style(DecorStyle::Ascii)
        } else {
            Renderer::plain()
        };
        let lines = Lines::of_text(&self.text);
        let shown = self.shown().into_iter();
        let mut parts: Vec<String> = shown
            .map(|(problem, others)| {
                problem.render(&self.source, &self.text, &lines, &others, &renderer)
            })
            .collect();
        let count = match self.problems.len() {
            1 => "1 problem".to_owned(),
            several => format!("{several} problems"),
        };
        let mut summary = format!("{count} in {}; nothing was written", self.source);
        if self.is_partial {
            summary.push_str("\nnote: keys and values are checked once this is fixed");
        }
        let safe = self.problems.iter().flat_map(Problem::safe).count();
        if safe > 0 {
            // Writing to a string cannot fail.
            let _ = write!(
                summary,
                "\nhint: to quote the account IDs ({safe}), run `cargo xtask check --fix`"
            );
        }
        parts.push(summary);
        parts.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
