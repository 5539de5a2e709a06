//! The accounts of an AWS organization.

use std::{collections::BTreeSet, str::FromStr};

use crate::{AccountId, ExternalId, InvalidValue, RoleName, Target, string_type::string_type};

/// The accounts of an organization or of some of its organizational units, at the time of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The Admin account. If it is one of the accounts, it is listed with the function's own credentials.
    pub admin: AccountId,
    /// The part of the organization to list.
    pub units: Units,
    /// The accounts to leave out. Takes precedence over `units`.
    pub exclude: BTreeSet<AccountId>,
    /// The role to assume in each.
    pub role: RoleName,
    /// The external ID that the trust policies require, if any.
    pub external_id: Option<ExternalId>,
}

/// A part of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Units {
    /// All of it.
    All,
    /// These organizational units and those nested in them.
    Some(BTreeSet<UnitId>),
}

impl Organization {
    /// The target for `account`, or `None` if it is excluded.
    pub fn target(&self, account: AccountId) -> Option<Target> {
        if self.exclude.contains(&account) {
            return None;
        }
        if account == self.admin {
            return Some(Target::own(account));
        }
        Some(self.role_in(&account))
    }

    /// The target for `account` with the organization's role, even if it is not a member.
    pub fn role_in(&self, account: &AccountId) -> Target {
        let target = Target::by_role(account.clone(), self.role.clone());
        match &self.external_id {
            Some(id) => target.with_external_id(id.clone()),
            None => target,
        }
    }
}

/// The ID of an organizational unit: `ou-`, 4 to 32 letters and digits, `-`, 8 to 32 letters and digits, all in lower
/// case (AWS Organizations API reference, `OrganizationalUnit`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(String);

string_type!(UnitId, pattern: "^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$");

impl FromStr for UnitId {
    type Err = InvalidValue;

    /// # Errors
    /// The format is wrong.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_unit = text
            .strip_prefix("ou-")
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(root, unit)| is_word(root, 4) && is_word(unit, 8));
        if is_unit {
            return Ok(Self(text.to_owned()));
        }
        let hint = if text.strip_prefix("r-").is_some_and(|root| is_word(root, 4)) {
            "this is the organization's root; for the whole organization, write `all: true`"
        } else {
            "the ID looks like `ou-ab12-34cd56ef`, in lower case; the Organizations console shows it next to the unit's name"
        };
        Err(InvalidValue::new(
            "organizational unit",
            text,
            "is not an organizational unit ID",
        )
        .with_hint(hint))
    }
}

/// The ID of an organization: `o-` and 10 to 32 letters and digits in lower case (AWS Organizations API reference,
/// `Organization`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationId(String);

string_type!(OrganizationId, pattern: "^o-[0-9a-z]{10,32}$");

impl FromStr for OrganizationId {
    type Err = InvalidValue;

    /// # Errors
    /// The format is wrong.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.strip_prefix("o-").is_some_and(|id| is_word(id, 10)) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidValue::new(
            "organization",
            text,
            "is not an organization ID",
        )
        .with_hint("the ID looks like `o-a1b2c3d4e5`, in lower case; the Organizations console shows it under Settings"))
    }
}

/// Returns true if `text` has `min` to 32 digits and lower-case letters.
fn is_word(text: &str, min: usize) -> bool {
    (min..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_units_and_organizations() {
        for text in ["ou-ab12-34cd56ef", "ou-abcd-0123456789abcdef"] {
            assert_eq!(text.parse::<UnitId>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "ou-",
            "ou-abc-34cd56ef",
            "ou-ab12-34cd56e",
            "OU-ab12-34cd56ef",
            "ou-ab12-34cd56eF",
            "ou-ab12-34cd56ef-1",
        ] {
            assert!(text.parse::<UnitId>().is_err(), "{text}");
        }
        let root = "r-ab12".parse::<UnitId>().unwrap_err();
        assert!(root.hint().unwrap().contains("all: true"));

        assert!("o-a1b2c3d4e5".parse::<OrganizationId>().is_ok());
        for text in [
            "",
            "o-",
            "o-a1b2c3d4e",
            "O-a1b2c3d4e5",
            "a1b2c3d4e5",
            "o-a1b2c3d4e5 ",
        ] {
            assert!(text.parse::<OrganizationId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_admin_account_is_listed_with_its_own_credentials_and_exclusion_wins() {
        let id = |text: &str| text.parse::<AccountId>().unwrap();
        let mut organization = Organization {
            admin: id("111111111111"),
            units: Units::All,
            exclude: BTreeSet::from([id("333333333333")]),
            role: "Reader".parse().unwrap(),
            external_id: Some("audit".parse().unwrap()),
        };
        let admin = organization.target(id("111111111111")).unwrap();
        assert_eq!(admin.role(), None);
        let member = organization.target(id("222222222222")).unwrap();
        assert_eq!(member.role().unwrap().to_string(), "Reader");
        assert_eq!(member.external_id().unwrap().as_str(), "audit");
        assert_eq!(organization.target(id("333333333333")), None);
        organization.exclude.insert(id("111111111111"));
        assert_eq!(organization.target(id("111111111111")), None);
    }
}
