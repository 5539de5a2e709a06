//! From bytes to text: what is wrong with a file before YAML comes into it.

use std::ops::Range;

use super::diagnostics::Problem;

/// The largest file that is read: 5,000 targets may have 800 bytes each, several times what one with all its keys needs.
pub const LARGEST: usize = 4 << 20;

/// A file's text.
pub(super) struct Text {
    /// As it stands in the file, without a byte order mark; bytes that are not UTF-8 replaced.
    pub(super) shown: String,
    /// The same with everything reported here replaced, byte for byte, so that the rest can be parsed.
    pub(super) parsed: String,
    /// Characters that cannot be: the lines that hold them cannot be judged any further.
    pub(super) unreadable: Vec<Problem>,
    /// Lines that are indented with tabs.
    pub(super) tabs: Option<Problem>,
    /// Where those tabs stand.
    pub(super) tabbed: Vec<Range<usize>>,
}

/// Reads the text of a file.
///
/// # Errors
/// The one problem of a file that is no text at all.
pub(super) fn read(bytes: &[u8]) -> Result<Text, Box<Problem>> {
    if bytes.len() > LARGEST {
        let title = format!("the file is too large: more than {} MiB", LARGEST >> 20);
        let problem = Problem::file(title);
        return Err(Box::new(
            problem.help("is it a variables file? The seed's form has five lines"),
        ));
    }
    if is_utf16(bytes) {
        let problem = Problem::file("the file is UTF-16, not UTF-8");
        return Err(Box::new(problem.help(
            "save it as UTF-8: most editors have that under \"Save with encoding\"",
        )));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut unreadable = Vec::new();
    let shown = decode(bytes, &mut unreadable);
    let parsed = replace_forbidden(&shown, &mut unreadable);
    let tabbed = tabs_in(&parsed);
    let tabs = refuse_tabs(&tabbed);
    let parsed = replace_tabs(parsed, &tabbed);
    Ok(Text {
        shown,
        parsed,
        unreadable,
        tabs,
        tabbed,
    })
}

/// By its byte order mark, or by a zero in every other byte, as ASCII has in UTF-16.
fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = |odd: usize| {
        bytes.len() >= 4
            && bytes
                .iter()
                .take(64)
                .skip(odd)
                .step_by(2)
                .all(|&byte| byte == 0)
    };
    bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || zeros(0) || zeros(1)
}

fn decode(bytes: &[u8], problems: &mut Vec<Problem>) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut last_line = None;
    let mut line = 1;
    for chunk in bytes.utf8_chunks() {
        line += chunk.valid().matches('\n').count();
        text.push_str(chunk.valid());
        let Some(&first) = chunk.invalid().first() else {
            continue;
        };
        let start = text.len();
        text.push(char::REPLACEMENT_CHARACTER);
        if last_line.replace(line) == Some(line) {
            continue;
        }
        let problem = Problem::at(
            start..text.len(),
            "the file is not UTF-8",
            format!("byte 0x{first:02X} begins no UTF-8 character"),
        )
        .help("save the file as UTF-8");
        problems.push(if first >= 0xA0 {
            problem.note(format!(
                "in Latin-1 (ISO 8859-1) it would be `{}`",
                char::from(first)
            ))
        } else {
            problem
        });
    }
    text
}

/// Characters that a person does not see, or that one YAML reader takes for the end of a line and another does not.
fn is_forbidden(character: char, next: Option<char>) -> bool {
    match character {
        '\n' | '\t' => false,
        '\r' => next != Some('\n'),
        '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => true,
        other => other.is_control(),
    }
}

fn replace_forbidden(text: &str, problems: &mut Vec<Problem>) -> String {
    // Nearly every file.
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\n';
    if text.is_ascii() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut replaced = String::with_capacity(text.len());
    let mut last_line = None;
    let mut line = 1;
    let mut characters = text.char_indices().peekable();
    while let Some((start, character)) = characters.next() {
        if character == '\n' {
            line += 1;
        }
        if !is_forbidden(character, characters.peek().map(|(_, next)| *next)) {
            replaced.push(character);
            continue;
        }
        let end = start + character.len_utf8();
        replaced.extend(std::iter::repeat_n('_', end - start));
        if last_line.replace(line) != Some(line) {
            let name = match character {
                '\0' => "a NUL".to_owned(),
                '\r' => "a carriage return without a line feed".to_owned(),
                other => format!("the character U+{:04X}", u32::from(other)),
            };
            let help = if character == '\r' {
                "save the file with LF or CRLF at the ends of its lines"
            } else {
                "delete it; text that was copied from a web page or a document may carry some"
            };
            let title = "the file holds a character that cannot be seen";
            problems.push(Problem::at(start..end, title, name).help(help));
        }
    }
    replaced
}

/// The tabs that lines are indented with. YAML takes none there.
fn tabs_in(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !text.as_bytes().contains(&b'\t') {
        return found;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let indentation = &line[..line.len() - content.len()];
        if let Some(tab) = indentation.find('\t')
            && !content.trim_end().is_empty()
            && !content.starts_with('#')
        {
            found.push(start + tab..start + indentation.len());
        }
        start += line.len();
    }
    found
}

fn refuse_tabs(tabbed: &[Range<usize>]) -> Option<Problem> {
    let title = match tabbed.len() {
        1 => "a line is indented with a tab".to_owned(),
        several => format!("{several} lines are indented with tabs; this is the first"),
    };
    let problem = Problem::at(tabbed.first()?.clone(), title, "a tab");
    Some(problem.help("YAML takes spaces alone for indentation: write two for each tab"))
}

fn replace_tabs(text: String, tabbed: &[Range<usize>]) -> String {
    let mut bytes = text.into_bytes();
    for range in tabbed {
        bytes[range.clone()].fill(b' ');
    }
    // Tabs and spaces are one byte each: it is still UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}
