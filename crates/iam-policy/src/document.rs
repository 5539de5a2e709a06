//! Policy documents: parsed from every form that IAM accepts, written in one.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// A policy document (IAM user guide, "IAM JSON policy elements reference").
///
/// Different spellings of the same document are equal, such as a string and a list that contains only that string.
///
/// `Id` is dropped, because IAM ignores it. `Version` is dropped too: it decides whether `${…}` is a policy variable. If it
/// is not one, parsing escapes it as [`VERSION`](Self::VERSION) requires, so that statements of several documents can be
/// merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The statements, in source order. IAM ignores the order.
    pub statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The identifier of the statement.
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`: only in resource-based policies, such as the trust policy of a role.
    pub principals: Option<Set<Principal>>,
    /// `Action` or `NotAction`: case-insensitive patterns such as `s3:List*`.
    pub actions: Set<String>,
    /// `Resource` or `NotResource`: ARN patterns. A trust policy has none.
    pub resources: Option<Set<String>>,
    /// The conditions, all of which must hold.
    pub conditions: BTreeSet<Condition>,
}

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Allows the request, unless another statement denies it.
    Allow,
    /// Denies the request, even if other statements allow it.
    Deny,
}

/// The values of an element such as `Action`, or of its negation, `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set<T> {
    /// Exactly these.
    Only(BTreeSet<T>),
    /// Everything except these.
    Except(BTreeSet<T>),
}

/// A principal: `"AWS": "arn:…"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// `AWS`, `Service`, `Federated` or `CanonicalUser`.
    pub kind: String,
    /// An ARN, an account ID, a service name or `*`.
    pub value: String,
}

/// A condition: `"StringEquals": {"sts:ExternalId": "…"}`.
///
/// Any one of several values is enough. With a negated operator, all of them must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator, including a `ForAnyValue:` or `ForAllValues:` prefix and an `IfExists` suffix.
    pub operator: String,
    /// The context key, case-insensitive.
    pub key: String,
    /// The values that the key is compared with.
    pub values: BTreeSet<String>,
}

/// The error for input that is not a policy document, or has elements this crate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {problem}")]
pub struct DocumentError {
    place: String,
    problem: String,
}

impl DocumentError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl Document {
    /// The version that documents are written with.
    pub const VERSION: &'static str = "2012-10-17";

    /// Creates a document from its statements.
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { statements }
    }

    /// Merges several documents into one, like IAM does with the policies of a role.
    pub fn merge<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Self {
        let statements = documents
            .into_iter()
            .flat_map(|document| document.statements.iter().cloned());
        Self::new(statements.collect())
    }

    /// Parses a document from a JSON value.
    ///
    /// # Errors
    /// Fails if the value is not a policy document or has an unknown element, whose meaning would be ignored.
    pub fn from_json(value: &Value) -> Result<Self, DocumentError> {
        let map = object(value, "the policy")?;
        reject_unknown(map, &["Version", "Id", "Statement"], "the policy")?;
        let has_variables = match map.get("Version").map(|version| text(version, "Version")) {
            // "The default value" (IAM user guide, "IAM JSON policy elements: Version").
            None => false,
            Some(version) => match version? {
                Self::VERSION => true,
                "2008-10-17" => false,
                _ => {
                    let problem = format!("is neither `{}` nor `2008-10-17`", Self::VERSION);
                    return Err(DocumentError::new("Version", problem));
                }
            },
        };
        let statements = map
            .get("Statement")
            .ok_or_else(|| DocumentError::new("Statement", "is missing"))?;
        let statements = match statements {
            Value::Array(list) => list.iter().collect(),
            one => vec![one],
        };
        Ok(Self {
            statements: statements
                .into_iter()
                .enumerate()
                .map(|(index, value)| Statement::from_json(value, &format!("Statement[{index}]")))
                .map(|statement| {
                    if has_variables {
                        statement
                    } else {
                        statement.map(Statement::escape_variables)
                    }
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// Parses a document from JSON text.
    ///
    /// # Errors
    /// Fails if the text is not JSON, or like [`from_json`](Self::from_json).
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            DocumentError::new("the policy", format!("is not valid JSON: {error}"))
        })?;
        Self::from_json(&value)
    }

    /// Writes the document as JSON without white space.
    pub fn to_text(&self) -> String {
        // Cannot fail: it has only strings.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Removes differences that have no meaning, to show two documents side by side: sorts the statements and merges
    /// those that differ only in their resources.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        let mut merged: Vec<Statement> = Vec::new();
        for mut statement in std::mem::take(&mut self.statements) {
            let same = merged.iter_mut().find(|other| {
                let head = |one: &Statement| (one.effect, one.actions.clone());
                head(other) == head(&statement)
                    && other.principals == statement.principals
                    && other.conditions == statement.conditions
            });
            match (same, &mut statement.resources) {
                (
                    Some(Statement {
                        sid,
                        resources: Some(Set::Only(all)),
                        ..
                    }),
                    Some(Set::Only(more)),
                ) => {
                    all.append(more);
                    *sid = std::cmp::min(sid.take(), statement.sid);
                }
                _ => merged.push(statement),
            }
        }
        merged.sort_by_cached_key(|one| {
            let text = serde_json::to_string(one).unwrap_or_default();
            (one.sid.clone(), text)
        });
        merged.dedup();
        Self::new(merged)
    }

    /// The name of a statement in messages: its `Sid` in backticks, or its number, counted from 1.
    pub fn label(&self, index: usize) -> String {
        match self
            .statements
            .get(index)
            .and_then(|one| one.sid.as_deref())
        {
            Some(sid) => format!("`{sid}`"),
            None => format!("{}", index + 1),
        }
    }
}

impl Statement {
    /// Creates a statement that allows `actions`.
    pub fn allow<'a>(sid: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            sid: Some(sid.to_owned()),
            effect: Effect::Allow,
            principals: None,
            actions: Set::only(actions),
            resources: None,
            conditions: BTreeSet::new(),
        }
    }

    /// Sets the resources.
    #[must_use]
    pub fn on(mut self, resources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.resources = Some(Set::only(resources));
        self
    }

    /// Sets the principal.
    #[must_use]
    pub fn for_principal(mut self, kind: &str, value: &str) -> Self {
        self.principals = Some(Set::Only(BTreeSet::from([Principal {
            kind: kind.to_owned(),
            value: value.to_owned(),
        }])));
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: &str) -> Self {
        self.conditions.insert(Condition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values: BTreeSet::from([value.to_owned()]),
        });
        self
    }

    /// Escapes `${` for [`Document::VERSION`], for a statement of a version without policy variables.
    fn escape_variables(mut self) -> Self {
        let escape = |texts: &mut BTreeSet<String>| {
            if texts.iter().any(|text| text.contains("${")) {
                *texts = texts
                    .iter()
                    .map(|text| text.replace("${", "${$}{"))
                    .collect();
            }
        };
        if let Some(Set::Only(texts) | Set::Except(texts)) = &mut self.resources {
            escape(texts);
        }
        let conditions = std::mem::take(&mut self.conditions);
        self.conditions = conditions
            .into_iter()
            .map(|mut condition| {
                escape(&mut condition.values);
                condition
            })
            .collect();
        self
    }

    fn from_json(value: &Value, place: &str) -> Result<Self, DocumentError> {
        const ELEMENTS: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let map = object(value, place)?;
        reject_unknown(map, &ELEMENTS, place)?;
        let effect = match map.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => {
                return Err(DocumentError::new(
                    format!("{place}.Effect"),
                    "is neither `Allow` nor `Deny`",
                ));
            }
        };
        let sid = map
            .get("Sid")
            .map(|sid| text(sid, &format!("{place}.Sid")).map(ToOwned::to_owned));
        let conditions = map.get("Condition").map_or_else(
            || Ok(BTreeSet::new()),
            |value| conditions(value, &format!("{place}.Condition")),
        );
        Ok(Self {
            sid: sid.transpose()?,
            effect,
            principals: set(map, "Principal", place, principals)?,
            actions: set(map, "Action", place, texts)?
                .ok_or_else(|| DocumentError::new(format!("{place}.Action"), "is missing"))?,
            resources: set(map, "Resource", place, texts)?,
            conditions: conditions?,
        })
    }
}

impl<T> Set<T> {
    /// The listed values, negated or not.
    pub const fn listed(&self) -> &BTreeSet<T> {
        match self {
            Self::Only(values) | Self::Except(values) => values,
        }
    }
}

impl Set<String> {
    /// Creates a set of exactly these values.
    pub fn only(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(texts.into_iter().map(Into::into).collect())
    }
}

impl Principal {
    /// The account, if the principal is a whole account: `111111111111` or `arn:…:root`.
    pub fn account(&self) -> Option<&str> {
        let value = self.value.as_str();
        let account = match value.strip_suffix(":root") {
            Some(_) => account_of(value)?,
            None => value,
        };
        (self.kind == "AWS" && is_account_id(account)).then_some(account)
    }

    /// Returns true for `*`, which includes services and anonymous callers (IAM user guide, "AWS JSON policy elements:
    /// Principal").
    pub(crate) fn is_everyone(&self) -> bool {
        self.kind == "AWS" && self.value == "*"
    }
}

/// The account in the ARN of a role, user, session or account. Returns `None` for any other text.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", "", account, _] = parts[..] else {
        return None;
    };
    is_account_id(account).then_some(account)
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, DocumentError> {
    value
        .as_object()
        .ok_or_else(|| DocumentError::new(place, "is not an object"))
}

fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str, DocumentError> {
    value
        .as_str()
        .ok_or_else(|| DocumentError::new(place, "is not a string"))
}

fn reject_unknown(
    map: &Map<String, Value>,
    names: &[&str],
    place: &str,
) -> Result<(), DocumentError> {
    match map.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(DocumentError::new(
            format!("{place}.{name}"),
            "is not a policy element",
        )),
        None => Ok(()),
    }
}

/// Reads the element `NAME` or `NotNAME`. They are mutually exclusive.
fn set<T>(
    map: &Map<String, Value>,
    name: &str,
    place: &str,
    read: fn(&Value, &str) -> Result<BTreeSet<T>, DocumentError>,
) -> Result<Option<Set<T>>, DocumentError> {
    let not = format!("Not{name}");
    let place_of = |name: &str| format!("{place}.{name}");
    match (map.get(name), map.get(&not)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Set::Only(read(value, &place_of(name))?))),
        (None, Some(value)) => Ok(Some(Set::Except(read(value, &place_of(&not))?))),
        (Some(_), Some(_)) => Err(DocumentError::new(
            place_of(&not),
            format!("cannot be combined with `{name}`"),
        )),
    }
}

/// Reads a string or a list of strings. IAM also accepts numbers and booleans in conditions.
fn texts(value: &Value, place: &str) -> Result<BTreeSet<String>, DocumentError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(DocumentError::new(
            place,
            "is neither a string nor a list of strings",
        )),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(BTreeSet::from([one(single)?])),
    }
}

fn principals(value: &Value, place: &str) -> Result<BTreeSet<Principal>, DocumentError> {
    let of = |kind: &str, value: String| Principal {
        kind: kind.to_owned(),
        value,
    };
    if value == "*" {
        // Equivalent to "AWS": "*" (IAM user guide, "AWS JSON policy elements: Principal").
        return Ok(BTreeSet::from([of("AWS", "*".to_owned())]));
    }
    let mut all = BTreeSet::new();
    for (kind, value) in object(value, place)? {
        let values = texts(value, &format!("{place}.{kind}"))?;
        all.extend(values.into_iter().map(|value| of(kind, value)));
    }
    Ok(all)
}

fn conditions(value: &Value, place: &str) -> Result<BTreeSet<Condition>, DocumentError> {
    let mut all = BTreeSet::new();
    for (operator, keys) in object(value, place)? {
        let place = format!("{place}.{operator}");
        for (key, value) in object(keys, &place)? {
            all.insert(Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: texts(value, &format!("{place}.{key}"))?,
            });
        }
    }
    Ok(all)
}

/// Writes one value as a string, several as a list.
fn written(texts: &BTreeSet<String>) -> Value {
    match texts.first() {
        Some(text) if texts.len() == 1 => Value::from(text.as_str()),
        _ => texts.iter().map(String::as_str).collect(),
    }
}

fn written_principals(all: &BTreeSet<Principal>) -> Value {
    let kinds: BTreeSet<&str> = all.iter().map(|one| one.kind.as_str()).collect();
    let of = |kind: &str| {
        let values = all.iter().filter(|one| one.kind == kind);
        written(&values.map(|one| one.value.clone()).collect())
    };
    let map = kinds.into_iter().map(|kind| (kind.to_owned(), of(kind)));
    Value::Object(map.collect())
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("Version", Self::VERSION)?;
        map.serialize_entry("Statement", &self.statements)?;
        map.end()
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(sid) = &self.sid {
            map.serialize_entry("Sid", sid)?;
        }
        map.serialize_entry("Effect", &self.effect)?;
        match &self.principals {
            None => {}
            Some(Set::Only(all)) => map.serialize_entry("Principal", &written_principals(all))?,
            Some(Set::Except(all)) => {
                map.serialize_entry("NotPrincipal", &written_principals(all))?;
            }
        }
        match &self.actions {
            Set::Only(all) => map.serialize_entry("Action", &written(all))?,
            Set::Except(all) => map.serialize_entry("NotAction", &written(all))?,
        }
        match &self.resources {
            None => {}
            Some(Set::Only(all)) => map.serialize_entry("Resource", &written(all))?,
            Some(Set::Except(all)) => map.serialize_entry("NotResource", &written(all))?,
        }
        if !self.conditions.is_empty() {
            let mut operators = Map::new();
            for condition in &self.conditions {
                let keys = operators
                    .entry(condition.operator.as_str())
                    .or_insert_with(|| Value::Object(Map::new()));
                keys[&condition.key] = written(&condition.values);
            }
            map.serialize_entry("Condition", &operators)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_forms_are_equal() {
        let short = Document::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListAllMyBuckets",
                "Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}}"#,
        )
        .unwrap();
        let long = Document::parse(
            r#"{"Id":"x","Version":"2012-10-17","Statement":[{"Condition":{"Bool":{"aws:SecureTransport":["true"]}},
                "Resource":["*"],"Action":["s3:ListAllMyBuckets"],"Principal":{"AWS":["*"]},"Effect":"Allow"}]}"#,
        )
        .unwrap();
        assert_eq!(short, long);
        assert_eq!(
            short.to_text(),
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:ListAllMyBuckets","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}"#
        );
    }

    #[test]
    fn documents_survive_a_round_trip() {
        for text in [
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":["111111111111","arn:aws:iam::222222222222:root"],"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"1","sts:ExternalId":["a","b"]},"StringLike":{"aws:PrincipalArn":"x*"}}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"x"},"NotAction":"s3:*","NotResource":["a","b"]}]}"#,
            r#"{"Version":"2012-10-17","Statement":[]}"#,
        ] {
            assert_eq!(Document::parse(text).unwrap().to_text(), text);
        }
    }

    /// Without a version, or with the older one, `${…}` is not a variable.
    #[test]
    fn the_version_is_part_of_the_meaning() {
        let read = |version: &str| {
            Document::parse(&format!(
                r#"{{{version}"Statement":{{"Effect":"Allow","Action":"a:B","Resource":"x/${{aws:username}}",
                    "Condition":{{"StringLike":{{"k":"${{*}}"}}}}}}}}"#
            ))
        };
        let now = read(r#""Version":"2012-10-17","#).unwrap();
        let older = read(r#""Version":"2008-10-17","#).unwrap();
        assert_ne!(now, older);
        assert_eq!(read("").unwrap(), older);
        assert_eq!(
            older.to_text(),
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:B","Resource":"x/${$}{aws:username}","Condition":{"StringLike":{"k":"${$}{*}"}}}]}"#
        );
        let error = read(r#""Version":"2020-01-01","#).unwrap_err().to_string();
        assert_eq!(error, "Version is neither `2012-10-17` nor `2008-10-17`");
    }

    #[test]
    fn normalized_documents_ignore_how_statements_are_split() {
        let arn = |number: usize| format!("arn:aws:iam::{number:012}:role/R");
        let assume = |numbers: std::ops::Range<usize>| {
            Statement::allow("Assume", ["sts:AssumeRole"]).on(numbers.map(arn))
        };
        let logs = || Statement::allow("Logs", ["logs:PutLogEvents"]).on(["*"]);
        let one = Document::new(vec![logs(), assume(0..300)]);
        let spread = [assume(200..300), assume(0..100), logs(), assume(100..200)];
        let documents = spread.map(|statement| Document::new(vec![statement]));
        let together = Document::merge(&documents);
        assert_ne!(together, one);
        assert_eq!(together.normalized(), one.clone().normalized());
        let fewer = Document::new(vec![logs(), assume(0..299)]);
        assert_ne!(fewer.normalized(), one.normalized());
    }

    #[test]
    fn invalid_documents_are_rejected() {
        let error = |text: &str| Document::parse(text).unwrap_err().to_string();
        assert!(error("{").starts_with("the policy is not valid JSON: "));
        assert_eq!(error("[]"), "the policy is not an object");
        assert_eq!(error("{}"), "Statement is missing");
        assert_eq!(
            error(r#"{"Statement":{"Effect":"allow","Action":"*"}}"#),
            "Statement[0].Effect is neither `Allow` nor `Deny`"
        );
        assert_eq!(
            error(r#"{"Statement":[{"Effect":"Allow"}]}"#),
            "Statement[0].Action is missing"
        );
        assert_eq!(
            error(r#"{"Statement":[{"Effect":"Allow","Action":"*","Conditions":{}}]}"#),
            "Statement[0].Conditions is not a policy element"
        );
        assert_eq!(
            error(r#"{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"a"}]}"#),
            "Statement[0].NotAction cannot be combined with `Action`"
        );
        assert_eq!(
            error(r#"{"Statement":[{"Effect":"Allow","Action":{"Ref":"X"}}]}"#),
            "Statement[0].Action is neither a string nor a list of strings"
        );
    }
}
