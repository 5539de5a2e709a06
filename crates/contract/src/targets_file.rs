//! `targets.json`: the targets of a stage that has many.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Concurrency, ExternalId, InvalidValue, Region, Target, TargetName};

/// The targets of a stage that has many, in order, and how many are listed at a time.
///
/// The generator writes it as `targets.json` beside `bootstrap`, and the function reads it from there: the 4 KB that
/// Lambda allows for environment variables would hold some forty targets (AWS Lambda developer guide, "Lambda quotas").
///
/// ```json
/// {"version":1,"concurrency":64,"targets":[
/// {"accountId":"222222222222","name":"Payments","role":"MyS3ReadRole","externalId":"audit-2026","region":"eu-central-1"},
/// {"accountId":"333333333333","role":"MyS3ReadRole"}
/// ]}
/// ```
///
/// `name`, `externalId` and `region` are optional. There is at least one target, and no account twice. A key that is not
/// named here is a fault: both halves are of one version, and lie in one artifact.
///
/// [`to_json`](Self::to_json) and [`from_json`](Self::from_json) are each other's inverse, and the same targets have the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsFile {
    concurrency: Concurrency,
    targets: Vec<Target>,
}

/// Something in `targets.json`, or in what is to become it, that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsFault {
    place: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Invalid(InvalidValue),
    Other(String),
}

impl TargetsFile {
    /// The name of the file.
    pub const NAME: &'static str = "targets.json";
    /// The version of the form that is written, and the only one that is read.
    pub const VERSION: u64 = 1;

    /// Targets in the order in which they are to be listed.
    ///
    /// # Errors
    /// No target, and every account that is there twice.
    pub fn new(concurrency: Concurrency, targets: Vec<Target>) -> Result<Self, Vec<TargetsFault>> {
        let faults = faults_of_selection(targets.iter().map(Some));
        if faults.is_empty() {
            Ok(Self {
                concurrency,
                targets,
            })
        } else {
            Err(faults)
        }
    }

    /// How many accounts are listed at a time.
    pub fn concurrency(&self) -> Concurrency {
        self.concurrency
    }

    /// The targets, in order.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The targets, in order.
    pub fn into_targets(self) -> Vec<Target> {
        self.targets
    }

    /// The file's text: a line for each target, so that a difference between two is seen.
    pub fn to_json(&self) -> String {
        let mut text = format!(
            "{{\"version\":{},\"concurrency\":{},\"targets\":[",
            Self::VERSION,
            self.concurrency
        );
        for (index, target) in self.targets.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            // Strings alone: serde_json has nothing to refuse.
            text.push_str(&serde_json::to_string(&Written::from(target)).unwrap_or_default());
        }
        text.push_str("\n]}\n");
        text
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Every fault, not the first alone; of a text that is no JSON, where it ceases to be.
    pub fn from_json(text: &str) -> Result<Self, Vec<TargetsFault>> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| vec![TargetsFault::other("", format!("is no JSON: {error}"))])?;
        let mut faults = Vec::new();
        let read = Reader {
            faults: &mut faults,
        }
        .file(value);
        match read {
            Some(file) if faults.is_empty() => Ok(file),
            _ => Err(faults),
        }
    }
}

impl TargetsFault {
    fn other(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: Problem::Other(problem.into()),
        }
    }

    /// Where it is, such as `targets[3].role`; empty for the whole.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How to mend it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match &self.problem {
            Problem::Invalid(value) => value.hint(),
            Problem::Other(_) => None,
        }
    }
}

impl fmt::Display for TargetsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TargetsFile::NAME)?;
        match (&*self.place, &self.problem) {
            ("", Problem::Other(problem)) => write!(f, " {problem}"),
            (place, Problem::Other(problem)) => write!(f, ": {place} {problem}"),
            (place, Problem::Invalid(value)) => write!(f, ": {place}: {value}"),
        }
    }
}

impl std::error::Error for TargetsFault {}

/// What is wrong with targets that are each right: there is none, or an account is there twice. `None` stands for one
/// that has faults of its own.
fn faults_of_selection<'a>(
    targets: impl ExactSizeIterator<Item = Option<&'a Target>>,
) -> Vec<TargetsFault> {
    if targets.len() == 0 {
        return vec![TargetsFault::other("targets", "is empty")];
    }
    let mut faults = Vec::new();
    let mut first = HashMap::with_capacity(targets.len());
    for (index, target) in targets.enumerate() {
        let Some(target) = target else { continue };
        let earlier = *first.entry(&target.account).or_insert(index);
        if earlier != index {
            faults.push(TargetsFault::other(
                format!("targets[{index}]"),
                format!(
                    "is account {}, which is targets[{earlier}] already",
                    target.account
                ),
            ));
        }
    }
    faults
}

/// A target as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

impl<'a> From<&'a Target> for Written<'a> {
    fn from(target: &'a Target) -> Self {
        let Target {
            account,
            name,
            role,
            external_id,
            region,
        } = target;
        Self {
            account_id: account.as_str(),
            name: name.as_ref().map(TargetName::as_str),
            role: role.as_str(),
            external_id: external_id.as_ref().map(ExternalId::as_str),
            region: region.as_ref().map(Region::as_str),
        }
    }
}

/// Reads on past a fault, so that all of them are found.
struct Reader<'a> {
    faults: &'a mut Vec<TargetsFault>,
}

impl Reader<'_> {
    fn file(&mut self, value: Value) -> Option<TargetsFile> {
        let mut keys = self.object("", value)?;
        match keys.remove("version") {
            Some(Value::Number(version)) if version.as_u64() == Some(TargetsFile::VERSION) => {}
            Some(version) => {
                // What another version means by the rest is not known.
                let problem = format!("is {version}, not {}", TargetsFile::VERSION);
                self.fault("version", problem);
                return None;
            }
            None => self.fault("version", "is missing"),
        }
        let concurrency = match keys.remove("concurrency") {
            None => {
                self.fault("concurrency", "is missing");
                None
            }
            Some(value) => {
                let number = value
                    .as_u64()
                    .map_or_else(|| value.to_string().parse(), Concurrency::new);
                self.checked("concurrency", number)
            }
        };
        let targets = match keys.remove("targets") {
            Some(Value::Array(targets)) => {
                let targets: Vec<Option<Target>> = targets
                    .into_iter()
                    .enumerate()
                    .map(|(index, target)| self.target(&format!("targets[{index}]"), target))
                    .collect();
                let faults = faults_of_selection(targets.iter().map(Option::as_ref));
                self.faults.extend(faults);
                targets.into_iter().collect()
            }
            Some(_) => {
                self.fault("targets", "is no list");
                None
            }
            None => {
                self.fault("targets", "is missing");
                None
            }
        };
        self.unknown("", &keys);
        Some(TargetsFile {
            concurrency: concurrency?,
            targets: targets?,
        })
    }

    fn target(&mut self, place: &str, value: Value) -> Option<Target> {
        let mut keys = self.object(place, value)?;
        let account = self.required(place, &mut keys, "accountId");
        let name = self.optional(place, &mut keys, "name");
        let role = self.required(place, &mut keys, "role");
        let external_id = self.optional(place, &mut keys, "externalId");
        let region = self.optional(place, &mut keys, "region");
        self.unknown(place, &keys);
        Some(Target {
            account: account?,
            name,
            role: role?,
            external_id,
            region,
        })
    }

    fn object(&mut self, place: &str, value: Value) -> Option<Map<String, Value>> {
        if let Value::Object(keys) = value {
            Some(keys)
        } else {
            self.fault(place, "is no object");
            None
        }
    }

    fn required<T: FromStr<Err = InvalidValue>>(
        &mut self,
        place: &str,
        keys: &mut Map<String, Value>,
        key: &str,
    ) -> Option<T> {
        if !keys.contains_key(key) {
            self.fault(format!("{place}.{key}"), "is missing");
        }
        self.optional(place, keys, key)
    }

    fn optional<T: FromStr<Err = InvalidValue>>(
        &mut self,
        place: &str,
        keys: &mut Map<String, Value>,
        key: &str,
    ) -> Option<T> {
        let place = format!("{place}.{key}");
        if let Value::String(text) = keys.remove(key)? {
            self.checked(place, text.parse())
        } else {
            self.fault(place, "is no string");
            None
        }
    }

    fn checked<T>(
        &mut self,
        place: impl Into<String>,
        value: Result<T, InvalidValue>,
    ) -> Option<T> {
        value
            .map_err(|error| {
                self.faults.push(TargetsFault {
                    place: place.into(),
                    problem: Problem::Invalid(error),
                });
            })
            .ok()
    }

    fn unknown(&mut self, place: &str, keys: &Map<String, Value>) {
        for key in keys.keys() {
            let key = key.escape_debug();
            let place = if place.is_empty() {
                key.to_string()
            } else {
                format!("{place}.{key}")
            };
            self.fault(place, "is no known key");
        }
    }

    fn fault(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.faults.push(TargetsFault::other(place, problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(account: &str) -> Target {
        Target {
            account: account.parse().unwrap(),
            name: None,
            role: "MyS3ReadRole".parse().unwrap(),
            external_id: None,
            region: None,
        }
    }

    fn file() -> TargetsFile {
        let full = Target {
            name: Some("Größe & Co. <7>".parse().unwrap()),
            external_id: Some("audit:2026".parse().unwrap()),
            region: Some("eu-central-1".parse().unwrap()),
            ..target("022222222222")
        };
        let targets = vec![full, target("000000000001")];
        TargetsFile::new(Concurrency::default(), targets).unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        TargetsFile::from_json(text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_form() {
        assert_eq!(
            file().to_json(),
            r#"{"version":1,"concurrency":64,"targets":[
{"accountId":"022222222222","name":"Größe & Co. <7>","role":"MyS3ReadRole","externalId":"audit:2026","region":"eu-central-1"},
{"accountId":"000000000001","role":"MyS3ReadRole"}
]}
"#
        );
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        assert_eq!(TargetsFile::from_json(&file().to_json()), Ok(file()));
    }

    #[test]
    fn no_target_and_an_account_twice_are_refused_on_both_ways() {
        let none = TargetsFile::new(Concurrency::default(), Vec::new()).unwrap_err();
        assert_eq!(none[0].to_string(), "targets.json: targets is empty");
        let read = r#"{"version":1,"concurrency":1,"targets":[]}"#;
        assert_eq!(TargetsFile::from_json(read).unwrap_err(), none);

        let named = Target {
            name: Some("other".parse().unwrap()),
            ..target("000000000001")
        };
        let targets = vec![target("000000000001"), target("000000000002"), named];
        let twice = TargetsFile::new(Concurrency::default(), targets).unwrap_err();
        assert_eq!(
            twice[0].to_string(),
            "targets.json: targets[2] is account 000000000001, which is targets[0] already"
        );
        let read = r#"{"version":1,"concurrency":1,"targets":[
            {"accountId":"000000000001","role":"A"},{"accountId":"000000000002","role":"A"},
            {"accountId":"000000000001","role":"B","name":"other"}]}"#;
        assert_eq!(TargetsFile::from_json(read).unwrap_err(), twice);
    }

    #[test]
    fn every_fault_is_reported() {
        let text = r#"{"version":1,"concurrency":0,"more":1,"targets":[
            {"accountId":"12","role":"a b","externalId":7},
            {"accountId":"000000000001"},
            "000000000001",
            {"accountId":"000000000001","role":"A","Role":"B"}]}"#;
        assert_eq!(
            faults(text),
            [
                "targets.json: concurrency: concurrency `0` is no number from 1 to 256",
                "targets.json: targets[0].accountId: account id `12` has 2 digits, not 12",
                "targets.json: targets[0].role: role `a b` contains ` `; allowed are letters, digits and _ + = , . @ -",
                "targets.json: targets[0].externalId is no string",
                "targets.json: targets[1].role is missing",
                "targets.json: targets[2] is no object",
                "targets.json: targets[3].Role is no known key",
                "targets.json: more is no known key",
            ]
            .map(ToOwned::to_owned)
        );
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert_eq!(faults("[]"), ["targets.json is no object"]);
        assert!(faults("{")[0].starts_with("targets.json is no JSON: "));
        assert_eq!(
            faults("{}"),
            [
                "targets.json: version is missing",
                "targets.json: concurrency is missing",
                "targets.json: targets is missing"
            ]
        );
        assert_eq!(
            faults(r#"{"version":2,"accounts":[]}"#),
            ["targets.json: version is 2, not 1"]
        );
    }
}
