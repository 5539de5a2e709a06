//! The JSON Schema of a type, as the keys are derived from it.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

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
