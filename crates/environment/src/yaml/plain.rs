//! Detects unquoted scalars that some YAML parser does not read as a string.
//!
//! YAML 1.1 (libyaml, Ruby, Python), YAML 1.2 (js-yaml, `serde_yaml`) and Go's mixture differ: `no`, `0o17`, `1_000`,
//! `12:30:00` and `2026-01-01` are strings to some and not to others. A value that is not a string to all of them must be
//! quoted (YAML 1.1, "Language-independent types"; YAML 1.2.2, section 10.3).

/// Returns the type that some YAML parser reads the unquoted `text` as, if it is not a string.
pub fn misread_as(text: &str) -> Option<&'static str> {
    // Fast path for nearly all text: longer than any special word, and not a number.
    if text.len() > "false".len() && text.as_bytes()[0].is_ascii_alphabetic() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "" | "~" | "null" => Some("null"),
        "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" => Some("a boolean"),
        "<<" | "=" => Some("a special key"),
        ".inf" | "+.inf" | "-.inf" | ".nan" => Some("a number"),
        number if is_number(number) => Some("a number"),
        number if is_base_60(number) => Some("a number in base 60"),
        date if is_date(date) => Some("a date"),
        _ => None,
    }
}

/// Whether some YAML parser reads `text` as null.
pub fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~") || text.eq_ignore_ascii_case("null")
}

/// Whether `text` is a whole number in decimal digits, which every YAML parser reads alike.
pub fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0"
        || (!digits.starts_with('0')
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

/// Whether `text` is digits, possibly with underscores.
fn has_digits(text: &str, allowed: fn(u8) -> bool) -> bool {
    text.bytes().any(allowed) && text.bytes().all(|byte| byte == b'_' || allowed(byte))
}

fn is_decimal(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// `text` is in lower case.
fn is_number(text: &str) -> bool {
    let text = unsigned(text);
    let prefixed = text
        .strip_prefix("0x")
        .map(|digits| has_digits(digits, |byte| byte.is_ascii_hexdigit()))
        .or_else(|| {
            text.strip_prefix("0o")
                .map(|digits| has_digits(digits, is_decimal))
        })
        .or_else(|| {
            text.strip_prefix("0b")
                .map(|digits| has_digits(digits, is_decimal))
        });
    if let Some(prefixed) = prefixed {
        return prefixed;
    }
    let (mantissa, exponent) = text
        .split_once('e')
        .map_or((text, None), |(mantissa, exponent)| {
            (mantissa, Some(exponent))
        });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let starts = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let empty_or_digits = |part: &str| part.is_empty() || has_digits(part, is_decimal);
    starts
        && (has_digits(whole, is_decimal) || has_digits(fraction, is_decimal))
        && empty_or_digits(whole)
        && empty_or_digits(fraction)
        && exponent.is_none_or(|exponent| has_digits(unsigned(exponent), is_decimal))
}

fn is_base_60(text: &str) -> bool {
    let text = unsigned(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let sixtieth = |part: &&str| {
        (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    has_digits(first, is_decimal)
        && !rest.is_empty()
        && rest.iter().all(sixtieth)
        && (fraction.is_empty() || has_digits(fraction, is_decimal))
}

/// `2026-01-31`, and what follows it in a time.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut digits = |least: usize, most: usize| {
        let part = parts.next().unwrap_or_default();
        let count = part.bytes().take_while(u8::is_ascii_digit).count();
        (least..=most).contains(&count).then(|| &part[count..])
    };
    let year = digits(4, 4) == Some("");
    let month = digits(1, 2) == Some("");
    let rest = digits(1, 2);
    year && month && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['t', ' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misread_values() {
        for text in [
            "~",
            "null",
            "Null",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "False",
            "<<",
            "=",
            "0",
            "1",
            "-1",
            "+1",
            "123",
            "012",
            "1_000",
            "0x1F",
            "0o17",
            "0b1010",
            "1.5",
            "1.",
            ".5",
            "1e3",
            "1E+3",
            "1.5e-3",
            ".inf",
            "-.INF",
            ".NaN",
            "12:30",
            "12:30:45",
            "190:20:30.15",
            "2026-01-31",
            "2026-1-1",
            "2026-01-31T10:00:00Z",
            "2026-01-31 10:00:00",
        ] {
            assert!(misread_as(text).is_some(), "{text}");
        }
    }

    #[test]
    fn strings_to_every_parser() {
        for text in [
            "MyS3ReadRole",
            "us-east-1",
            "x86_64",
            "1.2.3",
            "10.0.0.1",
            "a1",
            "1a",
            "0xg",
            "e3",
            "1-2",
            "rate(5 minutes)",
            "yes-role",
            "nothing",
            "2026",
            "2026-01",
            "dev",
            "-",
            ".",
            "_",
            "1:a",
            "team:2",
            "12:345",
        ] {
            let number = text == "2026";
            assert_eq!(misread_as(text).is_some(), number, "{text}");
        }
    }

    #[test]
    fn whole_numbers() {
        for text in ["0", "1", "-5", "256", "99999999999999999999"] {
            assert!(is_whole_number(text), "{text}");
        }
        for text in [
            "", "-", "00", "-0", "+1", "01", "1_0", "1.0", "1e2", "0x1", "a",
        ] {
            assert!(!is_whole_number(text), "{text}");
        }
    }
}
