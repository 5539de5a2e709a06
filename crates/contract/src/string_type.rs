//! The common implementations of validated strings.

/// Implements `Display`, `as_str`, `Serialize` and `Deserialize` for a newtype over `String` that implements `FromStr`.
/// With the feature `schema`, also implements `JsonSchema` from its `PATTERN`.
macro_rules! string_type {
    ($type:ident, pattern: $pattern:literal) => {
        impl $type {
            /// A regular expression for the JSON Schema and for editors. [`FromStr`](std::str::FromStr) may be stricter.
            pub const PATTERN: &'static str = $pattern;

            /// The original text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN })
            }
        }
    };
}

pub(crate) use string_type;
