//! What a person probably meant.

/// The candidate that is close enough to `word` to be meant, if one is.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.84)
        // Of several that are as close, the first.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// The keys that are meant by a name that is not close to theirs.
pub(super) fn other_names(name: &str) -> impl Iterator<Item = &'static str> {
    OTHER_NAMES
        .iter()
        .filter(move |(other, _)| *other == name)
        .map(|(_, key)| *key)
}

/// Names that people know keys by. Where one stands for several, the key of the section that it stands in is meant.
pub(super) const OTHER_NAMES: [(&str, &str); 17] = [
    ("accounts", "targets"),
    ("target-accounts", "targets"),
    ("target-account-ids", "targets"),
    ("account-ids", "targets"),
    ("org", "organization"),
    ("organizational-units", "units"),
    ("organisational-units", "units"),
    ("ous", "units"),
    ("ou", "units"),
    ("all-accounts", "all"),
    ("except", "exclude"),
    ("id", "account-id"),
    ("account", "account-id"),
    ("target-account-id", "account-id"),
    ("alias", "name"),
    ("role-name", "role"),
    ("s3-read-role", "role"),
];

/// A name as the keys are written: `adminAccountId`, `admin_account_id` and `Admin-Account-ID` are `admin-account-id`.
pub(super) fn kebab_case(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for character in name.trim_matches([' ', '_']).chars() {
        if character.is_uppercase() && after_lower {
            kebab.push('-');
        }
        after_lower = character.is_lowercase();
        match character {
            '_' | ' ' | '.' => kebab.push('-'),
            other => kebab.extend(other.to_lowercase()),
        }
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_other_styles() {
        for name in [
            "adminAccountId",
            "admin_account_id",
            "Admin-Account-ID",
            "ADMIN_ACCOUNT_ID",
            "AdminAccountID",
        ] {
            assert_eq!(kebab_case(name), "admin-account-id");
        }
    }

    #[test]
    fn what_is_close_is_meant_and_what_is_far_is_not() {
        let keys = ["target-account-id", "s3-read-role", "region", "memory"];
        for (word, meant) in [
            ("target-account", Some("target-account-id")),
            ("s3-role", Some("s3-read-role")),
            ("regions", Some("region")),
            ("memory-size", Some("memory")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(word, keys), meant, "{word}");
        }
    }
}
