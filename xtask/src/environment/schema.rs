//! The variables as a JSON Schema, for editors, and as a table, for the README: from the one definition of the keys.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{
    keys::{Checked, Key},
    variables::Variables,
};

/// The schema of a type, draft 7: the one that YAML language servers know best.
pub(super) fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft07();
    settings.inline_subschemas = true;
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    simplify(&mut schema);
    schema
}

/// What schemars makes of the types, as editors show it best: a description in one line, not broken as its source is,
/// and a choice of words as an `enum`.
fn simplify(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(choices) = map.get("oneOf").and_then(Value::as_array) {
                let words: Vec<Value> = choices.iter().map(|one| one["const"].clone()).collect();
                map.remove("oneOf");
                map.insert("type".to_owned(), "string".into());
                map.insert("enum".to_owned(), words.into());
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            map.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// The JSON Schema of a variables file.
pub(crate) fn json() -> String {
    let mut schema = of::<Variables>();
    schema["title"] = "The variables of a stage".into();
    // Serialising a tree of JSON cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The table of the keys, as it stands in the README: in the order of their definition.
pub(crate) fn markdown_table() -> String {
    let mut lines = vec![
        "| key | default | values | what it is |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    lines.extend(rows("", Variables::keys()));
    lines.push(String::new());
    lines.join("\n")
}

fn rows(above: &str, keys: &[Key]) -> Vec<String> {
    let row = |key: &Key| {
        let name = format!("{above}{}", key.name);
        let below = (key.keys)();
        if !below.is_empty() {
            return rows(&format!("{name}."), below);
        }
        let default = match &key.default {
            _ if key.required => "required".to_owned(),
            None => "none".to_owned(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        let cells = [&format!("`{name}`"), &default, &key.form, &key.description];
        let cells = cells.map(|cell| cell.replace('|', r"\|"));
        vec![format!("| {} |", cells.join(" | "))]
    };
    keys.iter().flat_map(row).collect()
}
