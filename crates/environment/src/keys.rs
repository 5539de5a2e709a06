//! What makes the one definition of the keys walkable: [`keys!`](keys), and what it knows of each [`Key`].

use schemars::JsonSchema;
use serde_json::Value;

use super::{
    check::{Checker, Given},
    schema,
    tree::Node,
};

/// Declares a struct whose fields are keys of the file: the struct as it stands, and how each field is checked, which is
/// as its type is. What no field can know alone, the function after `rules:` reports.
macro_rules! keys {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty,)*
        }
        $(rules: $rules:path)?
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type,)*
        }

        impl $crate::keys::Checked for $name {
            fn check(
                node: &$crate::tree::Node,
                checker: &mut $crate::check::Checker<'_>,
            ) {
                let rules: &[$crate::keys::Rules] = &[$($rules)?];
                checker.section(node, <Self as $crate::keys::Checked>::keys(), rules);
            }

            fn keys() -> &'static [$crate::keys::Key] {
                use $crate::keys::{Checked, Key};
                static KEYS: std::sync::OnceLock<Vec<Key>> = std::sync::OnceLock::new();
                KEYS.get_or_init(|| {
                    Key::all_of::<Self>(&[
                        $((stringify!($field), <$type as Checked>::check, <$type as Checked>::keys),)*
                    ])
                })
            }
        }
    };
}

pub(super) use keys;

/// A type whose values are checked in the tree of a file.
pub(super) trait Checked {
    /// Reports every problem of the value.
    fn check(node: &Node, checker: &mut Checker<'_>);

    /// The keys under it, in the order of their definition; none for a single value.
    fn keys() -> &'static [Key] {
        &[]
    }
}

/// Reports what is wrong between the keys of a section.
pub(super) type Rules = fn(&Given<'_>, &mut Checker<'_>);

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
