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
    keys::{Checked, Checker, Key, Need, Place},
    suggest, syntax,
    tree::{Content, Node, Style, Tree},
};

/// Declares a struct whose fields are keys of the file: the struct as it stands, and how each field is checked, which is
/// as its type is. What no field can know alone, the function after `rules:` reports.
macro_rules! keys {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty,)*
        }
        $(rules: $rules:path)?
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type,)*
        }

        impl $crate::keys::Checked for $name {
            fn check(
                node: &$crate::tree::Node,
                checker: &mut $crate::keys::Checker<'_>,
            ) {
                let rules: &[$crate::check::Rules] = &[$($rules)?];
                checker.section(node, <Self as $crate::keys::Checked>::keys(), rules);
            }

            fn keys() -> &'static [$crate::keys::Key] {
                use $crate::keys::{Checked, Key};
                static KEYS: std::sync::OnceLock<Vec<Key>> = std::sync::OnceLock::new();
                KEYS.get_or_init(|| {
                    Key::all_of::<Self>(&[
                        $((stringify!($field), <$type as Checked>::check, <$type as Checked>::keys),)*
                    ])
                })
            }
        }
    };
}

pub(super) use keys;

/// Reports what is wrong between the keys of a section.
pub(super) type Rules = fn(&Given<'_>, &mut Checker<'_>);

/// The keys that a section was given, as they were meant.
pub(super) struct Given<'n> {
    /// The section.
    node: &'n Node,
    /// The keys that it may have.
    pub(super) keys: &'static [Key],
    /// All of its entries.
    entries: &'n [(Node, Node)],
    /// Those that could be told.
    known: Vec<Entry<'n>>,
}

/// A key that was given.
#[derive(Clone, Copy)]
pub(super) struct Entry<'n> {
    /// The key as it is defined; the file may have misspelt it.
    pub(super) known: &'static Key,
    /// The key in the file.
    pub(super) key: &'n Node,
    /// Its value.
    pub(super) value: &'n Node,
}

impl<'n> Given<'n> {
    /// The key, if it was given.
    pub(super) fn get(&self, name: &str) -> Option<Entry<'n>> {
        self.known
            .iter()
            .copied()
            .find(|entry| entry.known.name == name)
    }
}

impl<'a> Checker<'a> {
    /// Every problem of a file whose variables are a `T`; `text` is what `tree` was made from.
    pub(super) fn run<T: Checked>(text: &'a str, tree: &Tree) -> Vec<Problem> {
        let mut checker = Self {
            text,
            problems: Vec::new(),
            key: 0..0,
            form: "",
            place: Place::Key,
            path: Vec::new(),
            top: T::keys(),
        };
        match &tree.root {
            Some(node) if !node.is_nothing() => T::check(node, &mut checker),
            _ => checker.refuse_empty(),
        }
        checker.problems
    }

    fn refuse_empty(&mut self) {
        let title = if self.text.trim().is_empty() {
            "the file is empty"
        } else {
            "the file contains no variables"
        };
        self.problems.push(self.with_example(Problem::file(title)));
    }

    /// Shows what a file looks like: the keys that it must have.
    fn with_example(&self, problem: Problem) -> Problem {
        let usual = self.top.iter().filter(|key| key.usual);
        let lines: Vec<&str> = usual.map(|key| key.example.as_str()).collect();
        problem.help(format!(
            "start with these keys and your own values:\n{}",
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
    pub(super) fn inside(&mut self, key: &Node, name: &str, look: impl FnOnce(&mut Self)) {
        let key = std::mem::replace(&mut self.key, key.span.clone());
        let place = std::mem::replace(&mut self.place, Place::Key);
        self.path.push(shown(name));
        look(self);
        self.path.pop();
        self.place = place;
        self.key = key;
    }

    /// Looks at an item of the list that is looked at.
    pub(super) fn item(&mut self, index: usize, item: &Node, look: impl FnOnce(&mut Self)) {
        // What an item with nothing in it is told by.
        let dash = self.text[..item.span.start].rfind('-').unwrap_or_default();
        let key = std::mem::replace(&mut self.key, dash..self.text.len().min(dash + 1));
        let place = std::mem::replace(&mut self.place, Place::Item);
        let form = self.form;
        let list = self.path.last().cloned().unwrap_or_default();
        if let Some(last) = self.path.last_mut() {
            *last = format!("{list}[{index}]");
        }
        look(self);
        if let Some(last) = self.path.last_mut() {
            *last = list;
        }
        self.form = form;
        self.place = place;
        self.key = key;
    }

    /// The items of a list, or a problem.
    pub(super) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        let span = self.first_line(&node.span);
        let here = self.here();
        let what = match &node.content {
            Content::List(items) => return Some(items),
            Content::Refused => return None,
            Content::Scalar {
                text,
                style: Style::Plain,
            } if crate::yaml::is_nothing(text) => {
                let title = format!("`{here}` has nothing under it");
                let problem = if node.is_nothing() {
                    Problem::at(self.key.clone(), title, "nothing under it")
                } else {
                    Problem::at(span, title, "null in YAML")
                };
                self.problems.push(problem.help(self.how_to_list()));
                return None;
            }
            Content::Map(_) if self.is_template(node) => {
                let problem = syntax::template(self.rest_of_line(span.start));
                self.problems.push(problem);
                return None;
            }
            Content::Map(_) => "a map",
            Content::Scalar { .. } => "a single value",
        };
        let title = format!("`{here}` is {what}, not a list");
        self.problems
            .push(Problem::at(span, title, what).help(self.how_to_list()));
        None
    }

    pub(super) fn how_to_list(&self) -> String {
        format!(
            "write a list with one item per line, each after `- ` and indented by two spaces: {}",
            self.form
        )
    }

    /// A list of bare values where each item is to have keys: how to write the first says it for all.
    pub(super) fn refuse_bare_items(&mut self, items: &[Node], keys: &'static [Key]) -> bool {
        let (Some(first), Some(key)) = (items.first(), keys.first()) else {
            return false;
        };
        let (Some(word), true) = (
            first.word(),
            items
                .iter()
                .all(|item| item.word().is_some() && !item.is_nothing()),
        ) else {
            return false;
        };
        let span = self.first_line(&first.span);
        let title = format!("`{}` is a list of single values, not of maps", self.here());
        let problem = Problem::at(span.clone(), title, "a single value").note(format!(
            "each item is a map, which needs the key `{}`",
            key.name
        ));
        let is_block = self.text[..span.start].trim_end().ends_with('-');
        let entry = format!("{}: \"{}\"", key.name, shown(word));
        let entry = if is_block {
            entry
        } else {
            format!("{{ {entry} }}")
        };
        let say = if items.len() == 1 {
            "add the key".to_owned()
        } else {
            format!("add the key to each of the {} items", items.len())
        };
        self.problems.push(problem.write(say, span, entry));
        true
    }

    /// The entries of a map, or a problem.
    pub(super) fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [(Node, Node)]> {
        let span = self.first_line(&node.span);
        let here = self.here();
        let what = match &node.content {
            Content::Map(entries) => return Some(entries),
            Content::Refused => return None,
            _ if node.is_nothing() => {
                let problem = if self.place == Place::Item {
                    let title = format!("`{here}` has nothing in it");
                    Problem::at(self.key.clone(), title, "nothing after it").help(format!(
                        "write its keys after the `-`, or remove the line: {}",
                        self.form
                    ))
                } else {
                    let title = format!("`{here}` has nothing under it");
                    Problem::at(self.key.clone(), title, "nothing under it")
                        .help("indent its keys under it by two spaces, or remove the line")
                };
                self.problems.push(problem);
                return None;
            }
            Content::List(_) => "a list",
            Content::Scalar { .. } => "a single value",
        };
        let problem = if self.path.is_empty() {
            let title = format!("the file contains {what}, not `key: value` lines");
            self.with_example(Problem::at(span, title, what))
        } else if self.place == Place::Item {
            Problem::at(span, format!("`{here}` is {what}, not a map"), what)
                .help(format!("write its keys after the `-`: {}", self.form))
        } else {
            Problem::at(span, format!("`{here}` is {what}, not a map"), what).help(format!(
                "write its keys under `{here}:`, indented by two spaces"
            ))
        };
        self.problems.push(problem);
        None
    }

    /// The name that a key is; a list or a map as a key is a problem.
    pub(super) fn name<'n>(&mut self, key: &'n Node) -> Option<&'n str> {
        let span = self.first_line(&key.span);
        let problem = match &key.content {
            Content::Refused => return None,
            Content::Scalar { text, style } if text == "<<" && *style == Style::Plain => {
                Problem::at(span, "YAML merge keys are not supported", "a merge key")
                    .help("write out the keys")
            }
            _ if key.is_nothing() => Problem::at(
                self.rest_of_line(span.start),
                "a key is missing before the colon",
                "no key",
            )
            .help("write `key: value`"),
            Content::Scalar { text, style } if *style != Style::Block => return Some(text),
            _ if self.is_template(key) => syntax::template(span),
            _ => Problem::at(span, "a key must be a single word", "not a word")
                .help("write `key: value`"),
        };
        self.problems.push(problem);
        None
    }

    /// A key given twice is a problem that points at both.
    pub(super) fn refuse_second<'n>(
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
                .help("remove one of them; YAML parsers differ in which one they use"),
        );
    }

    /// Checks a map against its keys.
    pub(super) fn section(&mut self, node: &Node, keys: &'static [Key], rules: &[Rules]) {
        let Some(entries) = self.map(node) else {
            return;
        };
        let mut first: HashMap<&str, Range<usize>> = HashMap::new();
        let mut given = Given {
            node,
            keys,
            entries,
            known: Vec::with_capacity(entries.len()),
        };
        let mut names = None;
        let mut nameless = false;
        for (key, value) in entries {
            let Some(name) = self.name(key) else {
                nameless = true;
                continue;
            };
            self.refuse_second(&mut first, name, key);
            let known = keys.iter().find(|known| known.name == name).or_else(|| {
                let all = || entries.iter().filter_map(|(key, _)| key.word()).collect();
                let names: &HashSet<&str> = names.get_or_insert_with(all);
                self.refuse_unknown(key, value, name, keys, names)
            });
            if let Some(known) = known {
                given.known.push(Entry { known, key, value });
                self.form = &known.form;
                self.inside(key, &known.name, |checker| (known.check)(value, checker));
            }
        }
        for key in keys.iter().filter(|key| key.need == Need::Always) {
            // Of an item with a key that is no word, nothing is known to be missing.
            if given.get(&key.name).is_none() && !(nameless && self.place == Place::Item) {
                self.refuse_missing(key, keys, &given, Vec::new());
            }
        }
        for rules in rules {
            rules(&given, self);
        }
    }

    /// Reports a key that there is not. What was probably meant is given back, so that its value is checked as well.
    fn refuse_unknown(
        &mut self,
        key: &Node,
        value: &Node,
        name: &str,
        keys: &'static [Key],
        given: &HashSet<&str>,
    ) -> Option<&'static Key> {
        let title = format!("unknown key `{}`", self.way_to(name));
        let problem = Problem::at(key.span.clone(), title, "unknown");
        let normal = suggest::kebab_case(name);
        let find = |keys: &'static [Key], name: &str| keys.iter().find(|key| key.name == name);
        let close = |keys: &'static [Key]| {
            let names = keys.iter().map(|key| key.name.as_str());
            find(keys, suggest::closest(&normal, names)?)
        };
        let is_list = matches!(value.content, Content::List(_));
        let other = suggest::other_names(&normal)
            .filter_map(|other| find(keys, other))
            .find(|known| !known.is_list || is_list || close(keys).is_none());
        let here = find(keys, &normal).or(other);
        if here.is_none()
            && let Some((known, place)) = self.elsewhere(name, &normal, given, close)
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
                "did you mean `{}`? It is given as well: remove one of them",
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
        given: &HashSet<&str>,
        close: impl Fn(&'static [Key]) -> Option<&'static Key>,
    ) -> Option<(&'static Key, String)> {
        let last = name
            .rsplit_once('.')
            .map(|(_, last)| suggest::kebab_case(last));
        let is_it = |key: &&Key| key.name == normal || Some(&key.name) == last.as_ref();
        // What an item of a list may have says nothing of a file without one.
        let is_here = |section: &&Key| {
            !section.is_list && section.default.is_some() || given.contains(section.name.as_str())
        };
        let below = self.top.iter().filter(is_here).find_map(|section| {
            let keys = (section.keys)();
            let known = keys.iter().find(is_it).or_else(|| close(keys))?;
            Some((
                known,
                if section.is_list {
                    format!("in an item of `{}:`", section.name)
                } else {
                    format!("under `{}:`, indented by two spaces", section.name)
                },
            ))
        });
        let above = || {
            let known = self
                .top
                .iter()
                .find(is_it)
                .filter(|_| !self.path.is_empty())?;
            let here = self.here();
            let place = match self.place {
                Place::Key => format!("at the top, not under `{here}:`"),
                Place::Item => format!("at the top, not in `{here}`"),
            };
            Some((known, place))
        };
        below.filter(|_| self.path.is_empty()).or_else(above)
    }

    /// Reports a key that is not given, where it would stand; `why` says what needs it.
    pub(super) fn refuse_missing(
        &mut self,
        key: &Key,
        keys: &'static [Key],
        given: &Given<'_>,
        why: Vec<String>,
    ) {
        let title = format!("the key `{}` is missing", self.way_to(&key.name));
        if !self.path.is_empty() {
            let span = self.first_line(&given.node.span);
            let problem = Problem::at(span, title, "not in it")
                .note(format!("it is {}", key.summary()))
                .help(format!("add it with your own value: {}", key.example));
            self.problems.push(problem);
            return;
        }
        let entries = given.entries;
        let is_usual = |name: &str| keys.iter().any(|key| key.usual && key.name == name);
        // After the last usual one, or before the first of all.
        let last = entries
            .iter()
            .rfind(|(key, _)| key.word().is_some_and(is_usual));
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
        let problem = Problem::gap(position, title).note(format!("it is {}", key.summary()));
        let problem = why.into_iter().fold(problem, Problem::note);
        self.problems.push(if is_block {
            let line = format!("{newline}{before_first}{}\n", key.example);
            problem.write("add it with your own value", position..position, line)
        } else {
            problem.help(format!("add it with your own value: {}", key.example))
        });
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
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 40;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.len() <= LONGEST && name.bytes().all(is_plain) {
        return name.to_owned();
    }
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
