//! The variables as a JSON Schema, for editors, and as a table, for docs/variables.md: from the one definition of the keys.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{
    keys::{Checked, Key, Need},
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
            let choices = map.get("oneOf").and_then(Value::as_array);
            if let Some(choices) =
                choices.filter(|all| all.iter().all(|one| one.get("const").is_some()))
            {
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
pub fn json() -> String {
    let mut schema = of::<Variables>();
    schema["title"] = "The variables of a stage".into();
    // Serialising a tree of JSON cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The table of the keys in docs/variables.md, in the order of their definition.
pub fn markdown_table() -> String {
    let mut lines = vec![
        "| key | default | values | meaning |".to_owned(),
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
        let below = rows(
            &format!("{name}{}.", if key.is_list { "[]" } else { "" }),
            below,
        );
        // Of a section that is always there, its keys say all.
        if !below.is_empty() && key.default.is_some() {
            return below;
        }
        let default = match (&key.need, &key.default) {
            (Need::Always, _) => "required".to_owned(),
            (Need::Or(others), _) => format!("this or {}", alternatives(others)),
            (Need::With(other), _) => format!("required with `{other}`"),
            (Need::Never, None) => "none".to_owned(),
            (Need::Never, Some(Value::String(text))) => format!("`{text}`"),
            (Need::Never, Some(other)) => format!("`{other}`"),
        };
        let form = if key.is_list {
            format!("a list: {}", key.form)
        } else {
            key.form.clone()
        };
        let cells = [&format!("`{name}`"), &default, &form, &key.description];
        let cells = cells.map(|cell| cell.replace('|', r"\|"));
        let own = format!("| {} |", cells.join(" | "));
        std::iter::once(own).chain(below).collect()
    };
    keys.iter().flat_map(row).collect()
}

/// Names, as alternatives in a sentence.
fn alternatives(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
