//! The name of an IAM role, with its path.

use std::str::FromStr;

use crate::{
    InvalidValue,
    invalid::{NAME_CHARACTERS, check_characters, check_length, is_name_character},
    string_type::string_type,
};

/// The name of an IAM role with its path: `NAME` or `path/NAME`.
///
/// The name has 1 to 64 of `[\w+=,.@-]` and is case-sensitive when the role is assumed; the path, with its slashes,
/// has up to 512 characters (IAM API reference, `CreateRole`). IAM allows nearly every ASCII character in a path.
/// Here a path has the same characters as a name, because `*`, `?` and `${` have a special meaning in policies.
///
/// ARNs are rejected, because the partition and the account come from the stage.
///
/// ```
/// use contract::RoleName;
///
/// let role: RoleName = "teams/audit/MyS3ReadRole".parse()?;
/// assert_eq!((role.path().as_str(), role.name()), ("/teams/audit/", "MyS3ReadRole"));
/// # Ok::<(), contract::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

string_type!(RoleName, pattern: r"^([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$");

impl RoleName {
    /// The name without the path.
    pub fn name(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.0.as_str(), |(_, name)| name)
    }

    /// The path in IAM's format: `/` or `/…/`.
    pub fn path(&self) -> String {
        self.0
            .rsplit_once('/')
            .map_or_else(|| "/".to_owned(), |(path, _)| format!("/{path}/"))
    }
}

impl FromStr for RoleName {
    type Err = InvalidValue;

    /// # Errors
    /// `text` is an ARN, has a character that is not allowed, a name that does not have 1 to 64 characters, or a path with more
    /// than 512 characters or with an empty part.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const WHAT: &str = "role";
        let error = |problem: String| InvalidValue::new(WHAT, text, problem);
        if text.starts_with("arn:") {
            let name = text
                .split_once(":role/")
                .map_or("MyS3ReadRole", |(_, name)| name);
            return Err(error(
                "is an ARN; the account and the partition come from the other keys".to_owned(),
            )
            .with_hint(format!(
                "write only the role's name, with its path if it has one: `{name}`"
            )));
        }
        let (path, name) = text
            .rsplit_once('/')
            .map_or((None, text), |(path, name)| (Some(path), name));
        if path.is_some_and(|path| path.split('/').any(str::is_empty))
            || (name.is_empty() && path.is_some())
        {
            return Err(error("has an empty part between slashes".to_owned())
                .with_hint("write `NAME` or `path/NAME`, without a slash at either end"));
        }
        for part in path
            .into_iter()
            .flat_map(|path| path.split('/'))
            .chain([name])
        {
            check_characters(part, is_name_character, NAME_CHARACTERS).map_err(error)?;
        }
        check_length(name, 1, 64).map_err(|problem| {
            if path.is_some() {
                error(format!("has a name that {problem}"))
            } else {
                error(problem)
            }
        })?;
        if path.is_some_and(|path| path.len() + 2 > 512) {
            return Err(error("has a path of more than 512 characters".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_and_without_a_path() {
        let plain: RoleName = "MyS3ReadRole".parse().unwrap();
        assert_eq!(
            (plain.path(), plain.name()),
            ("/".to_owned(), "MyS3ReadRole")
        );
        let deep: RoleName = "a/b/C".parse().unwrap();
        assert_eq!((deep.path(), deep.name()), ("/a/b/".to_owned(), "C"));
    }

    #[test]
    fn names_that_iam_rejects_are_rejected() {
        let long = "x".repeat(65);
        let deep = format!("{}/Name", "x".repeat(511));
        for text in [
            "", "a b", "a*", "${x}", "a\nb", "a\"b", "/Name", "path/", "a//b", "é", &long, &deep,
        ] {
            assert!(text.parse::<RoleName>().is_err(), "{text}");
        }
        assert!("x".repeat(64).parse::<RoleName>().is_ok());
    }

    #[test]
    fn an_arn_is_rejected_with_the_name_to_write() {
        let error = "arn:aws:iam::222222222222:role/team/Reader"
            .parse::<RoleName>()
            .unwrap_err();
        assert!(error.hint().unwrap().contains("`team/Reader`"), "{error:?}");
    }
}
