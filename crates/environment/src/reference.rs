//! Generates the reference of the keys: a JSON Schema for editors and a table for the documentation.

use serde_json::Value;

use super::{
    keys::{Checked, Key, Need},
    schema,
    variables::Variables,
};

/// The JSON Schema of a variables file.
pub fn json_schema() -> String {
    let mut schema = schema::of::<Variables>();
    schema["title"] = "The variables of a stage".into();
    // Serializing JSON cannot fail.
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
        // A section with a default is described by its keys.
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

/// Joins names with "or".
fn alternatives(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
