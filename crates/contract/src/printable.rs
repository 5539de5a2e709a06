//! Escapes text from outside before it is shown.

use std::borrow::Cow;

/// Escapes the characters of `text` that are invisible, move the cursor or reorder text, such as `\u{202e}`.
///
/// These are the control and format characters, separators other than the space, and code points without a character
/// (Unicode categories Cc, Cf, Zl, Zp, Zs, Co and Cn). Letters and marks of every script stay as they are.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_printable)
}

/// As [`printable`], except that line feeds and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        matches!(character, '\n' | '\t') || is_printable(character)
    })
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&stays) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if stays(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    Cow::Owned(shown)
}

fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // Uses the table of `Debug` in the standard library, which escapes combining marks only at the start of a string.
    let mut buffer = [b'x'; 5];
    character.encode_utf8(&mut buffer[1..]);
    std::str::from_utf8(&buffer[..=character.len_utf8()])
        .is_ok_and(|text| text.escape_debug().nth(1) == Some(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_characters_stay() {
        for text in [
            "",
            "a \"quoted\" \\ 'b' {c}",
            "Größe & Co., 会社, Ωμέγα, हिन्दी, e\u{301}, 🦀",
        ] {
            assert_eq!(printable(text), text);
            assert!(matches!(printable(text), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn invisible_characters_are_escaped() {
        for (text, shown) in [
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[31mred\0", "\\u{1b}[31mred\\0"),
            ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            ("\u{7f}\u{85}\u{ad}\u{a0}", "\\u{7f}\\u{85}\\u{ad}\\u{a0}"),
            (
                "\u{2066}x\u{2069}\u{e0001}",
                "\\u{2066}x\\u{2069}\\u{e0001}",
            ),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn lines_and_tabs_stay_in_lines() {
        assert_eq!(
            printable_lines("a\n\tb \u{1b}[2J\u{202e}\r\n\u{2028}ü"),
            "a\n\tb \\u{1b}[2J\\u{202e}\\r\n\\u{2028}ü"
        );
    }
}
