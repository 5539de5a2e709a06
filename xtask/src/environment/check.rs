//! The check of a file against the types of its variables: every problem, not the first alone.
//!
//! `serde_yaml` hides quoting and stops at its first error, so a file is checked on its [tree](super::tree) before it is
//! read. What the keys are and which types they have comes from their one definition; whether a value is valid its own
//! type says.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    diagnostics::Problem,
    keys::{Checked, Key},
    leaf::Value,
    suggest, syntax,
    tree::{Content, Node, Style, Tree},
    values::{TagKey, TagValue, Tags},
};

/// The check under way.
pub(super) struct Checker<'a> {
    /// The file's text.
    pub(super) text: &'a str,
    /// What was found.
    pub(super) problems: Vec<Problem>,
    /// Where the key of the value that is looked at stands.
    pub(super) key: Range<usize>,
    /// What the value that is looked at may look like.
    pub(super) form: &'static str,
    /// The way to it: `function`, `memory`.
    path: Vec<String>,
    /// The keys at the top.
    top: &'static [Key],
    /// Keys in lines that could not be read: not known to be missing.
    unread: HashSet<String>,
    /// Whether the file was read to its end.
    complete: bool,
}

impl<'a> Checker<'a> {
    /// Every problem of a file whose variables are a `T`; `text` is what `tree` was made from.
    pub(super) fn run<T: Checked>(text: &'a str, tree: &Tree) -> Vec<Problem> {
        let unread = tree.skipped.iter().map(|line| {
            let line = text[line.clone()].trim().trim_matches(['"', '\'']);
            let key = line.split([':', ' ', '"', '\'']).next();
            key.unwrap_or_default().to_owned()
        });
        let mut checker = Self {
            text,
            problems: Vec::new(),
            key: 0..0,
            form: "",
            path: Vec::new(),
            top: T::keys(),
            unread: unread.collect(),
            complete: tree.complete,
        };
        match &tree.root {
            Some(node) if !node.is_nothing() => T::check(node, &mut checker),
            _ if tree.problems.is_empty() => checker.refuse_empty(),
            _ => {}
        }
        checker.problems
    }

    fn refuse_empty(&mut self) {
        let title = if self.text.trim().is_empty() {
            "the file is empty"
        } else {
            "the file holds no variables"
        };
        self.problems.push(self.with_example(Problem::file(title)));
    }

    /// Shows what a file looks like: the keys that it must have.
    fn with_example(&self, problem: Problem) -> Problem {
        let required = self.top.iter().filter(|key| key.required);
        let lines: Vec<&str> = required.map(|key| key.example.as_str()).collect();
        problem.help(format!(
            "a stage's file has at least these keys, with values of your own:\n{}",
            lines.join("\n")
        ))
    }

    /// The way to the value that is looked at, as a person writes it.
    pub(super) fn here(&self) -> String {
        self.path.join(".")
    }

    /// The way to a key beside it.
    fn way_to(&self, name: &str) -> String {
        let mut path = self.path.clone();
        path.push(shown(name));
        path.join(".")
    }

    /// Looks at the value of a key.
    fn inside(&mut self, key: &Node, name: &str, look: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.key, key.span.clone());
        self.path.push(shown(name));
        look(self);
        self.path.pop();
        self.key = before;
    }

    /// The entries of a map, or a problem.
    fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [(Node, Node)]> {
        let span = self.first_line(&node.span);
        let here = self.here();
        let what = match &node.content {
            Content::Map(entries) => return Some(entries),
            Content::Refused => return None,
            _ if node.is_nothing() => {
                let title = format!("`{here}` has nothing under it");
                let problem = Problem::at(self.key.clone(), title, "nothing under it");
                self.problems.push(
                    problem.help("indent its keys under it by two spaces, or remove the line"),
                );
                return None;
            }
            Content::List => "a list",
            Content::Scalar { .. } => "a single value",
        };
        let problem = if self.path.is_empty() {
            let title = format!("the file holds {what} at the top, not `key: value` lines");
            self.with_example(Problem::at(span, title, what))
        } else {
            Problem::at(span, format!("`{here}` holds {what}, not keys"), what).help(format!(
                "write its keys under `{here}:`, indented by two spaces"
            ))
        };
        self.problems.push(problem);
        None
    }

    /// The name that a key is; a list or a map as a key is a problem.
    fn name<'n>(&mut self, key: &'n Node) -> Option<&'n str> {
        let span = self.first_line(&key.span);
        let problem = match &key.content {
            Content::Refused => return None,
            Content::Scalar { text, style } if text == "<<" && *style == Style::Plain => {
                Problem::at(span, "a merge key has no place here", "a merge key")
                    .help("a variables file knows no merging: write the keys out")
            }
            _ if key.is_nothing() => Problem::at(
                self.rest_of_line(span.start),
                "a key is missing before the colon",
                "no key",
            )
            .help("write `key: value`"),
            Content::Scalar { text, style } if *style != Style::Block => return Some(text),
            _ if self.is_template(key) => syntax::template(span),
            _ => Problem::at(span, "a key must be a single word", "no word")
                .help("write `key: value`"),
        };
        self.problems.push(problem);
        None
    }

    /// A key given twice is a problem that points at both.
    fn refuse_second<'n>(
        &mut self,
        given: &mut HashMap<&'n str, Range<usize>>,
        name: &'n str,
        key: &Node,
    ) {
        let Some(first) = given.get(name) else {
            given.insert(name, key.span.clone());
            return;
        };
        let title = format!("`{}` is given twice", self.way_to(name));
        self.problems.push(
            Problem::at(key.span.clone(), title, "given again here")
                .also(first.clone(), "given first here")
                .help("keep one of the two: YAML readers differ in which they take"),
        );
    }

    /// Checks a map against its keys.
    pub(super) fn section(&mut self, node: &Node, keys: &'static [Key]) {
        let Some(entries) = self.map(node) else {
            return;
        };
        let names: HashSet<&str> = entries.iter().filter_map(|(key, _)| key.word()).collect();
        let mut given: HashMap<&str, Range<usize>> = HashMap::new();
        let mut meant: HashSet<&str> = HashSet::new();
        for (key, value) in entries {
            let Some(name) = self.name(key) else {
                continue;
            };
            self.refuse_second(&mut given, name, key);
            let known = keys.iter().find(|known| known.name == name);
            let known = known.or_else(|| self.refuse_unknown(key, name, keys, &names));
            if let Some(known) = known {
                meant.insert(&known.name);
                self.form = &known.form;
                self.inside(key, &known.name, |checker| (known.check)(value, checker));
            }
        }
        if self.complete {
            self.refuse_missing(keys, entries, &meant);
        }
    }

    /// Reports a key that there is not. What was probably meant is given back, so that its value is checked as well.
    fn refuse_unknown(
        &mut self,
        key: &Node,
        name: &str,
        keys: &'static [Key],
        given: &HashSet<&str>,
    ) -> Option<&'static Key> {
        let title = format!("there is no key `{}`", self.way_to(name));
        let problem = Problem::at(key.span.clone(), title, "unknown");
        let normal = suggest::kebab_case(name);
        let find = |keys: &'static [Key], name: &str| keys.iter().find(|key| key.name == name);
        let close = |keys: &'static [Key]| {
            let names = keys.iter().map(|key| key.name.as_str());
            find(keys, suggest::closest(&normal, names)?)
        };
        let here = find(keys, &normal);
        if here.is_none()
            && let Some((known, place)) = self.elsewhere(name, &normal, close)
            && (close(keys).is_none() || name.contains('.') || known.name == normal)
        {
            let help = format!("`{}` belongs {place}", known.name);
            self.problems.push(problem.help(help));
            return Some(known);
        }
        let known = here.or_else(|| close(keys));
        let is_given = known.is_some_and(|known| given.contains(known.name.as_str()));
        self.problems.push(match known {
            Some(known) if is_given => problem.help(format!(
                "did you mean `{}`? It is given as well: remove one of the two",
                known.name
            )),
            Some(known) => problem.write(
                format!("did you mean `{}`?", known.name),
                key.span.clone(),
                &known.name,
            ),
            None => {
                let all: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
                problem.help(format!("the keys here are {}", all.join(", ")))
            }
        });
        known.filter(|_| !is_given)
    }

    /// The key of another section that is meant, and in words where it belongs: `memory`, `function.memory` and
    /// `memorySize` at the top all mean the one under `function:`.
    fn elsewhere(
        &self,
        name: &str,
        normal: &str,
        close: impl Fn(&'static [Key]) -> Option<&'static Key>,
    ) -> Option<(&'static Key, String)> {
        let last = name
            .rsplit_once('.')
            .map(|(_, last)| suggest::kebab_case(last));
        let is_it = |key: &&Key| key.name == normal || Some(&key.name) == last.as_ref();
        let below = self.top.iter().find_map(|section| {
            let keys = (section.keys)();
            let known = keys.iter().find(is_it).or_else(|| close(keys))?;
            Some((
                known,
                format!("under `{}:`, indented by two spaces", section.name),
            ))
        });
        let above = || {
            let known = self
                .top
                .iter()
                .find(is_it)
                .filter(|_| !self.path.is_empty())?;
            Some((known, format!("at the top, not under `{}:`", self.here())))
        };
        below.filter(|_| self.path.is_empty()).or_else(above)
    }

    /// Reports the required keys that are not given, where they would stand.
    fn refuse_missing(
        &mut self,
        keys: &'static [Key],
        entries: &[(Node, Node)],
        given: &HashSet<&str>,
    ) {
        let is_required = |name: &str| keys.iter().any(|key| key.required && key.name == name);
        // After the last required one, or before the first of all.
        let last = entries
            .iter()
            .rfind(|(key, _)| key.word().is_some_and(is_required));
        let position = match (last, entries.first()) {
            (Some((_, value)), _) => self.after_line(value.span.end),
            (None, Some((key, _))) => self.line_start(key.span.start),
            (None, None) => 0,
        };
        let before_first = entries.first().map_or("", |(key, _)| {
            &self.text[self.line_start(key.span.start)..key.span.start]
        });
        let is_block = before_first.trim().is_empty() && !entries.is_empty();
        let starts_line = self.text[..position].is_empty() || self.text[..position].ends_with('\n');
        let newline = if starts_line { "" } else { "\n" };
        for key in keys {
            let name = key.name.as_str();
            if !key.required || given.contains(name) || self.unread.contains(name) {
                continue;
            }
            let title = format!("the key `{}` is missing", self.way_to(name));
            let problem = Problem::gap(position, title).note(format!("it is {}", key.summary()));
            self.problems.push(if is_block {
                let line = format!("{newline}{before_first}{}\n", key.example);
                problem.write("add it, with a value of your own", position..position, line)
            } else {
                problem.help(format!("add it, with a value of your own: {}", key.example))
            });
        }
    }

    fn line_start(&self, position: usize) -> usize {
        let newline = self.text[..position].rfind('\n');
        newline.map_or(0, |newline| newline + 1)
    }

    /// Where the line after the last text before a position begins.
    fn after_line(&self, position: usize) -> usize {
        let position = self.text[..position].trim_end().len();
        let newline = self.text[position..].find('\n');
        newline.map_or(self.text.len(), |newline| position + newline + 1)
    }

    /// A span, cut at the end of its first line.
    pub(super) fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let text = self.text[span.clone()].lines().next().unwrap_or_default();
        span.start..span.start + text.trim_end().len()
    }

    /// From a position to the end of its line.
    pub(super) fn rest_of_line(&self, start: usize) -> Range<usize> {
        self.first_line(&(start..self.text.len()))
    }

    /// `{{ name }}` is a map in a map to YAML.
    pub(super) fn is_template(&self, node: &Node) -> bool {
        let start = self.line_start(node.span.start);
        matches!(node.content, Content::Map(_))
            && self.text[self.rest_of_line(start)].contains("{{")
    }
}

/// A name as it can stand in a sentence.
fn shown(name: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String = name
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

impl Checked for Tags {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let Some(entries) = checker.map(node) else {
            return;
        };
        if let Some((first, _)) = entries.get(Self::MOST) {
            let title = format!(
                "there are {} tags, and the most is {}",
                entries.len(),
                Self::MOST
            );
            checker.problems.push(
                Problem::at(first.span.clone(), title, "one too many").help(
                    "remove some: AWS allows 50 on a function, and the Serverless Framework adds one, `STAGE`",
                ),
            );
        }
        let mut given = HashMap::new();
        for (key, value) in entries {
            let Some(name) = checker.name(key) else {
                continue;
            };
            checker.refuse_second(&mut given, name, key);
            let form = Value {
                subject: "a key of `tags`".to_owned(),
                form: "1 to 128 ASCII letters, digits, spaces and `_ . : / = + -`",
            };
            checker.leaf::<TagKey>(key, &form);
            checker.inside(key, name, |checker| {
                let form = Value {
                    subject: format!("`{}`", checker.here()),
                    form: "up to 256 letters, digits, spaces and `_ . : / = + - @`",
                };
                checker.leaf::<TagValue>(value, &form);
            });
        }
    }
}
