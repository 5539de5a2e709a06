//! The keys of the file, and the state of the walk that checks their values.

use std::ops::Range;

use schemars::JsonSchema;
use serde_json::Value;

use super::{diagnostics::Problem, schema, tree::Node};

/// The check under way.
pub(super) struct Checker<'a> {
    /// The file's text.
    pub(super) text: &'a str,
    /// What was found.
    pub(super) problems: Vec<Problem>,
    /// Where the key of the value that is looked at stands.
    pub(super) key: Range<usize>,
    /// What the value that is looked at may look like.
    pub(super) form: &'static str,
    /// Where the value that is looked at is written.
    pub(super) place: Place,
    /// The way to it: `function`, `memory`.
    pub(super) path: Vec<String>,
    /// The keys at the top.
    pub(super) top: &'static [Key],
}

/// Where a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After its key.
    Key,
    /// After the `-` of a list, or between its brackets.
    Item,
}

/// A type whose values are checked in the tree of a file.
pub(super) trait Checked {
    /// Reports every problem of the value.
    fn check(node: &Node, checker: &mut Checker<'_>);

    /// The keys under it, in the order of their definition; none for a single value.
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
    /// Whether it must be given.
    pub(super) need: Need,
    /// Whether it is one of those that a file of the usual form has.
    pub(super) usual: bool,
    /// Whether it has a list of values.
    pub(super) is_list: bool,
    /// What it is: its documentation.
    pub(super) description: String,
    /// What its values look like, for a person; of a list, what an item does.
    pub(super) form: String,
    /// The value where it is left out, as JSON.
    pub(super) default: Option<Value>,
    /// Reports every problem of its value.
    pub(super) check: Check,
    /// The keys under it.
    pub(super) keys: Keys,
    /// A line of a file, as it might be.
    pub(super) example: String,
}

/// Whether a key must be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// It must.
    Always,
    /// It, or one of these others.
    Or(Vec<String>),
    /// It must where this other one is given.
    With(String),
    /// It need not.
    Never,
}

impl Need {
    /// What the schema of the section says of the key `name`.
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
    /// The keys of a section; each field's name becomes the key as serde's `kebab-case` makes it.
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

    /// What it is, in a few words that can stand inside a sentence: its documentation up to the first detail.
    pub(super) fn summary(&self) -> String {
        let text = self.description.trim_end_matches('.');
        let marks = [". ", ": ", "; ", ", ", " ("];
        let end = marks.iter().filter_map(|mark| text.find(mark)).min();
        let mut characters = text[..end.unwrap_or(text.len())].chars();
        let first = characters.next().map(|first| first.to_ascii_lowercase());
        first.into_iter().chain(characters).collect()
    }
}

/// In the key's own words, or the list of the values.
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
