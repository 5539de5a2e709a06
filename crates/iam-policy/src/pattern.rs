//! IAM's patterns: `*` for any text, `?` for one character, `${…}` for a policy variable (IAM user guide, "IAM JSON policy
//! elements: Resource" and "IAM policy elements: Variables and tags").

use std::collections::BTreeSet;

/// A text of a policy, in the parts that it is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
    /// What is between `${` and `}`: its value is known to AWS alone.
    Variable(String),
}

/// How far a `*` reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anywhere.
    Free,
    /// Not beyond a `:`, unless it is its segment's last character. Whether AWS lets it is not documented, so a relation
    /// that is found this way holds either way.
    Segment,
}

impl Pattern {
    /// An action, in which case has no meaning, and which has no variables.
    pub(crate) fn action(text: &str) -> Self {
        Self::read(&text.to_ascii_lowercase(), true, false)
    }

    /// With wildcards and variables.
    pub(crate) fn glob(text: &str) -> Self {
        Self::read(text, true, true)
    }

    /// With variables; `*` and `?` are characters like others.
    pub(crate) fn plain(text: &str) -> Self {
        Self::read(text, false, true)
    }

    /// This text alone.
    pub(crate) fn text(text: &str) -> Self {
        Self(text.chars().map(Token::Char).collect())
    }

    fn read(text: &str, wildcards: bool, variables: bool) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if variables && let Some(from) = rest.strip_prefix("${") {
                // One without an end may mean anything.
                let (name, behind) = from.split_once('}').unwrap_or((from, ""));
                tokens.push(match name {
                    "*" => Token::Char('*'),
                    "?" => Token::Char('?'),
                    "$" => Token::Char('$'),
                    name => Token::Variable(variable(name)),
                });
                rest = behind;
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

    /// The same in lower case.
    pub(crate) fn lower(mut self) -> Self {
        for token in &mut self.0 {
            if let Token::Char(one) = token {
                one.make_ascii_lowercase();
            }
        }
        self
    }

    /// The only text that it stands for, if there is only one and it is known.
    pub(crate) fn only(&self) -> Option<String> {
        let char = |token: &Token| match token {
            Token::Char(one) => Some(*one),
            _ => None,
        };
        self.0.iter().map(char).collect()
    }

    /// Whether it has a policy variable.
    pub(crate) fn has_variables(&self) -> bool {
        let is = |token: &Token| matches!(token, Token::Variable(_));
        self.0.iter().any(is)
    }

    /// Its parts between the first five `:`, of which an ARN has six; nothing of another text.
    pub(crate) fn segments(&self) -> Option<[Self; 6]> {
        let parts = self.0.splitn(6, |token| *token == Token::Char(':'));
        let parts: Vec<Self> = parts.map(|part| Self(part.to_vec())).collect();
        parts.try_into().ok()
    }

    /// Whether `text` is one of those that it stands for; nothing if that depends on what only AWS knows.
    pub(crate) fn matches(&self, text: &str, reach: Reach) -> Option<bool> {
        let text = Self::text(text);
        if self.covers(&text, reach) {
            Some(true)
        } else if self.overlaps(&text) {
            None
        } else {
            Some(false)
        }
    }

    /// Whether it stands for every text that `narrow` stands for. If only a comparison of the two languages could tell
    /// (`*?` and `?*`), the answer is no.
    pub(crate) fn covers(&self, narrow: &Self, reach: Reach) -> bool {
        let (wide, narrow) = (&self.0, &narrow.0);
        let ends_segment = |tokens: &[Token], at: usize| {
            matches!(tokens.get(at + 1), None | Some(Token::Char(':')))
        };
        // `reached[at]`: whether what was read of `wide` takes the first `at` tokens of `narrow`.
        let mut reached = vec![false; narrow.len() + 1];
        reached[0] = true;
        for (place, token) in wide.iter().enumerate() {
            let keeps = reach == Reach::Segment && !ends_segment(wide, place);
            let takes = |at: usize| match (token, &narrow[at]) {
                (Token::Any, _) if !keeps => true,
                (Token::Any, Token::Any) => !ends_segment(narrow, at),
                (Token::Any, Token::Char(one)) => *one != ':',
                (Token::Any | Token::One, Token::One) => true,
                (Token::One, Token::Char(one)) => reach == Reach::Free || *one != ':',
                (one, other) => one == other,
            };
            if *token == Token::Any {
                for at in 0..narrow.len() {
                    reached[at + 1] = reached[at + 1] || (reached[at] && takes(at));
                }
            } else {
                for at in (0..narrow.len()).rev() {
                    reached[at + 1] = reached[at] && takes(at);
                }
                reached[0] = false;
            }
            if !reached.contains(&true) {
                return false;
            }
        }
        reached[narrow.len()]
    }

    /// Whether there may be a text that both stand for.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        let is_run = |token: &Token| matches!(token, Token::Any | Token::Variable(_));
        // `row[at]`: whether what is left of `one` has a text in common with what is left of `other` from `at`.
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

/// The names of the variables in a text, if it is read with variables.
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

/// A variable in one form: case has no meaning in its key, and one in its default.
fn variable(name: &str) -> String {
    match name.split_once(',') {
        Some((key, default)) => format!("{},{default}", key.to_ascii_lowercase()),
        None => name.to_ascii_lowercase(),
    }
}

/// Whether it stands for more than itself.
pub(crate) fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
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
            ("a?c", "aéc"),
            ("*abc*", "xxababcx"),
            ("a*b*c", "a--b-b-c"),
            ("a**", "a"),
            ("", ""),
            ("a${*}", "a*"),
            ("${$}{x}", "${x}"),
        ] {
            let matches = Pattern::glob(pattern).matches(text, Reach::Free);
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
            let matches = Pattern::glob(pattern).matches(text, Reach::Free);
            assert_eq!(matches, Some(false), "{pattern} {text}");
        }
        for pattern in ["a/${aws:username}", "a/${", "${aws:PrincipalTag/t, 'b'}"] {
            assert_eq!(Pattern::glob(pattern).matches("a/b", Reach::Free), None);
        }
        assert_eq!(Pattern::plain("a*").matches("ab", Reach::Free), Some(false));
    }

    #[test]
    fn what_a_pattern_covers() {
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
            assert!(covers(wide, narrow, Reach::Free), "{wide} {narrow}");
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
            assert!(!covers(wide, narrow, Reach::Free), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_star_within_a_segment_keeps_to_it() {
        let covers = |wide: &str, narrow: &str, reach| {
            Pattern::glob(wide).covers(&Pattern::glob(narrow), reach)
        };
        for (wide, narrow) in [
            ("a:*2:c", "a:b:2:c"),
            ("*b", "a:b"),
            ("a*c", "a*:c"),
            ("a?b", "a:b"),
        ] {
            assert!(covers(wide, narrow, Reach::Free), "{wide} {narrow}");
            assert!(!covers(wide, narrow, Reach::Segment), "{wide} {narrow}");
        }
        for (wide, narrow) in [("a:*:c", "a:b:b:c"), ("a:*", "a:b:c"), ("a:x*y", "a:xz*y")] {
            assert!(covers(wide, narrow, Reach::Segment), "{wide} {narrow}");
        }
        let star = Pattern::glob("arn:aws:iam::*2:role/R");
        assert_eq!(
            star.matches("arn:aws:iam::9:2:role/R", Reach::Segment),
            None
        );
    }

    #[test]
    fn which_patterns_overlap() {
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
