//! Defines the value types that only the generator uses; `contract` has those that the function shares.

use std::{collections::BTreeMap, fmt, str::FromStr};

use contract::InvalidValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Implements `Display` and serde for a newtype over `String` that implements `FromStr`.
macro_rules! string_type {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

/// Defines a newtype over `u32` with a range, with `FromStr`, `Display`, serde and JSON Schema.
macro_rules! number_type {
    ($(#[$attribute:meta])* $type:ident, $what:literal, $min:literal to $max:expr, form: $form:literal) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $type(u32);

        impl $type {
            const MIN: u32 = $min;
            const MAX: u32 = $max;

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $type {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                // A number that overflows is above every range.
                let number = text.parse::<u32>().ok();
                if let Some(number) = number.filter(|number| (Self::MIN..=Self::MAX).contains(number)) {
                    return Ok(Self(number));
                }
                let too_low =
                    text.starts_with('-') || number.is_some_and(|number| number < Self::MIN);
                let problem = if too_low {
                    format!("is below {}", Self::MIN)
                } else {
                    format!("is above {}", Self::MAX)
                };
                Err(InvalidValue::new($what, text, problem)
                    .with_hint(concat!("write ", $form)))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = i64::deserialize(deserializer)?;
                number.to_string().parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": Self::MIN, "maximum": Self::MAX })
            }
        }
    };
}

number_type!(
    /// The function's memory in MB: 128 to 10,240 (Lambda API reference, `CreateFunction`).
    Memory, "memory", 128 to 10_240, form: "128 to 10240, in MB"
);

impl Default for Memory {
    fn default() -> Self {
        Self(256)
    }
}

number_type!(
    /// The function's timeout in seconds: 1 to 900 (Lambda API reference, `CreateFunction`; 900 is a quota).
    Timeout, "timeout", 1 to 900, form: "1 to 900, in seconds"
);

impl Default for Timeout {
    fn default() -> Self {
        Self(30)
    }
}

number_type!(
    /// The function's reserved concurrency: 0 or more (Lambda API reference, `PutFunctionConcurrency`). The account's
    /// quota can be raised, so only the API's integer type limits it here.
    ReservedConcurrency, "reserved concurrency", 0 to i32::MAX.unsigned_abs(), form: "0 or more"
);

/// The number of days after which CloudWatch deletes log events.
///
/// One of a list (CloudWatch Logs API reference, `PutRetentionPolicy`), without 1096, which the Serverless Framework's
/// schema rejects (`awsLogRetentionInDays` in serverless 3.40 and osls 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LogRetention(u32);

impl LogRetention {
    const ALL: [u32; 21] = [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 2192, 2557, 2922,
        3288, 3653,
    ];

    /// The days.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for LogRetention {
    fn default() -> Self {
        Self(30)
    }
}

impl fmt::Display for LogRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LogRetention {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let number = text.parse().ok();
        if let Some(days) = number.filter(|days| Self::ALL.contains(days)) {
            return Ok(Self(days));
        }
        let problem = if number == Some(1096) {
            "is rejected by the Serverless Framework"
        } else {
            "is not a retention period of CloudWatch Logs"
        };
        let list = Self::ALL.map(|days| days.to_string()).join(", ");
        Err(InvalidValue::new("log retention", text, problem)
            .with_hint(format!("write one of {list}")))
    }
}

impl<'de> Deserialize<'de> for LogRetention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        number.to_string().parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for LogRetention {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LogRetention".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": Self::ALL })
    }
}

/// Escapes an invisible character for a message.
fn shown(character: char) -> String {
    match character {
        '"' | '\'' | '\\' => character.to_string(),
        other => other.escape_debug().to_string(),
    }
}

/// Parses one of a few words; `others` are other names for them, which are suggested.
pub(super) fn word<T: Copy>(
    what: &'static str,
    text: &str,
    words: &[(T, &'static str)],
    others: &[(&str, &str)],
) -> Result<T, InvalidValue> {
    if let Some((value, _)) = words.iter().find(|(_, word)| *word == text) {
        return Ok(*value);
    }
    let lower = text.to_ascii_lowercase();
    let meant = others
        .iter()
        .find(|(other, _)| *other == lower)
        .map(|(_, word)| *word)
        .or_else(|| super::suggest::closest(&lower, words.iter().map(|(_, word)| *word)));
    let list: Vec<String> = words.iter().map(|(_, word)| format!("`{word}`")).collect();
    let problem = format!("is not one of {}", list.join(", "));
    Err(
        InvalidValue::new(what, text, problem).with_hint(match meant {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write one of {}", list.join(", ")),
        }),
    )
}

/// The processor architecture of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Architecture {
    /// 64-bit x86.
    #[default]
    #[serde(rename = "x86_64")]
    X86,
    /// AWS Graviton, which costs less. Requires the Rust target `aarch64-unknown-linux-gnu`.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    const ALL: [(Self, &'static str); 2] = [(Self::X86, "x86_64"), (Self::Arm64, "arm64")];

    /// The name in the file and in Lambda.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl FromStr for Architecture {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let others = [
            ("aarch64", "arm64"),
            ("arm", "arm64"),
            ("graviton", "arm64"),
            ("amd64", "x86_64"),
            ("x64", "x86_64"),
            ("x86", "x86_64"),
            ("intel", "x86_64"),
        ];
        word("architecture", text, &Self::ALL, &others)
    }
}

/// Whether regions must be known to this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "lowercase")]
pub enum RegionCheck {
    /// Only known regions are valid.
    #[default]
    On,
    /// Any name in the form of a region is valid.
    Off,
}

impl FromStr for RegionCheck {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let words = [(Self::On, "on"), (Self::Off, "off")];
        word("region check", text, &words, &ON_OR_OFF)
    }
}

/// Other names for `on` and `off`.
pub(super) const ON_OR_OFF: [(&str, &str); 7] = [
    ("true", "on"),
    ("yes", "on"),
    ("enabled", "on"),
    ("false", "off"),
    ("no", "off"),
    ("none", "off"),
    ("disabled", "off"),
];

/// The principal in a Target role's trust policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The execution role, which IAM stores by its unique ID: the trust ends if the role is re-created.
    #[default]
    Role,
    /// The Admin account, with a condition on the execution role's ARN, which a re-created role meets.
    Account,
}

impl Trust {
    const ALL: [(Self, &'static str); 2] = [(Self::Role, "role"), (Self::Account, "account")];
}

impl FromStr for Trust {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let others = [("root", "account"), ("principal", "role"), ("arn", "role")];
        word("trust", text, &Self::ALL, &others)
    }
}

/// The name of a managed policy, with its path: `NAME` or `path/NAME`.
///
/// The name has 1 to 128 of `[\w+=,.@-]`; the path, with its slashes, has up to 512 characters (IAM API reference,
/// `CreatePolicy`). As for roles, the path is limited to a name's characters. An ARN is rejected: the policy is in the
/// role's account, and roles in many accounts share one definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyName(String);

string_type!(PolicyName);

impl FromStr for PolicyName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const MAX_NAME_CHARACTERS: usize = 128;
        const MAX_PATH_CHARACTERS: usize = 512;
        let error = |problem: String| InvalidValue::new("policy", text, problem);
        if text.starts_with("arn:") {
            let hint = match text.split_once(":policy/") {
                Some((arn, _)) if arn.ends_with("::aws") => {
                    "AWS managed policies are not supported: create your own policy in each account"
                        .to_owned()
                }
                Some((_, name)) => {
                    format!("write only the policy's name, with its path if it has one: `{name}`")
                }
                None => "write the name of a managed policy".to_owned(),
            };
            return Err(
                error("is an ARN; the policy is always in the role's account".to_owned())
                    .with_hint(hint),
            );
        }
        let is_allowed =
            |character: char| character.is_ascii_alphanumeric() || "_+=,.@-/".contains(character);
        if let Some(other) = text.chars().find(|&character| !is_allowed(character)) {
            let problem = format!(
                "contains `{}`; allowed are letters, digits and _ + = , . @ -",
                shown(other)
            );
            return Err(error(problem));
        }
        if text.split('/').any(str::is_empty) {
            return Err(error("has an empty part between slashes".to_owned())
                .with_hint("write `NAME` or `path/NAME`, without a slash at either end"));
        }
        let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
        if name.len() > MAX_NAME_CHARACTERS || path.len() + 2 > MAX_PATH_CHARACTERS {
            return Err(error(format!(
                "is too long: a name has up to {MAX_NAME_CHARACTERS} characters, a path with its slashes up to {MAX_PATH_CHARACTERS}"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl JsonSchema for PolicyName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PolicyName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}$"
        })
    }
}

/// Whether AWS X-Ray traces invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Tracing {
    /// Invocations are sampled.
    Active,
    /// The caller decides (Lambda's default).
    #[default]
    PassThrough,
}

impl Tracing {
    const ALL: [(Self, &'static str); 2] = [
        (Self::Active, "active"),
        (Self::PassThrough, "pass-through"),
    ];

    /// Whether invocations are sampled.
    pub fn is_active(self) -> bool {
        self == Self::Active
    }

    /// The name in Lambda and the Serverless Framework.
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::PassThrough => "PassThrough",
        }
    }
}

impl FromStr for Tracing {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let others = [("none", "pass-through"), ("passive", "pass-through")];
        word("tracing mode", text, &Self::ALL, &others)
    }
}

/// The name of the service: 2 or more letters, digits and hyphens, starting with a letter.
///
/// This is CloudFormation's rule for stack names (CloudFormation API reference, `CreateStack`); the Serverless Framework's
/// schema requires two characters. The maximum length depends on the stage: see
/// [`Environment::function_name`](super::Environment::function_name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service(String);

string_type!(Service);

impl Service {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Service {
    fn default() -> Self {
        Self("List-S3-Buckets".to_owned())
    }
}

impl FromStr for Service {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let problem = if text.is_empty() {
            "is empty".to_owned()
        } else if let Some(other) = text
            .chars()
            .find(|character| !character.is_ascii_alphanumeric() && *character != '-')
        {
            format!(
                "contains `{}`; allowed are letters, digits and -",
                shown(other)
            )
        } else if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            "does not start with a letter".to_owned()
        } else if text.len() < 2 {
            "has one character; the Serverless Framework requires two".to_owned()
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidValue::new("service", text, problem).with_hint(
            "write letters, digits and hyphens, starting with a letter, as for a CloudFormation stack name",
        ))
    }
}

impl JsonSchema for Service {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Service".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]+$" })
    }
}

/// The key of a tag.
///
/// 1 to 128 characters, not starting with `aws:` (Lambda developer guide, "Using tags on Lambda functions"). AWS also
/// allows `@` and non-ASCII characters, which the Serverless Framework's schema (`awsResourceTags`) rejects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagKey(String);

string_type!(TagKey);

impl FromStr for TagKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || " _.:/=+-".contains(character);
        let length = text.chars().count();
        let problem = if text.is_empty() {
            "is empty".to_owned()
        } else if let Some(other) = text.chars().find(|&character| !allowed(character)) {
            format!(
                "contains `{}`; allowed are ASCII letters, digits, spaces and _ . : / = + -",
                shown(other)
            )
        } else if text
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            "starts with `aws:`, which AWS reserves".to_owned()
        } else if length > 128 {
            format!("has {length} characters; allowed are 1 to 128")
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidValue::new("tag key", text, problem))
    }
}

/// The value of a tag: up to 256 letters, digits, spaces and `_ . : / = + - @` (Lambda developer guide, "Using tags on
/// Lambda functions").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagValue(String);

string_type!(TagValue);

impl FromStr for TagValue {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let allowed =
            |character: char| character.is_alphanumeric() || " _.:/=+-@".contains(character);
        let length = text.chars().count();
        let problem = if let Some(other) = text.chars().find(|&character| !allowed(character)) {
            format!(
                "contains `{}`; allowed are letters, digits, spaces and _ . : / = + - @",
                shown(other)
            )
        } else if length > 256 {
            format!("has {length} characters; allowed are 0 to 256")
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidValue::new("tag value", text, problem))
    }
}

/// The function's tags, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<TagKey, TagValue>);

impl Tags {
    /// The maximum number of tags: one less than the 50 that AWS allows on a function (Lambda developer guide, "Using
    /// tags on Lambda functions"), because the Serverless Framework adds `STAGE` to the stack and so to the function.
    pub const MAX: usize = 49;

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&TagKey, &TagValue)> {
        self.0.iter()
    }
}

impl JsonSchema for Tags {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tags".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": Self::MAX,
            "propertyNames": {
                "pattern": "^(?![aA][wW][sS]:)[A-Za-z0-9 _.:/=+-]{1,128}$",
            },
            "additionalProperties": { "type": "string", "maxLength": 256 },
        })
    }
}
