//! Generates the JSON Schema of a type, from which the keys are derived.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// Returns the schema of a type, in draft 7, which YAML language servers support best.
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

/// Simplifies the schema for editors: joins the lines of descriptions, and turns a choice of words into an `enum`.
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
