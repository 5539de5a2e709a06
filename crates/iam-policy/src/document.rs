//! A policy document: read from any form that AWS takes, written in one.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// A policy document (IAM user guide, "IAM JSON policy elements reference").
///
/// Two documents that are written differently and mean the same, such as a text and a list of that text alone, are equal.
/// `Id` is not kept: it has no meaning to IAM. Nor is `Version`: it says whether `${…}` is a policy variable, and what is
/// none is read as [`VERSION`](Self::VERSION) would write it, so that statements of several documents can be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// In their order, which has no meaning to IAM.
    pub statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// For whom, in the policy of a resource; a role's trust policy is one.
    pub principals: Option<Set<Principal>>,
    /// What: patterns such as `s3:List*`, in which case has no meaning.
    pub actions: Set<String>,
    /// On what: patterns of ARNs; a trust policy says none.
    pub resources: Option<Set<String>>,
    /// When: all of them must hold.
    pub conditions: BTreeSet<Condition>,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// These, or all but these: `Action` and `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set<T> {
    /// These.
    Only(BTreeSet<T>),
    /// All but these.
    Except(BTreeSet<T>),
}

/// Somebody: `"AWS": "arn:…"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// `AWS`, `Service`, `Federated` or `CanonicalUser`.
    pub kind: String,
    /// An ARN, an account id, the name of a service, or `*`.
    pub value: String,
}

/// A condition: `"StringEquals": {"sts:ExternalId": "…"}`. Of several values one must hold; of a negated operator, all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// How values are compared, with `ForAnyValue:` before and `IfExists` behind it where they are there.
    pub operator: String,
    /// What is compared; case has no meaning.
    pub key: String,
    /// With what.
    pub values: BTreeSet<String>,
}

/// A text or a value that is no policy document, or none whose meaning is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {problem}")]
pub struct DocumentFault {
    place: String,
    problem: String,
}

impl DocumentFault {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl Document {
    /// The version that every document of ours has.
    pub const VERSION: &'static str = "2012-10-17";

    /// A document of these statements.
    pub fn of(statements: Vec<Statement>) -> Self {
        Self { statements }
    }

    /// What several documents say together, as the policies of one role do.
    pub fn together<'a>(documents: impl IntoIterator<Item = &'a Self>) -> Self {
        let statements = documents
            .into_iter()
            .flat_map(|document| document.statements.iter().cloned());
        Self::of(statements.collect())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The value is no policy document, or has an element that is not known: what it means cannot be told.
    pub fn from_json(value: &Value) -> Result<Self, DocumentFault> {
        let map = object(value, "the policy")?;
        known(map, &["Version", "Id", "Statement"], "the policy")?;
        let has_variables = match map.get("Version").map(|version| text(version, "Version")) {
            // "The default value" (IAM user guide, "IAM JSON policy elements: Version").
            None => false,
            Some(version) => match version? {
                Self::VERSION => true,
                "2008-10-17" => false,
                _ => {
                    let problem = format!("is neither `{}` nor `2008-10-17`", Self::VERSION);
                    return Err(DocumentFault::new("Version", problem));
                }
            },
        };
        let statements = map
            .get("Statement")
            .ok_or_else(|| DocumentFault::new("Statement", "is missing"))?;
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
                        statement.map(Statement::without_variables)
                    }
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// Reads a document's text.
    ///
    /// # Errors
    /// The text is no JSON, or as for [`from_json`](Self::from_json).
    pub fn from_text(text: &str) -> Result<Self, DocumentFault> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| DocumentFault::new("the policy", format!("is no JSON: {error}")))?;
        Self::from_json(&value)
    }

    /// The document's one form, without white space.
    pub fn to_text(&self) -> String {
        // Texts alone: serde_json has nothing to refuse.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The document with what has no meaning taken out, to show next to another: statements that differ in their resources
    /// alone are one, and all are sorted.
    #[must_use]
    pub fn sorted(mut self) -> Self {
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
        Self::of(merged)
    }

    /// What a person calls a statement: its `Sid`, or its place from 1.
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
    /// A statement that allows `actions`.
    pub fn allow<'a>(sid: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            sid: Some(sid.to_owned()),
            effect: Effect::Allow,
            principals: None,
            actions: Set::of(actions),
            resources: None,
            conditions: BTreeSet::new(),
        }
    }

    /// The same, on these resources.
    #[must_use]
    pub fn on(mut self, resources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.resources = Some(Set::of(resources));
        self
    }

    /// The same, for a principal.
    #[must_use]
    pub fn by(mut self, kind: &str, value: &str) -> Self {
        self.principals = Some(Set::Only(BTreeSet::from([Principal {
            kind: kind.to_owned(),
            value: value.to_owned(),
        }])));
        self
    }

    /// The same, where `operator` holds between `key` and `value`.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: &str) -> Self {
        self.conditions.insert(Condition {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values: BTreeSet::from([value.to_owned()]),
        });
        self
    }

    /// The same where `${` is read as [`Document::VERSION`] reads it, of one that was written where it has no meaning.
    fn without_variables(mut self) -> Self {
        let escaped = |texts: &mut BTreeSet<String>| {
            if texts.iter().any(|text| text.contains("${")) {
                *texts = texts
                    .iter()
                    .map(|text| text.replace("${", "${$}{"))
                    .collect();
            }
        };
        if let Some(Set::Only(texts) | Set::Except(texts)) = &mut self.resources {
            escaped(texts);
        }
        let conditions = std::mem::take(&mut self.conditions);
        self.conditions = conditions
            .into_iter()
            .map(|mut condition| {
                escaped(&mut condition.values);
                condition
            })
            .collect();
        self
    }

    fn from_json(value: &Value, place: &str) -> Result<Self, DocumentFault> {
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
        known(map, &ELEMENTS, place)?;
        let effect = match map.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => {
                return Err(DocumentFault::new(
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
                .ok_or_else(|| DocumentFault::new(format!("{place}.Action"), "is missing"))?,
            resources: set(map, "Resource", place, texts)?,
            conditions: conditions?,
        })
    }
}

impl<T> Set<T> {
    /// Those that it names, whether it is of these or of all but these.
    pub(crate) const fn all(&self) -> &BTreeSet<T> {
        match self {
            Self::Only(all) | Self::Except(all) => all,
        }
    }
}

impl Set<String> {
    /// These texts.
    pub fn of(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(texts.into_iter().map(Into::into).collect())
    }
}

impl Principal {
    /// The account that is meant as a whole: `111111111111`, or its `arn:…:root`.
    pub fn account(&self) -> Option<&str> {
        let value = self.value.as_str();
        let account = match value.strip_suffix(":root") {
            Some(_) => account_of(value)?,
            None => value,
        };
        (self.kind == "AWS" && is_account_id(account)).then_some(account)
    }

    /// Whether it is everybody, services and callers without credentials included (IAM user guide, "AWS JSON policy
    /// elements: Principal").
    pub(crate) fn is_everybody(&self) -> bool {
        self.kind == "AWS" && self.value == "*"
    }
}

/// The account of the ARN of a role, a user, a session or an account; nothing of another text.
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

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, DocumentFault> {
    value
        .as_object()
        .ok_or_else(|| DocumentFault::new(place, "is no object"))
}

fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str, DocumentFault> {
    value
        .as_str()
        .ok_or_else(|| DocumentFault::new(place, "is no text"))
}

fn known(map: &Map<String, Value>, names: &[&str], place: &str) -> Result<(), DocumentFault> {
    match map.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(DocumentFault::new(
            format!("{place}.{name}"),
            "is no element of a policy",
        )),
        None => Ok(()),
    }
}

/// `NAME`, or `NotNAME`, but not both.
fn set<T>(
    map: &Map<String, Value>,
    name: &str,
    place: &str,
    read: fn(&Value, &str) -> Result<BTreeSet<T>, DocumentFault>,
) -> Result<Option<Set<T>>, DocumentFault> {
    let not = format!("Not{name}");
    let place_of = |name: &str| format!("{place}.{name}");
    match (map.get(name), map.get(&not)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Set::Only(read(value, &place_of(name))?))),
        (None, Some(value)) => Ok(Some(Set::Except(read(value, &place_of(&not))?))),
        (Some(_), Some(_)) => Err(DocumentFault::new(
            place_of(&not),
            format!("is given beside `{name}`"),
        )),
    }
}

/// A text, or a list of texts; a number or a switch counts as its text, as IAM has it in conditions.
fn texts(value: &Value, place: &str) -> Result<BTreeSet<String>, DocumentFault> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(DocumentFault::new(place, "is no text and no list of texts")),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(BTreeSet::from([one(single)?])),
    }
}

fn principals(value: &Value, place: &str) -> Result<BTreeSet<Principal>, DocumentFault> {
    let of = |kind: &str, value: String| Principal {
        kind: kind.to_owned(),
        value,
    };
    if value == "*" {
        // The same as "AWS": "*" (IAM user guide, "AWS JSON policy elements: Principal").
        return Ok(BTreeSet::from([of("AWS", "*".to_owned())]));
    }
    let mut all = BTreeSet::new();
    for (kind, value) in object(value, place)? {
        let values = texts(value, &format!("{place}.{kind}"))?;
        all.extend(values.into_iter().map(|value| of(kind, value)));
    }
    Ok(all)
}

fn conditions(value: &Value, place: &str) -> Result<BTreeSet<Condition>, DocumentFault> {
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

/// A single text as itself, several as a list.
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
    fn every_form_of_the_same_is_one() {
        let short = Document::from_text(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListAllMyBuckets",
                "Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}}"#,
        )
        .unwrap();
        let long = Document::from_text(
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
    fn what_is_written_is_what_is_read() {
        for text in [
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":["111111111111","arn:aws:iam::222222222222:root"],"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"1","sts:ExternalId":["a","b"]},"StringLike":{"aws:PrincipalArn":"x*"}}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"x"},"NotAction":"s3:*","NotResource":["a","b"]}]}"#,
            r#"{"Version":"2012-10-17","Statement":[]}"#,
        ] {
            assert_eq!(Document::from_text(text).unwrap().to_text(), text);
        }
    }

    /// Without a version, or with the older one, `${…}` is no variable.
    #[test]
    fn the_version_is_part_of_the_meaning() {
        let read = |version: &str| {
            Document::from_text(&format!(
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
        let fault = read(r#""Version":"2020-01-01","#).unwrap_err().to_string();
        assert_eq!(fault, "Version is neither `2012-10-17` nor `2008-10-17`");
    }

    /// How statements are cut, ordered and spread over policies has no meaning.
    #[test]
    fn sorted_documents_of_the_same_statements_are_the_same() {
        let arn = |number: usize| format!("arn:aws:iam::{number:012}:role/R");
        let assume = |numbers: std::ops::Range<usize>| {
            Statement::allow("Assume", ["sts:AssumeRole"]).on(numbers.map(arn))
        };
        let logs = || Statement::allow("Logs", ["logs:PutLogEvents"]).on(["*"]);
        let one = Document::of(vec![logs(), assume(0..300)]);
        let spread = [assume(200..300), assume(0..100), logs(), assume(100..200)];
        let documents = spread.map(|statement| Document::of(vec![statement]));
        let together = Document::together(&documents);
        assert_ne!(together, one);
        assert_eq!(together.sorted(), one.clone().sorted());
        let fewer = Document::of(vec![logs(), assume(0..299)]);
        assert_ne!(fewer.sorted(), one.sorted());
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let fault = |text: &str| Document::from_text(text).unwrap_err().to_string();
        assert!(fault("{").starts_with("the policy is no JSON: "));
        assert_eq!(fault("[]"), "the policy is no object");
        assert_eq!(fault("{}"), "Statement is missing");
        assert_eq!(
            fault(r#"{"Statement":{"Effect":"allow","Action":"*"}}"#),
            "Statement[0].Effect is neither `Allow` nor `Deny`"
        );
        assert_eq!(
            fault(r#"{"Statement":[{"Effect":"Allow"}]}"#),
            "Statement[0].Action is missing"
        );
        assert_eq!(
            fault(r#"{"Statement":[{"Effect":"Allow","Action":"*","Conditions":{}}]}"#),
            "Statement[0].Conditions is no element of a policy"
        );
        assert_eq!(
            fault(r#"{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"a"}]}"#),
            "Statement[0].NotAction is given beside `Action`"
        );
        assert_eq!(
            fault(r#"{"Statement":[{"Effect":"Allow","Action":{"Ref":"X"}}]}"#),
            "Statement[0].Action is no text and no list of texts"
        );
    }
}
