//! IAM's wildcards: `*` for any text, `?` for one character (IAM user guide, "IAM JSON policy elements: Resource").

/// Whether `text` is one of those that `pattern` stands for.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    run(pattern.as_bytes(), text.as_bytes(), |wild, _| wild == b'?')
}

/// Whether `wide` stands for every text that `narrow` stands for. Where only a comparison of the two languages could tell
/// (`*?` and `?*`), it says no.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    run(wide.as_bytes(), narrow.as_bytes(), |wild, other| {
        wild == b'?' && other != b'*'
    })
}

/// Whether there is a text that both stand for.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // `row[j]`: whether what is left of `one` has a text in common with what is left of `other` from `j`.
    let mut row: Vec<bool> = (0..=other.len())
        .map(|at| other[at..].iter().all(|&byte| byte == b'*'))
        .collect();
    for &byte in one.iter().rev() {
        let below = row.clone();
        for at in (0..=other.len()).rev() {
            row[at] = match (byte, other.get(at)) {
                (b'*', None) => below[at],
                (b'*', Some(_)) => below[at] || row[at + 1],
                (_, None) => false,
                (_, Some(b'*')) => row[at + 1] || below[at],
                (_, Some(&there)) => {
                    (byte == there || byte == b'?' || there == b'?') && below[at + 1]
                }
            };
        }
    }
    row[0]
}

/// Whether it stands for more than itself.
pub(super) fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Goes through `text` with `pattern`, whose `*` takes any run of it; `takes` says whether another wildcard takes a byte.
fn run(pattern: &[u8], text: &[u8], takes: fn(u8, u8) -> bool) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the last `*` stands, and up to where it has taken.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&byte) if byte == text[read] || takes(byte, text[read]) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, from)) = star else {
                    return false;
                };
                star = Some((place, from + 1));
                at = place + 1;
                read = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_stands_for() {
        for (pattern, text) in [
            ("*", ""),
            ("s3:List*", "s3:ListAllMyBuckets"),
            ("a?c", "abc"),
            ("*abc*", "xxababcx"),
            ("a*b*c", "a--b-b-c"),
            ("", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a?c", "ac"), ("a*", "xa"), ("", "a"), ("a*b", "abc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_a_pattern_covers() {
        for (wide, narrow) in [("*", "*"), ("a*", "a?b*"), ("a?", "a?"), ("*b*", "ab*c")] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [("a?", "a*"), ("ab", "a?"), ("a*b", "a*"), ("?", "*")] {
            assert!(!covers(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn which_patterns_overlap() {
        for (one, other) in [("a*", "*b"), ("*", ""), ("a?c", "ab*"), ("s3:*", "*:List*")] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a*", "b*"), ("a?", "a"), ("sts:*", "s3:*"), ("", "?")] {
            assert!(
                !overlap(one, other) && !overlap(other, one),
                "{one} {other}"
            );
        }
    }
}
