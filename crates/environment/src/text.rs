//! Decodes a file and reports problems with its bytes and characters, before YAML is parsed.

use super::diagnostics::Problem;

/// The maximum size of a file: 5,000 targets of 800 bytes each, several times what one with all its keys needs.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// Decodes a file, without its byte order mark.
///
/// # Errors
/// The text, with a replacement character for each byte that is not UTF-8, and its problems.
pub(super) fn read(bytes: &[u8]) -> Result<String, (String, Vec<Problem>)> {
    let unreadable = |problem| Err((String::new(), vec![problem]));
    if bytes.len() > MAX_FILE_BYTES {
        let title = format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20);
        let problem = Problem::file(title);
        return unreadable(
            problem.help("check that this is a variables file: they are much smaller"),
        );
    }
    if is_utf16(bytes) {
        let problem = Problem::file("the file is UTF-16, not UTF-8");
        return unreadable(
            problem.help("save it as UTF-8; many editors have \"Save with encoding\""),
        );
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut problems = Vec::new();
    let text = decode(bytes, &mut problems);
    report_forbidden(&text, &mut problems);
    problems.extend(report_tabs(&text));
    if problems.is_empty() {
        Ok(text)
    } else {
        Err((text, problems))
    }
}

/// Detects UTF-16 by its byte order mark, or by a zero in every other byte, as in ASCII text.
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
            format!("invalid byte 0x{first:02X}"),
        )
        .help("save the file as UTF-8");
        problems.push(if first >= 0xA0 {
            problem.note(format!(
                "in Latin-1 (ISO 8859-1), this byte is `{}`",
                char::from(first)
            ))
        } else {
            problem
        });
    }
    text
}

/// Whether a character is invisible, or a line break to some YAML parsers only.
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

fn report_forbidden(text: &str, problems: &mut Vec<Problem>) {
    // Fast path for nearly every file.
    if text
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\n')
    {
        return;
    }
    let mut last_line = None;
    let mut line = 1;
    let mut characters = text.char_indices().peekable();
    while let Some((start, character)) = characters.next() {
        if character == '\n' {
            line += 1;
        }
        // Reported once per line.
        if !is_forbidden(character, characters.peek().map(|(_, next)| *next))
            || last_line.replace(line) == Some(line)
        {
            continue;
        }
        let end = start + character.len_utf8();
        let name = match character {
            '\0' => "NUL".to_owned(),
            '\r' => "carriage return without a line feed".to_owned(),
            other => format!("U+{:04X}", u32::from(other)),
        };
        let help = if character == '\r' {
            "save the file with LF or CRLF line endings"
        } else {
            "delete it; text copied from a web page or a document may contain such characters"
        };
        let title = "the file contains an invisible character";
        problems.push(Problem::at(start..end, title, name).help(help));
    }
}

/// Reports tabs in the indentation: YAML forbids them, and some parsers even before a comment.
fn report_tabs(text: &str) -> Option<Problem> {
    let mut first = None;
    let mut count = 0;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let indentation = &line[..line.len() - content.len()];
        if let Some(tab) = indentation.find('\t') {
            first.get_or_insert(start + tab..start + indentation.len());
            count += 1;
        }
        start += line.len();
    }
    let title = match count {
        1 => "a line is indented with a tab".to_owned(),
        several => format!("{several} lines are indented with tabs; this is the first"),
    };
    let problem = Problem::at(first?, title, "tab");
    Some(problem.help("YAML requires spaces: replace each tab with two"))
}
