//! IAM patterns: `*` for any text, `?` for one character, `${…}` for a policy variable (IAM user guide, "IAM JSON policy
//! elements: Resource" and "IAM policy elements: Variables and tags").

use std::collections::BTreeSet;

/// A string of a policy, as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
    /// The text between `${` and `}`. Only AWS knows its value.
    Variable(String),
}

/// How far a `*` matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StarReach {
    /// Across `:`.
    Anywhere,
    /// Not across `:`, unless it is the last character of its segment. AWS does not document whether a `*` inside a
    /// segment matches a `:`, so a match found in this mode holds either way.
    WithinSegment,
}

impl Pattern {
    /// Parses an action: case-insensitive, without variables.
    pub(crate) fn action(text: &str) -> Self {
        Self::parse(&text.to_ascii_lowercase(), true, false)
    }

    /// Parses a string with wildcards and variables.
    pub(crate) fn glob(text: &str) -> Self {
        Self::parse(text, true, true)
    }

    /// Parses a string with variables, in which `*` and `?` are ordinary characters.
    pub(crate) fn plain(text: &str) -> Self {
        Self::parse(text, false, true)
    }

    /// Matches exactly this text.
    pub(crate) fn literal(text: &str) -> Self {
        Self(text.chars().map(Token::Char).collect())
    }

    fn parse(text: &str, wildcards: bool, variables: bool) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if variables && let Some(from) = rest.strip_prefix("${") {
                // An unterminated variable may mean anything.
                let (name, after) = from.split_once('}').unwrap_or((from, ""));
                tokens.push(match name {
                    "*" => Token::Char('*'),
                    "?" => Token::Char('?'),
                    "$" => Token::Char('$'),
                    name => Token::Variable(normalized(name)),
                });
                rest = after;
                continue;
            }
            match next {
                '*' if wildcards && tokens.last() == Some(&Token::Any) => {}
                '*' if wildcards => tokens.push(Token::Any),
                '?' if wildcards => tokens.push(Token::One),
                other => tokens.push(Token::Char(other)),
            }
            rest = &rest[next.len_utf8()..];
        }
        Self(tokens)
    }

    /// Converts the literal characters to lower case.
    pub(crate) fn into_lowercase(mut self) -> Self {
        for token in &mut self.0 {
            if let Token::Char(one) = token {
                one.make_ascii_lowercase();
            }
        }
        self
    }

    /// The text it matches, if there is exactly one and it does not depend on a variable.
    pub(crate) fn as_literal(&self) -> Option<String> {
        let char = |token: &Token| match token {
            Token::Char(one) => Some(*one),
            _ => None,
        };
        self.0.iter().map(char).collect()
    }

    /// Returns true if it contains a policy variable.
    pub(crate) fn has_variables(&self) -> bool {
        let is = |token: &Token| matches!(token, Token::Variable(_));
        self.0.iter().any(is)
    }

    /// Splits an ARN pattern into its six segments. Returns `None` if it has fewer.
    pub(crate) fn segments(&self) -> Option<[Self; 6]> {
        let parts = self.0.splitn(6, |token| *token == Token::Char(':'));
        let parts: Vec<Self> = parts.map(|part| Self(part.to_vec())).collect();
        parts.try_into().ok()
    }

    /// Returns whether it matches `text`, or `None` if that depends on something that only AWS knows.
    pub(crate) fn matches(&self, text: &str, reach: StarReach) -> Option<bool> {
        let text = Self::literal(text);
        if self.covers(&text, reach) {
            Some(true)
        } else if self.overlaps(&text) {
            None
        } else {
            Some(false)
        }
    }

    /// Returns true if it matches every text that `narrow` matches. May return false for equivalent patterns, such as `*?`
    /// and `?*`.
    pub(crate) fn covers(&self, narrow: &Self, reach: StarReach) -> bool {
        let (wide, narrow) = (&self.0, &narrow.0);
        let ends_segment = |tokens: &[Token], at: usize| {
            matches!(tokens.get(at + 1), None | Some(Token::Char(':')))
        };
        // `reached[at]`: the tokens of `wide` so far match the first `at` tokens of `narrow`.
        let mut reached = vec![false; narrow.len() + 1];
        reached[0] = true;
        for (index, token) in wide.iter().enumerate() {
            let stops_at_colon = reach == StarReach::WithinSegment && !ends_segment(wide, index);
            let matches = |at: usize| match (token, &narrow[at]) {
                (Token::Any, _) if !stops_at_colon => true,
                (Token::Any, Token::Any) => !ends_segment(narrow, at),
                (Token::Any, Token::Char(one)) => *one != ':',
                (Token::Any | Token::One, Token::One) => true,
                (Token::One, Token::Char(one)) => reach == StarReach::Anywhere || *one != ':',
                (one, other) => one == other,
            };
            if *token == Token::Any {
                for at in 0..narrow.len() {
                    reached[at + 1] = reached[at + 1] || (reached[at] && matches(at));
                }
            } else {
                for at in (0..narrow.len()).rev() {
                    reached[at + 1] = reached[at] && matches(at);
                }
                reached[0] = false;
            }
            if !reached.contains(&true) {
                return false;
            }
        }
        reached[narrow.len()]
    }

    /// Returns true if some text may match both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        let is_run = |token: &Token| matches!(token, Token::Any | Token::Variable(_));
        // `row[at]`: the rest of `one` and `other[at..]` may match the same text.
        let mut row: Vec<bool> = (0..=other.len())
            .map(|at| other[at..].iter().all(is_run))
            .collect();
        for token in one.iter().rev() {
            let below = row.clone();
            for at in (0..=other.len()).rev() {
                row[at] = match other.get(at) {
                    None => is_run(token) && below[at],
                    Some(there) if is_run(token) || is_run(there) => below[at] || row[at + 1],
                    Some(there) => {
                        let same = token == there || *token == Token::One || *there == Token::One;
                        same && below[at + 1]
                    }
                };
            }
        }
        row[0]
    }
}

/// Returns the names of the policy variables in `text`.
pub(crate) fn variables(text: &str) -> BTreeSet<String> {
    if !text.contains("${") {
        return BTreeSet::new();
    }
    let named = |token| match token {
        Token::Variable(name) => Some(name),
        _ => None,
    };
    Pattern::plain(text)
        .0
        .into_iter()
        .filter_map(named)
        .collect()
}

/// Normalizes the name of a variable: its key is case-insensitive, its default value is not.
fn normalized(name: &str) -> String {
    match name.split_once(',') {
        Some((key, default)) => format!("{},{default}", key.to_ascii_lowercase()),
        None => name.to_ascii_lowercase(),
    }
}

/// Returns true if `pattern` contains a wildcard.
pub(crate) fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_text() {
        for (pattern, text) in [
            ("*", ""),
            ("s3:List*", "s3:ListAllMyBuckets"),
            ("a?c", "abc"),
            ("a?c", "aéc"),
            ("*abc*", "xxababcx"),
            ("a*b*c", "a--b-b-c"),
            ("a**", "a"),
            ("", ""),
            ("a${*}", "a*"),
            ("${$}{x}", "${x}"),
        ] {
            let matches = Pattern::glob(pattern).matches(text, StarReach::Anywhere);
            assert_eq!(matches, Some(true), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a?c", "ac"),
            ("a*", "xa"),
            ("", "a"),
            ("a*b", "abc"),
            ("a${*}", "ab"),
            ("a/${aws:username}", "b/c"),
        ] {
            let matches = Pattern::glob(pattern).matches(text, StarReach::Anywhere);
            assert_eq!(matches, Some(false), "{pattern} {text}");
        }
        for pattern in ["a/${aws:username}", "a/${", "${aws:PrincipalTag/t, 'b'}"] {
            assert_eq!(
                Pattern::glob(pattern).matches("a/b", StarReach::Anywhere),
                None
            );
        }
        assert_eq!(
            Pattern::plain("a*").matches("ab", StarReach::Anywhere),
            Some(false)
        );
    }

    #[test]
    fn covering() {
        let covers = |wide: &str, narrow: &str, reach| {
            Pattern::glob(wide).covers(&Pattern::glob(narrow), reach)
        };
        for (wide, narrow) in [
            ("*", "*"),
            ("a*", "a?b*"),
            ("a?", "a?"),
            ("*b*", "ab*c"),
            ("a/${aws:username}*", "a/${AWS:UserName}/x"),
            ("*", "${aws:username}"),
        ] {
            assert!(covers(wide, narrow, StarReach::Anywhere), "{wide} {narrow}");
        }
        for (wide, narrow) in [
            ("a?", "a*"),
            ("ab", "a?"),
            ("a*b", "a*"),
            ("?", "*"),
            ("?", "${aws:username}"),
            ("${aws:username}", "bob"),
            ("${aws:PrincipalTag/t, 'a'}", "${aws:PrincipalTag/t, 'A'}"),
        ] {
            assert!(
                !covers(wide, narrow, StarReach::Anywhere),
                "{wide} {narrow}"
            );
        }
    }

    #[test]
    fn a_star_inside_a_segment_stops_at_its_end() {
        let covers = |wide: &str, narrow: &str, reach| {
            Pattern::glob(wide).covers(&Pattern::glob(narrow), reach)
        };
        for (wide, narrow) in [
            ("a:*2:c", "a:b:2:c"),
            ("*b", "a:b"),
            ("a*c", "a*:c"),
            ("a?b", "a:b"),
        ] {
            assert!(covers(wide, narrow, StarReach::Anywhere), "{wide} {narrow}");
            assert!(
                !covers(wide, narrow, StarReach::WithinSegment),
                "{wide} {narrow}"
            );
        }
        for (wide, narrow) in [("a:*:c", "a:b:b:c"), ("a:*", "a:b:c"), ("a:x*y", "a:xz*y")] {
            assert!(
                covers(wide, narrow, StarReach::WithinSegment),
                "{wide} {narrow}"
            );
        }
        let star = Pattern::glob("arn:aws:iam::*2:role/R");
        assert_eq!(
            star.matches("arn:aws:iam::9:2:role/R", StarReach::WithinSegment),
            None
        );
    }

    #[test]
    fn overlapping() {
        let overlap = |one: &str, other: &str| Pattern::glob(one).overlaps(&Pattern::glob(other));
        for (one, other) in [
            ("a*", "*b"),
            ("*", ""),
            ("a?c", "ab*"),
            ("s3:*", "*:List*"),
            ("a${aws:username}", "ab"),
        ] {
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
