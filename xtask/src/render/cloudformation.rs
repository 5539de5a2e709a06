//! What a CloudFormation template may hold that is not to be seen in it.

use serde_json::Value;

/// Whether it has a transform, which may turn it into anything (CloudFormation user guide, "Transform section").
pub(crate) fn has_transform(template: &Value) -> bool {
    !template["Transform"].is_null() || has_key(template, "Fn::Transform")
}

/// Whether a resource of this type is made by somebody's code, or may hold resources of its own: a custom resource, a
/// macro, a module, an extension from a registry.
pub(crate) fn is_opaque(kind: &str) -> bool {
    kind.is_empty()
        || kind.starts_with("Custom::")
        || kind.starts_with("AWS::CloudFormation::")
        || kind.ends_with("::MODULE")
        || !kind.starts_with("AWS::")
}

/// Whether a key of that name is anywhere in it.
fn has_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => {
            map.contains_key(name) || map.values().any(|value| has_key(value, name))
        }
        Value::Array(items) => items.iter().any(|value| has_key(value, name)),
        _ => false,
    }
}
