//! The check of a single value: how it is written, and whether its type takes it.

use std::{ops::Range, str::FromStr};

use contract::{
    AccountId, Concurrency, ExternalId, InvalidValue, LogLevel, OrganizationId, Region, RoleName,
    SessionPolicy, TargetName, UnitId,
};

use super::{
    diagnostics::Problem,
    keys::{Checked, Checker, Place},
    schedule::Schedule,
    syntax,
    tree::{Content, Node, Style},
    values::{
        Architecture, LogRetention, Memory, ON_OR_OFF, PolicyName, RegionCheck,
        ReservedConcurrency, Service, TagKey, TagValue, Timeout, Tracing, Trust, word,
    },
};

/// How a value is written in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text; in quotes where some reader would take it for something else.
    Text,
    /// Text that is always in quotes.
    QuotedText,
    /// `on` or `off`, with or without quotes: to YAML 1.1 they are true and false, to YAML 1.2, by which the file is
    /// read, text. Both mean the same here.
    OnOff,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
}

/// The type of a single value.
pub(super) trait Leaf {
    /// How its values are written.
    const KIND: Kind;

    /// What is wrong with the value that `text` stands for.
    fn fault(text: &str) -> Option<InvalidValue>;

    /// What else is known about a value that is at fault.
    fn note(_text: &str) -> Option<String> {
        None
    }
}

macro_rules! leaf {
    ($kind:ident: $($type:ty),*) => {
        $(impl Leaf for $type {
            const KIND: Kind = Kind::$kind;

            fn fault(text: &str) -> Option<InvalidValue> {
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
    const KIND: Kind = Kind::QuotedText;

    fn fault(text: &str) -> Option<InvalidValue> {
        text.parse::<Self>().err()
    }

    fn note(text: &str) -> Option<String> {
        if !text.is_ascii() {
            return Some("an ID consists of the ASCII digits 0 to 9".to_owned());
        }
        (text.len() < Self::LENGTH && text.parse::<u64>().is_ok()).then(|| {
            "if a tool wrote this number, it may have dropped a leading zero or read the ID as octal"
                .to_owned()
        })
    }
}

impl Leaf for LogLevel {
    const KIND: Kind = Kind::Text;

    /// In the file a level is in lower case; the function also takes Lambda's own `INFO`.
    fn fault(text: &str) -> Option<InvalidValue> {
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
    const KIND: Kind = Kind::OnOff;

    fn fault(text: &str) -> Option<InvalidValue> {
        let words = [Self::On, Self::Off].map(|policy| (policy, policy.as_str()));
        word("session policy", text, &words, &ON_OR_OFF).err()
    }
}

impl Leaf for bool {
    const KIND: Kind = Kind::Switch;

    fn fault(text: &str) -> Option<InvalidValue> {
        (!matches!(text, "true" | "false"))
            .then(|| InvalidValue::new("switch", text, "is neither `true` nor `false`"))
    }
}

impl<T: Leaf> Checked for T {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let value = Value {
            subject: format!("`{}`", checker.here()),
            form: checker.form,
            place: checker.place,
        };
        checker.leaf::<T>(node, &value);
    }
}

/// What is checked, in a person's words.
pub(super) struct Value<'a> {
    /// What the sentences are about: `` `function.memory` ``.
    pub(super) subject: String,
    /// What its values look like.
    pub(super) form: &'a str,
    /// Where it is written.
    pub(super) place: Place,
}

impl Value<'_> {
    fn with_form<T: Leaf>(&self, problem: Problem) -> Problem {
        let what = match T::KIND {
            Kind::Switch => return problem.help("write `true` or `false`, without quotes"),
            Kind::Number => "an integer",
            Kind::Text | Kind::OnOff | Kind::QuotedText => "one value",
        };
        let line = match self.place {
            Place::Key => "its key",
            Place::Item => "its `-`",
        };
        problem.help(format!(
            "write {what} on the same line as {line}: {}",
            self.form
        ))
    }
}

impl Checker<'_> {
    /// Checks a single value.
    pub(super) fn leaf<T: Leaf>(&mut self, node: &Node, value: &Value<'_>) {
        let span = self.first_line(&node.span);
        let problem = match &node.content {
            Content::Refused => None,
            Content::Map(_) if self.is_template(node) => {
                Some(syntax::template(self.rest_of_line(span.start)))
            }
            Content::Map(_) => Some(wrong_kind::<T>(value, span, "a map")),
            Content::List(_) => {
                let problem = wrong_kind::<T>(value, span, "a list");
                Some(if self.here() == "target-account-id" {
                    problem.help("for several accounts, use `targets:` with an item `- account-id: …` for each")
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
                Problem::at(self.key.clone(), title, "nothing after it")
            } else {
                Problem::at(span, title, "null in YAML")
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
            let title = format!("the value of {} spans several lines", value.subject);
            return Some(value.with_form::<T>(Problem::at(span, title, "starts here")));
        }
        if let Some(problem) = filled_in(value, &span, text) {
            return Some(problem);
        }
        // What stands in the file must be the value: then no reader can take it for another one.
        if written != text {
            let title = format!("the value of {} contains an escape", value.subject);
            return Some(Problem::at(span, title, "an escape, or a doubled quote").help(
                "write the value without escapes; no value needs quotes, backslashes or line breaks",
            ));
        }
        match T::KIND {
            Kind::Text | Kind::OnOff | Kind::QuotedText => {
                text_value::<T>(value, span, text, style)
            }
            Kind::Number => number_value::<T>(value, span, text, style),
            Kind::Switch => switch_value(value, span, text, style),
        }
    }
}

fn wrong_kind<T: Leaf>(value: &Value<'_>, span: Range<usize>, what: &str) -> Problem {
    let wanted = match T::KIND {
        Kind::Text | Kind::OnOff | Kind::QuotedText => "a string",
        Kind::Number => "a number",
        Kind::Switch => "`true` or `false`",
    };
    let title = format!("{} is {what}, not {wanted}", value.subject);
    value.with_form::<T>(Problem::at(span, title, what))
}

/// A value that the Serverless Framework or the template engine would fill in.
fn filled_in(value: &Value<'_>, span: &Range<usize>, text: &str) -> Option<Problem> {
    if text.contains("${") {
        let title = format!("{} contains `${{`", value.subject);
        let problem = Problem::at(
            span.clone(),
            title,
            "a variable of the Serverless Framework",
        );
        return Some(problem.help(
            "write the value itself; `${…}` is rejected because the Serverless Framework would replace it",
        ));
    }
    let has_brace = text.as_bytes().contains(&b'{') || text.as_bytes().contains(&b'}');
    let marks = ["{{", "{%", "{#", "}}", "%}", "#}"];
    (has_brace && marks.iter().any(|mark| text.contains(mark)))
        .then(|| syntax::template(span.clone()))
}

fn faulty(value: &Value<'_>, span: Range<usize>, fault: &InvalidValue) -> Problem {
    let problem = Problem::at(span, format!("{} {}", value.subject, fault.problem()), "");
    match fault.hint() {
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
    if let Some(fault) = T::fault(text) {
        let mut problem = faulty(value, span, &fault);
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
    if style == Style::Quoted || T::KIND == Kind::OnOff {
        return None;
    }
    let problem = if T::KIND == Kind::QuotedText {
        let title = format!("{} is not in quotes", value.subject);
        Problem::at(span.clone(), title, "YAML reads a number").note(
            "without quotes it is a number: a leading zero is lost, or makes it octal, depending on the YAML parser",
        )
    } else {
        let misread = crate::yaml::misread_as(text)?;
        let title = format!("{} must be in quotes", value.subject);
        Problem::at(
            span.clone(),
            title,
            format!("some YAML parsers read {misread}"),
        )
    };
    let is_id = T::KIND == Kind::QuotedText;
    Some(problem.write_if(is_id, "write it in quotes", span, format!("\"{text}\"")))
}

fn number_value<T: Leaf>(
    value: &Value<'_>,
    span: Range<usize>,
    text: &str,
    style: Style,
) -> Option<Problem> {
    let subject = &value.subject;
    if !crate::yaml::is_whole_number(text) {
        let title = if crate::yaml::misread_as(text) == Some("a number") {
            format!("{subject} is not a plain decimal integer")
        } else {
            format!("{subject} is not an integer")
        };
        let help = format!("write only decimal digits: {}", value.form);
        return Some(Problem::at(span, title, "").help(help));
    }
    if let Some(fault) = T::fault(text) {
        let problem = faulty(value, span, &fault);
        return Some(match style {
            Style::Quoted => problem.help("write it without quotes"),
            _ => problem,
        });
    }
    let title = format!("{subject} is a number, but in quotes");
    (style == Style::Quoted).then(|| {
        Problem::at(span.clone(), title, "YAML reads a string").write(
            "write it without quotes",
            span,
            text,
        )
    })
}

fn switch_value(
    value: &Value<'_>,
    span: Range<usize>,
    text: &str,
    style: Style,
) -> Option<Problem> {
    let title = format!("{} is neither `true` nor `false`", value.subject);
    let meant = match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => "true",
        "false" | "no" | "off" | "n" | "0" => "false",
        _ => {
            let problem = Problem::at(span, title, "");
            return Some(problem.help("write `true` or `false`, without quotes"));
        }
    };
    if text == meant && style == Style::Plain {
        return None;
    }
    let label = match style {
        Style::Quoted => "YAML reads a string",
        _ => "YAML parsers read this differently",
    };
    Some(Problem::at(span.clone(), title, label).write(
        format!("write `{meant}`, without quotes"),
        span,
        meant,
    ))
}
