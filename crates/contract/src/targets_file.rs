//! `targets.json`: the targets of a stage that has many.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, error::Category};

use crate::{
    Access, AccountId, Concurrency, ExternalId, InvalidValue, Organization, Region, Target,
    TargetName, UnitId, Units,
};

/// The targets of a stage that has many, and how many are listed at a time.
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
/// `name`, `externalId` and `region` are optional. The Admin account, where it is listed with the function's own
/// credentials, has `"access":"own"` in place of a role. There is at least one target, and no account twice.
///
/// Of an organization the accounts are found when the function is called; without `units` all of it is meant:
///
/// ```json
/// {"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","units":["ou-ab12-34cd56ef"],
/// "exclude":["444444444444"],"role":"MyS3ReadRole","externalId":"audit-2026"}}
/// ```
///
/// A key that is not named here is a fault: both halves are of one version, and lie in one artifact.
///
/// [`to_json`](Self::to_json) and [`from_json`](Self::from_json) are each other's inverse, and the same targets have the
/// same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsFile {
    concurrency: Concurrency,
    accounts: Accounts,
}

/// Which accounts a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// These, in order: at least one, and none twice.
    Targets(Vec<Target>),
    /// Those that an organization has at the time.
    Organization(Organization),
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

    /// Targets in the order in which they are to be listed, or an organization.
    ///
    /// # Errors
    /// No target, and every account that is there twice; an organization of no unit.
    pub fn new(concurrency: Concurrency, accounts: Accounts) -> Result<Self, Vec<TargetsFault>> {
        let faults = match &accounts {
            Accounts::Targets(targets) => faults_of_selection(targets.iter().map(Some)),
            Accounts::Organization(Organization {
                units: Units::Some(units),
                ..
            }) if units.is_empty() => vec![TargetsFault::other("organization.units", "is empty")],
            Accounts::Organization(_) => Vec::new(),
        };
        if faults.is_empty() {
            Ok(Self {
                concurrency,
                accounts,
            })
        } else {
            Err(faults)
        }
    }

    /// How many accounts are listed at a time.
    pub fn concurrency(&self) -> Concurrency {
        self.concurrency
    }

    /// Which accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Which accounts.
    pub fn into_accounts(self) -> Accounts {
        self.accounts
    }

    /// The file's text: a line for each target, so that a difference between two is seen.
    pub fn to_json(&self) -> String {
        let mut text = format!(
            "{{\"version\":{},\"concurrency\":{},",
            Self::VERSION,
            self.concurrency
        );
        match &self.accounts {
            Accounts::Targets(targets) => {
                text.push_str("\"targets\":[");
                for (index, target) in targets.iter().enumerate() {
                    text.push_str(if index == 0 { "\n" } else { ",\n" });
                    text.push_str(&json(&WrittenTarget::from(target)));
                }
                text.push_str("\n]}\n");
            }
            Accounts::Organization(organization) => {
                text.push_str("\"organization\":");
                text.push_str(&json(&WrittenOrganization::from(organization)));
                text.push_str("}\n");
            }
        }
        text
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Every fault, not the first alone; of a text that is no JSON, where it ceases to be.
    pub fn from_json(text: &str) -> Result<Self, Vec<TargetsFault>> {
        let UniqueKeys(value) = serde_json::from_str(text).map_err(|error| {
            let problem = match error.classify() {
                Category::Data => error.to_string(),
                _ => format!("is no JSON: {error}"),
            };
            vec![TargetsFault::other("", problem)]
        })?;
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

    /// The target of this number is in a region that the function's credentials are not valid in.
    pub(crate) fn other_partition(index: usize, region: &Region, function: &Region) -> Self {
        Self::other(
            format!("targets[{index}].region"),
            format!(
                "is {region}, in partition {}, and the function runs in {function}, in partition {}: credentials are \
                 valid in one partition",
                region.partition(),
                function.partition()
            ),
        )
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

fn json(value: &impl Serialize) -> String {
    // Strings alone: serde_json has nothing to refuse.
    serde_json::to_string(value).unwrap_or_default()
}

/// A JSON value no object of which has a key twice: readers of JSON differ in which of the two they take.
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(UniqueKeys(value)) = items.next_element()? {
                    values.push(value);
                }
                Ok(values.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut object = Map::new();
                while let Some(key) = entries.next_key::<String>()? {
                    if object.contains_key(&key) {
                        let key = key.escape_debug();
                        return Err(de::Error::custom(format_args!(
                            "has the key `{key}` twice in one object"
                        )));
                    }
                    let UniqueKeys(value) = entries.next_value()?;
                    object.insert(key, value);
                }
                Ok(object.into())
            }
        }

        deserializer.deserialize_any(Any).map(Self)
    }
}

/// How the Admin account's own line says so.
const OWN: &str = "own";

/// A target as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenTarget<'a> {
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
}

impl<'a> From<&'a Target> for WrittenTarget<'a> {
    fn from(target: &'a Target) -> Self {
        let Target {
            account,
            name,
            access,
            region,
        } = target;
        let (access, role, external_id) = match access {
            Access::Role { role, external_id } => (None, Some(role.as_str()), external_id.as_ref()),
            Access::Own => (Some(OWN), None, None),
        };
        Self {
            account_id: account.as_str(),
            name: name.as_ref().map(TargetName::as_str),
            access,
            role,
            external_id: external_id.map(ExternalId::as_str),
            region: region.as_ref().map(Region::as_str),
        }
    }
}

/// An organization as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOrganization<'a> {
    admin_account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<&'a str>,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
}

impl<'a> From<&'a Organization> for WrittenOrganization<'a> {
    fn from(organization: &'a Organization) -> Self {
        let Organization {
            admin,
            units,
            exclude,
            role,
            external_id,
        } = organization;
        Self {
            admin_account_id: admin.as_str(),
            units: match units {
                Units::All => None,
                Units::Some(units) => Some(units.iter().map(UnitId::as_str).collect()),
            },
            exclude: exclude.iter().map(AccountId::as_str).collect(),
            role: role.as_str(),
            external_id: external_id.as_ref().map(ExternalId::as_str),
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
        let accounts = match (keys.remove("targets"), keys.remove("organization")) {
            (Some(targets), None) => self.targets(targets).map(Accounts::Targets),
            (None, Some(value)) => self.organization(value).map(Accounts::Organization),
            (None, None) => {
                self.fault("targets", "is missing, and so is organization");
                None
            }
            (Some(_), Some(_)) => {
                self.fault(
                    "targets",
                    "is given, and so is organization: one of them alone can be",
                );
                None
            }
        };
        self.unknown("", &keys);
        Some(TargetsFile {
            concurrency: concurrency?,
            accounts: accounts?,
        })
    }

    fn targets(&mut self, value: Value) -> Option<Vec<Target>> {
        let targets: Vec<Option<Target>> = self
            .list("targets", value)?
            .into_iter()
            .enumerate()
            .map(|(index, target)| self.target(&format!("targets[{index}]"), target))
            .collect();
        let faults = faults_of_selection(targets.iter().map(Option::as_ref));
        self.faults.extend(faults);
        targets.into_iter().collect()
    }

    fn target(&mut self, place: &str, value: Value) -> Option<Target> {
        let mut keys = self.object(place, value)?;
        let account = self.required(place, &mut keys, "accountId");
        let name = self.optional(place, &mut keys, "name");
        let access = match keys.remove("access") {
            Some(Value::String(access)) if access == OWN => Some(Access::Own),
            Some(_) => {
                self.fault(format!("{place}.access"), format!("is not \"{OWN}\""));
                None
            }
            None => {
                let role = self.required(place, &mut keys, "role");
                let external_id = self.optional(place, &mut keys, "externalId");
                role.map(|role| Access::Role { role, external_id })
            }
        };
        let region = self.optional(place, &mut keys, "region");
        self.unknown(place, &keys);
        Some(Target {
            account: account?,
            name,
            access: access?,
            region,
        })
    }

    fn organization(&mut self, value: Value) -> Option<Organization> {
        const PLACE: &str = "organization";
        let mut keys = self.object(PLACE, value)?;
        let admin = self.required(PLACE, &mut keys, "adminAccountId");
        let units = match keys.remove("units") {
            None => Some(Units::All),
            Some(units) => self.set("organization.units", units).map(Units::Some),
        };
        if matches!(&units, Some(Units::Some(units)) if units.is_empty()) {
            self.fault("organization.units", "is empty");
        }
        let exclude = match keys.remove("exclude") {
            None => Some(BTreeSet::new()),
            Some(exclude) => self.set("organization.exclude", exclude),
        };
        let role = self.required(PLACE, &mut keys, "role");
        let external_id = self.optional(PLACE, &mut keys, "externalId");
        self.unknown(PLACE, &keys);
        Some(Organization {
            admin: admin?,
            units: units?,
            exclude: exclude?,
            role: role?,
            external_id,
        })
    }

    fn list(&mut self, place: &str, value: Value) -> Option<Vec<Value>> {
        if let Value::Array(items) = value {
            Some(items)
        } else {
            self.fault(place, "is no list");
            None
        }
    }

    fn set<T: FromStr<Err = InvalidValue> + Ord>(
        &mut self,
        place: &str,
        value: Value,
    ) -> Option<BTreeSet<T>> {
        let items = self.list(place, value)?;
        let items = items.into_iter().enumerate().map(|(index, item)| {
            let place = format!("{place}[{index}]");
            if let Value::String(text) = item {
                self.checked(place, text.parse())
            } else {
                self.fault(place, "is no string");
                None
            }
        });
        // All of them, before the first that is at fault ends it.
        items.collect::<Vec<_>>().into_iter().collect()
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
        Target::by_role(account.parse().unwrap(), "MyS3ReadRole".parse().unwrap())
    }

    fn new(targets: Vec<Target>) -> Result<TargetsFile, Vec<TargetsFault>> {
        TargetsFile::new(Concurrency::default(), Accounts::Targets(targets))
    }

    fn file() -> TargetsFile {
        let full = Target {
            name: Some("Größe & Co. <7>".parse().unwrap()),
            region: Some("eu-central-1".parse().unwrap()),
            ..target("022222222222").with_external_id("audit:2026".parse().unwrap())
        };
        let own = Target::own("111111111111".parse().unwrap());
        new(vec![full, target("000000000001"), own]).unwrap()
    }

    fn organization(units: Units, exclude: &[&str]) -> TargetsFile {
        let organization = Organization {
            admin: "111111111111".parse().unwrap(),
            units,
            exclude: exclude.iter().map(|id| id.parse().unwrap()).collect(),
            role: "team/Reader".parse().unwrap(),
            external_id: (!exclude.is_empty()).then(|| "audit:2026".parse().unwrap()),
        };
        TargetsFile::new(Concurrency::default(), Accounts::Organization(organization)).unwrap()
    }

    fn unit(id: &str) -> Units {
        Units::Some(BTreeSet::from([id.parse().unwrap()]))
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
{"accountId":"000000000001","role":"MyS3ReadRole"},
{"accountId":"111111111111","access":"own"}
]}
"#
        );
        assert_eq!(
            organization(unit("ou-ab12-34cd56ef"), &["444444444444"]).to_json(),
            r#"{"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","units":["ou-ab12-34cd56ef"],"exclude":["444444444444"],"role":"team/Reader","externalId":"audit:2026"}}
"#
        );
        assert_eq!(
            organization(Units::All, &[]).to_json(),
            r#"{"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","role":"team/Reader"}}
"#
        );
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for file in [
            file(),
            organization(Units::All, &[]),
            organization(unit("ou-ab12-34cd56ef"), &["444444444444"]),
        ] {
            assert_eq!(TargetsFile::from_json(&file.to_json()), Ok(file));
        }
    }

    #[test]
    fn no_target_and_an_account_twice_are_refused_on_both_ways() {
        let none = new(Vec::new()).unwrap_err();
        assert_eq!(none[0].to_string(), "targets.json: targets is empty");
        let read = r#"{"version":1,"concurrency":1,"targets":[]}"#;
        assert_eq!(TargetsFile::from_json(read).unwrap_err(), none);

        let named = Target {
            name: Some("other".parse().unwrap()),
            ..target("000000000001")
        };
        let targets = vec![target("000000000001"), target("000000000002"), named];
        let twice = new(targets).unwrap_err();
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
            {"accountId":"000000000001","role":"A","Role":"B"},
            {"accountId":"000000000002","access":"own","role":"A"},
            {"accountId":"000000000003","access":"full"}]}"#;
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
                "targets.json: targets[4].role is no known key",
                "targets.json: targets[5].access is not \"own\"",
                "targets.json: more is no known key",
            ]
            .map(ToOwned::to_owned)
        );
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        for (text, key, place) in [
            (
                r#"{"version":1,"concurrency":1,"concurrency":1,"targets":[]}"#,
                "concurrency",
                "line 1 column 42",
            ),
            (
                "{\"version\":1,\"concurrency\":1,\"targets\":[\n{\"accountId\":\"000000000001\",\"role\":\"A\",\"role\":\"B\"}]}",
                "role",
                "line 2 column 45",
            ),
            (
                r#"{"version":1,"concurrency":1,"organization":{"adminAccountId":"111111111111","r\u006fle":"A","role":"A"}}"#,
                "role",
                "line 1 column 99",
            ),
        ] {
            assert_eq!(
                faults(text),
                [format!(
                    "targets.json has the key `{key}` twice in one object at {place}"
                )]
            );
        }
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
                "targets.json: targets is missing, and so is organization"
            ]
        );
        assert_eq!(
            faults(
                r#"{"version":1,"concurrency":1,"targets":[],"organization":{"units":[],"exclude":["1",2]}}"#
            ),
            ["targets.json: targets is given, and so is organization: one of them alone can be"]
        );
        assert_eq!(
            faults(
                r#"{"version":1,"concurrency":1,"organization":{"units":[],"exclude":["1",2],"role":"R","all":true}}"#
            ),
            [
                "targets.json: organization.adminAccountId is missing",
                "targets.json: organization.units is empty",
                "targets.json: organization.exclude[0]: account id `1` has 1 digits, not 12",
                "targets.json: organization.exclude[1] is no string",
                "targets.json: organization.all is no known key",
            ]
        );
        assert_eq!(
            faults(r#"{"version":2,"accounts":[]}"#),
            ["targets.json: version is 2, not 1"]
        );
    }
}
