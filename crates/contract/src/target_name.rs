//! The name that a person gives a target.

use std::str::FromStr;

use crate::{InvalidValue, invalid::check_length, string_type::string_type};

/// The name that a person gives a target, for answers and logs; AWS never sees it.
///
/// 1 to 128 letters and digits of any script, spaces (none at either end) and ASCII punctuation, but no quotes,
/// backslashes and braces: so it can stand in a log line, in JSON and in a template, and means nothing there. Neither
/// line breaks nor invisible characters, by which a log could be made to show what it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(String);

// An editor is told less than `from_str` knows: regular expressions differ in how they name a script's letters.
string_type!(TargetName, pattern: "^[^\\u0000-\\u0020\\u007f-\\u00a0\"'`{}\\\\]([^\\u0000-\\u001f\\u007f-\\u00a0\"'`{}\\\\]{0,126}[^\\u0000-\\u0020\\u007f-\\u00a0\"'`{}\\\\])?$");

impl FromStr for TargetName {
    type Err = InvalidValue;

    /// # Errors
    /// Another length or character, or a space at either end.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        check_length(text, 1, 128)
            .and_then(|()| match text.chars().find(|&c| !is_allowed(c)) {
                Some(character) => Err(format!(
                    "contains `{}`; allowed are letters, digits, spaces and ASCII punctuation but quotes, backslashes and braces",
                    character.escape_debug()
                )),
                None if text.trim() != text => Err("begins or ends with a space".to_owned()),
                None => Ok(()),
            })
            .map_err(|problem| InvalidValue::new("target name", text, problem))?;
        Ok(Self(text.to_owned()))
    }
}

impl TargetName {
    /// The name that comes nearest to one that somebody else has given: with spaces for what may not be in it, and cut to
    /// its length. `None` where nothing is left.
    pub fn nearest(text: &str) -> Option<Self> {
        let allowed = |character| {
            if is_allowed(character) {
                character
            } else {
                ' '
            }
        };
        let name: String = text.trim().chars().map(allowed).take(128).collect();
        name.trim().parse().ok()
    }
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric()
        || character == ' '
        || (character.is_ascii_punctuation() && !"\"'`\\{}".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_to_anybodys_name() {
        let nearest = |text| TargetName::nearest(text).map(|name| name.as_str().to_owned());
        let long = "ü".repeat(200);
        for (text, name) in [
            ("Payments", "Payments"),
            (" Payments ", "Payments"),
            ("O'Brien {a}", "O Brien  a"),
            (&long, &"ü".repeat(128)),
        ] {
            assert_eq!(nearest(text).as_deref(), Some(name), "{text}");
        }
        for nothing in ["", " ", "'", "\n\t"] {
            assert_eq!(nearest(nothing), None);
        }
    }

    #[test]
    fn what_a_person_may_write() {
        for text in [
            "a",
            "Payments (prod), eu-central-1",
            "Größe & Co. #7",
            "会計",
            "100%",
            &"x".repeat(128),
        ] {
            assert_eq!(text.parse::<TargetName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_would_mean_something_elsewhere_is_rejected() {
        for text in [
            "",
            " a",
            "a ",
            "a\nb",
            "a\tb",
            "a\u{1b}[31m",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{a0}b",
            "a\"b",
            "a'b",
            "a`b",
            "a\\b",
            "{{ x }}",
            "${x}",
            "{% x %}",
            &"x".repeat(129),
        ] {
            assert!(text.parse::<TargetName>().is_err(), "{text}");
        }
    }
}
