//! Defines the keys of the file, and the state of the check.

use std::ops::Range;

use schemars::JsonSchema;
use serde_json::Value;

use super::{diagnostics::Problem, schema, tree::Node};

/// The state of the check.
pub(super) struct Checker<'a> {
    /// The file's text.
    pub(super) text: &'a str,
    /// The problems so far.
    pub(super) problems: Vec<Problem>,
    /// The span of the current value's key.
    pub(super) key: Range<usize>,
    /// The form of the current value.
    pub(super) form: &'static str,
    /// Whether the current value follows a key or a dash.
    pub(super) position: Position,
    /// The path of the current value: `function`, `memory`.
    pub(super) path: Vec<String>,
    /// The top-level keys.
    pub(super) top: &'static [Key],
}

/// Where a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// After its key.
    Key,
    /// After the `-` of a list, or between its brackets.
    Item,
}

/// A type whose values can be checked in a file's tree.
pub(super) trait Checked {
    /// Reports every problem of the value.
    fn check(node: &Node, checker: &mut Checker<'_>);

    /// The keys under it, in the order of their definition; empty for a single value.
    fn keys() -> &'static [Key] {
        &[]
    }
}

impl<T: Checked> Checked for Option<T> {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        T::check(node, checker);
    }

    fn keys() -> &'static [Key] {
        T::keys()
    }
}

type Check = fn(&Node, &mut Checker<'_>);
type Keys = fn() -> &'static [Key];

/// A key of the file.
pub(super) struct Key {
    /// The name in the file.
    pub(super) name: String,
    /// Whether it is required.
    pub(super) need: Need,
    /// Whether it is in the example of a file.
    pub(super) usual: bool,
    /// Whether its value is a list.
    pub(super) is_list: bool,
    /// Its documentation.
    pub(super) description: String,
    /// The form of its values, or of a list's items, for messages.
    pub(super) form: String,
    /// Its default, as JSON.
    pub(super) default: Option<Value>,
    /// Reports every problem of its value.
    pub(super) check: Check,
    /// The keys under it.
    pub(super) keys: Keys,
    /// An example line.
    pub(super) example: String,
}

/// Whether a key is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// Required.
    Always,
    /// It or one of these others is required.
    Or(Vec<String>),
    /// Required if this other key is set.
    With(String),
    /// Optional.
    Never,
}

impl Need {
    /// Reads the need of the key `name` from the schema of its section.
    fn of(name: &str, section: &Value) -> Self {
        let lists = |list: &Value| {
            list.as_array()
                .is_some_and(|all| all.contains(&name.into()))
        };
        if lists(&section["required"]) {
            return Self::Always;
        }
        let alternatives = section["oneOf"].as_array().into_iter().flatten();
        let (own, others): (Vec<&Value>, Vec<&Value>) = alternatives
            .map(|alternative| &alternative["required"])
            .partition(|required| lists(required));
        if !own.is_empty() {
            let names = others.iter().filter_map(|required| required[0].as_str());
            return Self::Or(names.map(str::to_owned).collect());
        }
        let mut dependencies = section["dependencies"].as_object().into_iter().flatten();
        match dependencies.find(|(_, needed)| lists(needed)) {
            Some((other, _)) => Self::With(other.clone()),
            None => Self::Never,
        }
    }
}

impl Key {
    /// The keys of a section: its field names in kebab-case, as serde renames them.
    pub(super) fn all_of<T: JsonSchema>(fields: &[(&str, Check, Keys)]) -> Vec<Self> {
        let schema = schema::of::<T>();
        fields
            .iter()
            .map(|&(field, check, keys)| {
                let name = field.replace('_', "-");
                let need = Need::of(&name, &schema);
                let schema = &schema["properties"][&name];
                Self {
                    need,
                    usual: schema.get("examples").is_some(),
                    is_list: schema["type"] == "array",
                    description: schema["description"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    form: form(schema),
                    default: schema.get("default").cloned(),
                    check,
                    keys,
                    example: example(&name, schema["examples"][0].as_str().unwrap_or("…")),
                    name,
                }
            })
            .collect()
    }

    /// A phrase that describes the key: its documentation up to the first detail.
    pub(super) fn summary(&self) -> String {
        let text = self.description.trim_end_matches('.');
        let marks = [". ", ": ", "; ", ", ", " ("];
        let end = marks.iter().filter_map(|mark| text.find(mark)).min();
        let mut characters = text[..end.unwrap_or(text.len())].chars();
        let first = characters.next().map(|first| first.to_ascii_lowercase());
        first.into_iter().chain(characters).collect()
    }
}

/// Describes the values of a key: its `$comment`, or the list of values.
fn form(schema: &Value) -> String {
    if let Some(form) = schema["$comment"].as_str() {
        return form.to_owned();
    }
    if schema["type"] == "boolean" {
        return "`true` or `false`".to_owned();
    }
    let listed = schema["enum"].as_array().into_iter().flatten();
    let words: Vec<String> = listed
        .map(|value| match value {
            Value::String(text) => format!("`{text}`"),
            other => other.to_string(),
        })
        .collect();
    words.join(", ")
}

fn example(name: &str, value: &str) -> String {
    if crate::yaml::misread_as(value).is_some() {
        format!("{name}: \"{value}\"")
    } else {
        format!("{name}: {value}")
    }
}
