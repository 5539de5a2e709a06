//! Parts of a CloudFormation template whose effect is not visible in the template.

use serde_json::Value;

/// Returns whether the template has a transform, which can change anything (CloudFormation user guide, "Transform section").
pub(crate) fn has_transform(template: &Value) -> bool {
    !template["Transform"].is_null() || has_key(template, "Fn::Transform")
}

/// Returns whether a resource type runs custom code or contains other resources: a custom resource, a macro, a module or a
/// registry extension.
pub(crate) fn is_opaque(kind: &str) -> bool {
    kind.is_empty()
        || kind.starts_with("Custom::")
        || kind.starts_with("AWS::CloudFormation::")
        || kind.ends_with("::MODULE")
        || !kind.starts_with("AWS::")
}

/// Returns whether the key occurs anywhere in the value.
fn has_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => {
            map.contains_key(name) || map.values().any(|value| has_key(value, name))
        }
        Value::Array(items) => items.iter().any(|value| has_key(value, name)),
        _ => false,
    }
}
