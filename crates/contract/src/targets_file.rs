//! `targets.json`: the accounts of a stage that lists more than one.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;

use crate::{
    Access, AccountId, Concurrency, ExternalId, Organization, Region, RoleName, Target, TargetName,
    UnitId, Units,
};

/// The accounts of a stage that lists more than one, and the number of accounts to list at a time.
///
/// The generator writes it as `targets.json` next to `bootstrap`, where the function reads it: the 4 KB that Lambda
/// allows for environment variables hold only some forty targets (AWS Lambda developer guide, "Lambda quotas").
///
/// ```json
/// {"version":1,"concurrency":64,"targets":[
/// {"accountId":"222222222222","name":"Payments","role":"MyS3ReadRole","externalId":"audit-2026","region":"eu-central-1"},
/// {"accountId":"333333333333","role":"MyS3ReadRole"}
/// ]}
/// ```
///
/// `name`, `externalId` and `region` are optional. If the Admin account is listed with the function's own credentials, it
/// has `"access":"own"` instead of a role. There is at least one target, and every account is unique.
///
/// The accounts of an organization are looked up in each invocation. Without `units`, the whole organization is listed:
///
/// ```json
/// {"version":1,"concurrency":64,"organization":{"adminAccountId":"111111111111","units":["ou-ab12-34cd56ef"],
/// "exclude":["444444444444"],"role":"MyS3ReadRole","externalId":"audit-2026"}}
/// ```
///
/// Unknown and duplicate keys are rejected: the generator and the function in one artifact have the same version.
///
/// [`to_json`](Self::to_json) and [`from_json`](Self::from_json) are inverse, and equal targets have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsFile {
    concurrency: Concurrency,
    accounts: Accounts,
}

/// The accounts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// A list in this order: at least one target, and every account is unique.
    Targets(Vec<Target>),
    /// The accounts that an organization has at the time of the invocation.
    Organization(Organization),
}

/// The first problem in `targets.json`, or in what would be written to it.
///
/// Displays as `targets.json: targets[3].role: role `a b` contains ` `…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsFileError(String);

impl TargetsFile {
    /// The name of the file.
    pub const NAME: &'static str = "targets.json";
    /// The version of the format; no other version is read.
    pub const VERSION: u64 = 1;

    /// Creates the file for targets in the order in which to list them, or for an organization.
    ///
    /// # Errors
    /// There is no target or unit, or an account occurs more than once.
    pub fn new(concurrency: Concurrency, accounts: Accounts) -> Result<Self, TargetsFileError> {
        match &accounts {
            Accounts::Targets(targets) if targets.is_empty() => {
                return Err(TargetsFileError::at("targets", "is empty"));
            }
            Accounts::Targets(targets) => {
                let mut first = HashMap::with_capacity(targets.len());
                for (index, Target { account, .. }) in targets.iter().enumerate() {
                    if let Some(earlier) = first.insert(account, index) {
                        let problem =
                            format!("duplicate account {account}, also targets[{earlier}]");
                        return Err(TargetsFileError::at(&format!("targets[{index}]"), problem));
                    }
                }
            }
            Accounts::Organization(Organization {
                units: Units::Some(units),
                ..
            }) if units.is_empty() => {
                return Err(TargetsFileError::at("organization.units", "is empty"));
            }
            Accounts::Organization(_) => {}
        }
        Ok(Self {
            concurrency,
            accounts,
        })
    }

    /// The number of accounts to list at a time.
    pub fn concurrency(&self) -> Concurrency {
        self.concurrency
    }

    /// The accounts to list.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The accounts to list.
    pub fn into_accounts(self) -> Accounts {
        self.accounts
    }

    /// The file's text, with one target per line for readable diffs.
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
                    text.push_str(&json(&TargetEntry::from(target)));
                }
                text.push_str("\n]}\n");
            }
            Accounts::Organization(organization) => {
                text.push_str("\"organization\":");
                text.push_str(&json(&OrganizationEntry::from(organization)));
                text.push_str("}\n");
            }
        }
        text
    }

    /// Parses the file's text.
    ///
    /// # Errors
    /// The first problem, with its place in the text.
    pub fn from_json(text: &str) -> Result<Self, TargetsFileError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let document: Document = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = match error.inner().classify() {
                Category::Data => error.path().to_string(),
                // The path ends where the text ceases to be JSON.
                _ => WHOLE.to_owned(),
            };
            TargetsFileError::at(&path, error.inner())
        })?;
        json.end()
            .map_err(|error| TargetsFileError::at(WHOLE, error.to_string()))?;
        let accounts = match (document.targets, document.organization) {
            (Some(entries), None) => {
                let targets = entries.into_iter().enumerate().map(|(index, entry)| {
                    Target::try_from(entry).map_err(|problem| {
                        TargetsFileError::at(&format!("targets[{index}]"), problem)
                    })
                });
                Accounts::Targets(targets.collect::<Result<_, _>>()?)
            }
            (None, Some(entry)) => Accounts::Organization(entry.into()),
            (None, None) => {
                return Err(TargetsFileError::at(
                    ".",
                    "no `targets` and no `organization`",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(TargetsFileError::at(
                    ".",
                    "both `targets` and `organization`",
                ));
            }
        };
        Self::new(document.concurrency, accounts)
    }
}

impl TargetsFileError {
    /// A problem at `path`, such as `targets[3].role`, or at [`WHOLE`].
    pub(crate) fn at(path: &str, problem: impl fmt::Display) -> Self {
        let name = TargetsFile::NAME;
        Self(match path {
            WHOLE => format!("{name}: {problem}"),
            _ => format!("{name}: {}: {problem}", path.escape_debug()),
        })
    }

    /// How to fix it.
    pub fn hint(&self) -> &'static str {
        "deploy the stage again; the deployment writes this file from the variables file"
    }
}

impl fmt::Display for TargetsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TargetsFileError {}

/// The path of the whole file, as `serde_path_to_error` writes it.
const WHOLE: &str = ".";

fn json(value: &impl Serialize) -> String {
    // Cannot fail: the values are strings.
    serde_json::to_string(value).unwrap_or_default()
}

/// The file as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: Version,
    concurrency: Concurrency,
    targets: Option<Vec<TargetEntry>>,
    organization: Option<OrganizationEntry>,
}

/// The version comes first in the file: the keys of another version are unknown.
#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            TargetsFile::VERSION => Ok(Self),
            _ => Err(format!("expected {}, got {version}", TargetsFile::VERSION)),
        }
    }
}

/// A target in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TargetEntry {
    account_id: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<TargetName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<OwnAccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<RoleName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

/// The value of `access` for an account that is listed without a role.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum OwnAccess {
    Own,
}

impl From<&Target> for TargetEntry {
    fn from(target: &Target) -> Self {
        Self {
            account_id: target.account.clone(),
            name: target.name.clone(),
            access: matches!(target.access, Access::Own).then_some(OwnAccess::Own),
            role: target.role().cloned(),
            external_id: target.external_id().cloned(),
            region: target.region.clone(),
        }
    }
}

impl TryFrom<TargetEntry> for Target {
    type Error = &'static str;

    fn try_from(entry: TargetEntry) -> Result<Self, Self::Error> {
        let access = match (entry.access, entry.role, entry.external_id) {
            (Some(OwnAccess::Own), None, None) => Access::Own,
            (None, Some(role), external_id) => Access::Role { role, external_id },
            (None, None, _) => return Err("missing `role`"),
            (Some(OwnAccess::Own), ..) => {
                return Err("`access` excludes `role` and `externalId`");
            }
        };
        Ok(Self {
            account: entry.account_id,
            name: entry.name,
            access,
            region: entry.region,
        })
    }
}

/// An organization in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrganizationEntry {
    admin_account_id: AccountId,
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    units: Option<BTreeSet<UnitId>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    exclude: BTreeSet<AccountId>,
    role: RoleName,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
}

/// Rejects `null`, which would otherwise list the whole organization.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<&Organization> for OrganizationEntry {
    fn from(organization: &Organization) -> Self {
        let organization = organization.clone();
        Self {
            admin_account_id: organization.admin,
            units: match organization.units {
                Units::All => None,
                Units::Some(units) => Some(units),
            },
            exclude: organization.exclude,
            role: organization.role,
            external_id: organization.external_id,
        }
    }
}

impl From<OrganizationEntry> for Organization {
    fn from(entry: OrganizationEntry) -> Self {
        Self {
            admin: entry.admin_account_id,
            units: entry.units.map_or(Units::All, Units::Some),
            exclude: entry.exclude,
            role: entry.role,
            external_id: entry.external_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(account: &str) -> Target {
        Target::by_role(account.parse().unwrap(), "MyS3ReadRole".parse().unwrap())
    }

    fn new(targets: Vec<Target>) -> Result<TargetsFile, TargetsFileError> {
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

    fn error(text: &str) -> String {
        TargetsFile::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn the_format() {
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
    fn written_files_round_trip() {
        for file in [
            file(),
            organization(Units::All, &[]),
            organization(unit("ou-ab12-34cd56ef"), &["444444444444"]),
        ] {
            assert_eq!(TargetsFile::from_json(&file.to_json()), Ok(file));
        }
    }

    #[test]
    fn no_target_and_a_duplicate_account_are_rejected_in_both_directions() {
        let none = new(Vec::new()).unwrap_err();
        assert_eq!(none.to_string(), "targets.json: targets: is empty");
        let read = r#"{"version":1,"concurrency":1,"targets":[]}"#;
        assert_eq!(TargetsFile::from_json(read).unwrap_err(), none);

        let named = Target {
            name: Some("other".parse().unwrap()),
            ..target("000000000001")
        };
        let targets = vec![target("000000000001"), target("000000000002"), named];
        let duplicate = new(targets).unwrap_err();
        assert_eq!(
            duplicate.to_string(),
            "targets.json: targets[2]: duplicate account 000000000001, also targets[0]"
        );
        let read = r#"{"version":1,"concurrency":1,"targets":[
            {"accountId":"000000000001","role":"A"},{"accountId":"000000000002","role":"A"},
            {"accountId":"000000000001","role":"B","name":"other"}]}"#;
        assert_eq!(TargetsFile::from_json(read).unwrap_err(), duplicate);
    }

    #[test]
    fn an_invalid_target_is_reported_with_its_path() {
        for (target, expected) in [
            (
                r#"{"accountId":"12","role":"A"}"#,
                "[0].accountId: account ID `12` has 2 digits, not 12",
            ),
            (
                r#"{"accountId":"000000000001","role":"a b"}"#,
                "[0].role: role `a b` contains ` `; allowed are letters, digits and _ + = , . @ -",
            ),
            (
                r#"{"accountId":"000000000001","role":"A","externalId":7}"#,
                "[0].externalId: invalid type: integer `7`, expected a string",
            ),
            (
                r#"{"accountId":"000000000001","role":"A","region":"moon-east-1"}"#,
                "[0].region: region `moon-east-1` is not a region name",
            ),
            (r#"{"role":"A"}"#, "[0]: missing field `accountId`"),
            (r#"{"accountId":"000000000001"}"#, "[0]: missing `role`"),
            (
                r#""000000000001""#,
                "[0]: invalid type: string \"000000000001\"",
            ),
            (
                r#"{"accountId":"000000000001","role":"A","Role":"B"}"#,
                "[0].Role: unknown field `Role`",
            ),
            (
                r#"{"accountId":"000000000002","access":"own","role":"A"}"#,
                "[0]: `access` excludes `role` and `externalId`",
            ),
            (
                r#"{"accountId":"000000000002","access":"own","externalId":"audit"}"#,
                "[0]: `access` excludes `role` and `externalId`",
            ),
            (
                r#"{"accountId":"000000000003","access":"full"}"#,
                "[0].access: unknown variant `full`, expected `own`",
            ),
        ] {
            let text = format!(r#"{{"version":1,"concurrency":1,"targets":[{target}]}}"#);
            let error = error(&text);
            assert!(
                error.starts_with(&format!("targets.json: targets{expected}")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_invalid_organization_is_reported_with_its_path() {
        for (organization, expected) in [
            (r#""role":"R""#, ": missing field `adminAccountId`"),
            (
                r#""adminAccountId":"111111111111""#,
                ": missing field `role`",
            ),
            (
                r#""adminAccountId":"111111111111","role":"R","units":[]"#,
                ".units: is empty",
            ),
            (
                r#""adminAccountId":"111111111111","role":"R","units":null"#,
                ".units: invalid type: null, expected a sequence",
            ),
            (
                r#""adminAccountId":"111111111111","role":"R","exclude":null"#,
                ".exclude: invalid type: null, expected a sequence",
            ),
            (
                r#""exclude":["1"]"#,
                ".exclude[0]: account ID `1` has 1 digits, not 12",
            ),
            (
                r#""exclude":["111111111111",2]"#,
                ".exclude[1]: invalid type: integer `2`, expected a string",
            ),
            (
                r#""units":["r-ab12"]"#,
                ".units[0]: organizational unit `r-ab12` is not",
            ),
            (r#""all":true"#, ".all: unknown field `all`"),
        ] {
            let text =
                format!(r#"{{"version":1,"concurrency":1,"organization":{{{organization}}}}}"#);
            let error = error(&text);
            assert!(
                error.starts_with(&format!("targets.json: organization{expected}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_duplicate_key_is_rejected() {
        for (text, expected) in [
            (
                r#"{"version":1,"concurrency":1,"concurrency":1,"targets":[]}"#,
                "duplicate field `concurrency` at line 1 column 42",
            ),
            (
                r#"{"version":1,"concurrency":1,"targets":[],"targets":[]}"#,
                "duplicate field `targets` at line 1 column 51",
            ),
            (
                "{\"version\":1,\"concurrency\":1,\"targets\":[\n{\"accountId\":\"000000000001\",\"role\":\"A\",\"role\":\"B\"}]}",
                "targets[0]: duplicate field `role` at line 2 column 45",
            ),
            (
                r#"{"version":1,"concurrency":1,"organization":{"adminAccountId":"111111111111","r\u006fle":"A","role":"A"}}"#,
                "organization: duplicate field `role` at line 1 column 99",
            ),
        ] {
            assert_eq!(error(text), format!("targets.json: {expected}"));
        }
    }

    #[test]
    fn a_file_of_another_format_is_rejected() {
        for (text, expected) in [
            ("{", "EOF while parsing an object"),
            (r#"{"version":1"#, "EOF while parsing an object"),
            (
                r#"{"version":1,"concurrency":1,"targets":[]} x"#,
                "trailing characters",
            ),
            (r#""targets""#, "invalid type: string"),
            ("{}", "missing field `version`"),
            (
                r#"{"version":1,"targets":[]}"#,
                "missing field `concurrency`",
            ),
            (
                r#"{"version":1,"concurrency":1}"#,
                "no `targets` and no `organization`",
            ),
            (
                r#"{"version":1,"concurrency":1,"targets":[],"organization":{"adminAccountId":"111111111111","role":"R"}}"#,
                "both `targets` and `organization`",
            ),
            (
                r#"{"version":1,"concurrency":0,"targets":[]}"#,
                "concurrency: concurrency `0` is not a number from 1 to 256",
            ),
            (
                r#"{"version":1,"concurrency":1,"more":1}"#,
                "more: unknown field `more`",
            ),
            (
                r#"{"version":2,"accounts":[]}"#,
                "version: expected 1, got 2",
            ),
        ] {
            let error = error(text);
            assert!(
                error.starts_with(&format!("targets.json: {expected}")),
                "{error}"
            );
        }
    }
}
