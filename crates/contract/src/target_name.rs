//! The display name of a target.

use std::str::FromStr;

use crate::{InvalidValue, invalid::check_length, string_type::string_type};

/// The display name of a target in responses and logs. It is not sent to AWS.
///
/// It has 1 to 128 letters and digits of any script, spaces (not at the ends) and ASCII punctuation. Quotes, backslashes
/// and braces are not allowed, so that it has no special meaning in logs, JSON and templates. Line breaks and invisible
/// characters are not allowed, because they could forge log lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(String);

// Less strict than `from_str`: regular expression dialects differ in how they match letters of any script.
string_type!(TargetName, pattern: "^[^\\u0000-\\u0020\\u007f-\\u00a0\"'`{}\\\\]([^\\u0000-\\u001f\\u007f-\\u00a0\"'`{}\\\\]{0,126}[^\\u0000-\\u0020\\u007f-\\u00a0\"'`{}\\\\])?$");

impl FromStr for TargetName {
    type Err = InvalidValue;

    /// # Errors
    /// The length or a character is not allowed, or there is a space at an end.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        check_length(text, 1, 128)
            .and_then(|()| match text.chars().find(|&c| !is_allowed(c)) {
                Some(character) => Err(format!(
                    "contains `{}`; allowed are letters, digits, spaces and ASCII punctuation except quotes, backslashes and braces",
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
    /// Converts any text to a name: replaces characters that are not allowed with spaces, and cuts it to the maximum length.
    /// `None` if nothing remains.
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
    fn the_nearest_name() {
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
    fn allowed_names() {
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
    fn special_characters_are_rejected() {
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
