//! Checks single values: their notation, and whether their type accepts them.

use std::{ops::Range, str::FromStr};

use contract::{
    AccountId, Concurrency, ExternalId, InvalidValue, LogLevel, OrganizationId, Region, RoleName,
    SessionPolicy, TargetName, UnitId,
};

use super::{
    diagnostics::Problem,
    keys::{Checked, Checker, Position},
    schedule::Schedule,
    syntax,
    tree::{Content, Node, Style},
    values::{
        Architecture, LogRetention, Memory, ON_OR_OFF, PolicyName, RegionCheck,
        ReservedConcurrency, Service, TagKey, TagValue, Timeout, Tracing, Trust, word,
    },
};

/// The notation of a value in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// A string, quoted if any YAML parser would read it as another type.
    Text,
    /// A string that is always quoted.
    QuotedText,
    /// `on` or `off`, quoted or not. Unquoted, YAML 1.1 reads a boolean and YAML 1.2 a string; both mean the same here.
    OnOff,
    /// An integer.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// The type of a single value.
pub(super) trait Leaf {
    /// The notation of its values.
    const NOTATION: Notation;

    /// Validates a value.
    fn problem(text: &str) -> Option<InvalidValue>;

    /// Adds background to the problem of an invalid value.
    fn note(_text: &str) -> Option<String> {
        None
    }
}

macro_rules! leaf {
    ($notation:ident: $($type:ty),*) => {
        $(impl Leaf for $type {
            const NOTATION: Notation = Notation::$notation;

            fn problem(text: &str) -> Option<InvalidValue> {
                <$type as FromStr>::from_str(text).err()
            }
        })*
    };
}

leaf!(
    Text: RoleName, Region, ExternalId, Service, Architecture, Tracing, Schedule, TagKey, TagValue, TargetName, UnitId
);
leaf!(Text: OrganizationId, PolicyName, Trust);
leaf!(OnOff: RegionCheck);
leaf!(Number: Memory, Timeout, LogRetention, ReservedConcurrency, Concurrency);

impl Leaf for AccountId {
    const NOTATION: Notation = Notation::QuotedText;

    fn problem(text: &str) -> Option<InvalidValue> {
        text.parse::<Self>().err()
    }

    fn note(text: &str) -> Option<String> {
        if !text.is_ascii() {
            return Some("an account ID consists of the ASCII digits 0 to 9".to_owned());
        }
        (text.len() < Self::LENGTH && text.parse::<u64>().is_ok())
            .then(|| "a tool may have read the ID as an octal number".to_owned())
    }
}

impl Leaf for LogLevel {
    const NOTATION: Notation = Notation::Text;

    /// Accepts lower case only; the function also accepts Lambda's own `INFO`.
    fn problem(text: &str) -> Option<InvalidValue> {
        let levels = [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
        ];
        let words = levels.map(|level| (level, level.as_str()));
        let others = [
            ("warning", "warn"),
            ("verbose", "debug"),
            ("fatal", "error"),
            ("critical", "error"),
        ];
        word("log level", text, &words, &others).err()
    }
}

impl Leaf for SessionPolicy {
    const NOTATION: Notation = Notation::OnOff;

    fn problem(text: &str) -> Option<InvalidValue> {
        let words = [Self::On, Self::Off].map(|policy| (policy, policy.as_str()));
        word("session policy", text, &words, &ON_OR_OFF).err()
    }
}

impl Leaf for bool {
    const NOTATION: Notation = Notation::Boolean;

    fn problem(text: &str) -> Option<InvalidValue> {
        (!matches!(text, "true" | "false"))
            .then(|| InvalidValue::new("boolean", text, "is not `true` or `false`"))
    }
}

impl<T: Leaf> Checked for T {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let value = Value {
            subject: format!("`{}`", checker.here()),
            form: checker.form,
            position: checker.position,
        };
        checker.leaf::<T>(node, &value);
    }
}

/// Describes the checked value for messages.
pub(super) struct Value<'a> {
    /// The subject of the message: `` `function.memory` ``.
    pub(super) subject: String,
    /// The form of valid values.
    pub(super) form: &'a str,
    /// Whether it follows a key or a dash.
    pub(super) position: Position,
}

impl Value<'_> {
    fn with_form<T: Leaf>(&self, problem: Problem) -> Problem {
        let what = match T::NOTATION {
            Notation::Boolean => return problem.help("write `true` or `false` without quotes"),
            Notation::Number => "an integer",
            Notation::Text | Notation::OnOff | Notation::QuotedText => "one value",
        };
        let line = match self.position {
            Position::Key => "its key",
            Position::Item => "its `-`",
        };
        problem.help(format!("write {what} on the line of {line}: {}", self.form))
    }
}

impl Checker<'_> {
    /// Checks a single value.
    pub(super) fn leaf<T: Leaf>(&mut self, node: &Node, value: &Value<'_>) {
        let span = self.first_line(&node.span);
        let problem = match &node.content {
            Content::Rejected => None,
            Content::Map(_) if self.is_template(node) => {
                Some(syntax::template(self.rest_of_line(span.start)))
            }
            Content::Map(_) => Some(wrong_type::<T>(value, span, "a map")),
            Content::List(_) => {
                let problem = wrong_type::<T>(value, span, "a list");
                Some(if self.here() == "target-account-id" {
                    problem.help("to list several accounts, use `targets:` instead, with an item `- account-id: …` for each")
                } else {
                    problem
                })
            }
            Content::Scalar { text, style } => self.scalar::<T>(value, span, node, text, *style),
        };
        self.problems.extend(problem);
    }

    fn scalar<T: Leaf>(
        &self,
        value: &Value<'_>,
        span: Range<usize>,
        node: &Node,
        text: &str,
        style: Style,
    ) -> Option<Problem> {
        if style == Style::Plain && crate::yaml::is_nothing(text) {
            let title = format!("{} has no value", value.subject);
            let problem = if text.is_empty() {
                Problem::at(self.key.clone(), title, "no value")
            } else {
                Problem::at(span, title, "YAML parses this as null")
            };
            return Some(value.with_form::<T>(problem));
        }
        let written = &self.text[node.span.clone()];
        let written = match style {
            Style::Plain => written,
            Style::Quoted => written
                .get(1..written.len().saturating_sub(1))
                .unwrap_or_default(),
            Style::Block => "\n",
        };
        if written.contains('\n') {
            let title = format!("{} spans several lines", value.subject);
            return Some(value.with_form::<T>(Problem::at(span, title, "starts here")));
        }
        if let Some(problem) = substituted(value, &span, text) {
            return Some(problem);
        }
        // Without escapes, no YAML parser can read another value.
        if written != text {
            let title = format!("{} contains an escape sequence", value.subject);
            return Some(Problem::at(span, title, "escape sequence or doubled quote").help(
                "write the characters themselves: no variable needs quotes, backslashes or line breaks",
            ));
        }
        match T::NOTATION {
            Notation::Text | Notation::OnOff | Notation::QuotedText => {
                text_value::<T>(value, span, text, style)
            }
            Notation::Number => number_value::<T>(value, span, text, style),
            Notation::Boolean => boolean_value(value, span, text, style),
        }
    }
}

fn wrong_type<T: Leaf>(value: &Value<'_>, span: Range<usize>, what: &str) -> Problem {
    let wanted = match T::NOTATION {
        Notation::Text | Notation::OnOff | Notation::QuotedText => "a string",
        Notation::Number => "an integer",
        Notation::Boolean => "a boolean",
    };
    let title = format!("{}: expected {wanted}, got {what}", value.subject);
    value.with_form::<T>(Problem::at(span, title, what))
}

/// Reports a value that the Serverless Framework or the template engine would substitute.
fn substituted(value: &Value<'_>, span: &Range<usize>, text: &str) -> Option<Problem> {
    if text.contains("${") {
        let title = format!("{} contains `${{`", value.subject);
        let problem = Problem::at(span.clone(), title, "Serverless Framework variable");
        return Some(
            problem
                .help("write the value itself: the Serverless Framework would substitute `${…}`"),
        );
    }
    let has_brace = text.as_bytes().contains(&b'{') || text.as_bytes().contains(&b'}');
    let marks = ["{{", "{%", "{#", "}}", "%}", "#}"];
    (has_brace && marks.iter().any(|mark| text.contains(mark)))
        .then(|| syntax::template(span.clone()))
}

fn invalid(value: &Value<'_>, span: Range<usize>, error: &InvalidValue) -> Problem {
    let problem = Problem::at(span, format!("{} {}", value.subject, error.problem()), "");
    match error.hint() {
        Some(hint) => problem.help(hint),
        None => problem.help(format!("write {}", value.form)),
    }
}

fn text_value<T: Leaf>(
    value: &Value<'_>,
    span: Range<usize>,
    text: &str,
    style: Style,
) -> Option<Problem> {
    if let Some(error) = T::problem(text) {
        let mut problem = invalid(value, span, &error);
        if let Some(quote) = text
            .chars()
            .find(|character| "“”„‘’‚«»".contains(*character))
        {
            problem = problem.note(format!("`{quote}` is a typographic quote; YAML uses \""));
        }
        return Some(match T::note(text) {
            Some(note) => problem.note(note),
            None => problem,
        });
    }
    if style == Style::Quoted || T::NOTATION == Notation::OnOff {
        return None;
    }
    let problem = if T::NOTATION == Notation::QuotedText {
        let title = format!("{} must be quoted", value.subject);
        Problem::at(span.clone(), title, "YAML parses this as a number").note(
            "depending on the YAML parser, a leading zero is dropped or makes the number octal",
        )
    } else {
        let misread = crate::yaml::misread_as(text)?;
        let title = format!("{} must be quoted", value.subject);
        Problem::at(
            span.clone(),
            title,
            format!("some YAML parsers read this as {misread}"),
        )
    };
    let is_id = T::NOTATION == Notation::QuotedText;
    Some(problem.write_if(is_id, "quote it", span, format!("\"{text}\"")))
}

fn number_value<T: Leaf>(
    value: &Value<'_>,
    span: Range<usize>,
    text: &str,
    style: Style,
) -> Option<Problem> {
    let subject = &value.subject;
    if !crate::yaml::is_whole_number(text) {
        let title = format!("{subject}: expected an integer");
        let help = format!("write decimal digits only: {}", value.form);
        return Some(Problem::at(span, title, "").help(help));
    }
    if let Some(error) = T::problem(text) {
        let problem = invalid(value, span, &error);
        return Some(match style {
            Style::Quoted => problem.help("remove the quotes"),
            _ => problem,
        });
    }
    let title = format!("{subject}: expected an integer, got a string");
    (style == Style::Quoted).then(|| {
        Problem::at(span.clone(), title, "YAML parses this as a string").write(
            "remove the quotes",
            span,
            text,
        )
    })
}

fn boolean_value(
    value: &Value<'_>,
    span: Range<usize>,
    text: &str,
    style: Style,
) -> Option<Problem> {
    let got = match style {
        Style::Quoted => ", got a string",
        _ => "",
    };
    let title = format!("{}: expected a boolean{got}", value.subject);
    let meant = match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => "true",
        "false" | "no" | "off" | "n" | "0" => "false",
        _ => {
            let problem = Problem::at(span, title, "");
            return Some(problem.help("write `true` or `false` without quotes"));
        }
    };
    if text == meant && style == Style::Plain {
        return None;
    }
    let label = match style {
        Style::Quoted => "YAML parses this as a string",
        _ => "YAML parsers differ on this",
    };
    Some(Problem::at(span.clone(), title, label).write(
        format!("write `{meant}` without quotes"),
        span,
        meant,
    ))
}
