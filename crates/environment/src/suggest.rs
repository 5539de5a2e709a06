//! Suggests the key or value that was probably meant.

/// Returns the candidate most similar to `word`, if one is similar enough.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.84)
        // Of equally similar ones, the first.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// The keys that another name for them may mean.
pub(super) fn other_names(name: &str) -> impl Iterator<Item = &'static str> {
    OTHER_NAMES
        .iter()
        .filter(move |(other, _)| *other == name)
        .map(|(_, key)| *key)
}

/// Other names for keys. If a name has several keys, the section decides.
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

/// Converts a name to kebab-case: `adminAccountId`, `admin_account_id` and `Admin-Account-ID` become `admin-account-id`.
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
    fn similar_names_are_suggested() {
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
