//! Checks a file against the types of its variables and reports every problem.
//!
//! serde stops at its first error and does not see quoting, so the file's [tree](super::tree) is checked before the
//! variables are deserialized from it. Keys and types come from one definition ([`variables`](super::variables)), and each
//! type validates its own values.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    diagnostics::Problem,
    keys::{Checked, Checker, Key, Need, Position},
    suggest, syntax,
    tree::{Content, Node, Style, Tree},
};

/// Declares a struct whose fields are keys of the file. Each field is checked as its type is; the function after `rules:`
/// checks rules that involve several keys.
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

/// Checks rules that involve several keys of a section.
pub(super) type Rules = fn(&Section<'_>, &mut Checker<'_>);

/// The keys of a section in the file, with misspelt ones resolved.
pub(super) struct Section<'n> {
    /// The section.
    node: &'n Node,
    /// The valid keys.
    pub(super) keys: &'static [Key],
    /// All entries, as in the file.
    entries: &'n [(Node, Node)],
    /// The entries whose key is known.
    known: Vec<Entry<'n>>,
}

/// A key in the file.
#[derive(Clone, Copy)]
pub(super) struct Entry<'n> {
    /// The definition of the key; the file may have misspelt it.
    pub(super) known: &'static Key,
    /// The key in the file.
    pub(super) key: &'n Node,
    /// Its value.
    pub(super) value: &'n Node,
}

impl<'n> Section<'n> {
    /// The entry of a key, if the file has it.
    pub(super) fn get(&self, name: &str) -> Option<Entry<'n>> {
        self.known
            .iter()
            .copied()
            .find(|entry| entry.known.name == name)
    }
}

impl<'a> Checker<'a> {
    /// Returns every problem of a file whose variables are a `T`; `tree` is parsed from `text`.
    pub(super) fn run<T: Checked>(text: &'a str, tree: &Tree) -> Vec<Problem> {
        let mut checker = Self {
            text,
            problems: Vec::new(),
            key: 0..0,
            form: "",
            position: Position::Key,
            path: Vec::new(),
            top: T::keys(),
        };
        match &tree.root {
            Some(node) if !node.is_nothing() => T::check(node, &mut checker),
            _ => checker.report_empty(),
        }
        checker.problems
    }

    fn report_empty(&mut self) {
        let title = if self.text.trim().is_empty() {
            "the file is empty"
        } else {
            "the file contains no variables"
        };
        self.problems.push(self.with_example(Problem::file(title)));
    }

    /// Adds an example of a file with the required keys.
    fn with_example(&self, problem: Problem) -> Problem {
        let usual = self.top.iter().filter(|key| key.usual);
        let lines: Vec<&str> = usual.map(|key| key.example.as_str()).collect();
        problem.help(format!(
            "start with these keys and replace the values:\n{}",
            lines.join("\n")
        ))
    }

    /// The path of the current value, such as `targets[0].role`.
    pub(super) fn here(&self) -> String {
        self.path.join(".")
    }

    /// The path of a key under the current value.
    fn way_to(&self, name: &str) -> String {
        let mut path = self.path.clone();
        path.push(shown(name));
        path.join(".")
    }

    /// Runs `look` on the value of a key.
    pub(super) fn inside(&mut self, key: &Node, name: &str, look: impl FnOnce(&mut Self)) {
        let key = std::mem::replace(&mut self.key, key.span.clone());
        let position = std::mem::replace(&mut self.position, Position::Key);
        self.path.push(shown(name));
        look(self);
        self.path.pop();
        self.position = position;
        self.key = key;
    }

    /// Runs `look` on an item of the current list.
    pub(super) fn item(&mut self, index: usize, item: &Node, look: impl FnOnce(&mut Self)) {
        // An empty item has no span of its own: its problems point at the dash.
        let dash = self.text[..item.span.start].rfind('-').unwrap_or_default();
        let key = std::mem::replace(&mut self.key, dash..self.text.len().min(dash + 1));
        let position = std::mem::replace(&mut self.position, Position::Item);
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
        self.position = position;
        self.key = key;
    }

    /// Returns the items of a list, or reports a problem.
    pub(super) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        let span = self.first_line(&node.span);
        let here = self.here();
        let what = match &node.content {
            Content::List(items) => return Some(items),
            Content::Rejected => return None,
            Content::Scalar {
                text,
                style: Style::Plain,
            } if crate::yaml::is_nothing(text) => {
                let title = format!("`{here}` has no value");
                let problem = if node.is_nothing() {
                    Problem::at(self.key.clone(), title, "no items under it")
                } else {
                    Problem::at(span, title, "YAML parses this as null")
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
        let title = format!("`{here}`: expected a list, got {what}");
        self.problems
            .push(Problem::at(span, title, what).help(self.how_to_list()));
        None
    }

    pub(super) fn how_to_list(&self) -> String {
        format!(
            "write a list, one `- ` item per line, indented by two spaces: {}",
            self.form
        )
    }

    /// Reports a list of single values whose items must be maps, once for all items. Returns whether it is one.
    pub(super) fn report_bare_items(&mut self, items: &[Node], keys: &'static [Key]) -> bool {
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
        let title = format!(
            "`{}`: expected a list of maps, got single values",
            self.here()
        );
        let problem = Problem::at(span.clone(), title, "a single value")
            .note(format!("each item requires the key `{}`", key.name));
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

    /// Returns the entries of a map, or reports a problem.
    pub(super) fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [(Node, Node)]> {
        let span = self.first_line(&node.span);
        let here = self.here();
        let what = match &node.content {
            Content::Map(entries) => return Some(entries),
            Content::Rejected => return None,
            _ if node.is_nothing() => {
                let problem = if self.position == Position::Item {
                    let title = format!("`{here}` is empty");
                    Problem::at(self.key.clone(), title, "no keys after it").help(format!(
                        "write its keys after the `-`, or remove the line: {}",
                        self.form
                    ))
                } else {
                    let title = format!("`{here}` is empty");
                    Problem::at(self.key.clone(), title, "no keys under it")
                        .help("write its keys under it, indented by two spaces, or remove the line")
                };
                self.problems.push(problem);
                return None;
            }
            Content::List(_) => "a list",
            Content::Scalar { .. } => "a single value",
        };
        let problem = if self.path.is_empty() {
            let title = format!("expected `key: value` lines, got {what}");
            self.with_example(Problem::at(span, title, what))
        } else if self.position == Position::Item {
            Problem::at(span, format!("`{here}`: expected a map, got {what}"), what)
                .help(format!("write its keys after the `-`: {}", self.form))
        } else {
            Problem::at(span, format!("`{here}`: expected a map, got {what}"), what).help(format!(
                "write its keys under `{here}:`, indented by two spaces"
            ))
        };
        self.problems.push(problem);
        None
    }

    /// Returns the name of a key, or reports a problem: a list or a map is not a key.
    pub(super) fn name<'n>(&mut self, key: &'n Node) -> Option<&'n str> {
        let span = self.first_line(&key.span);
        let problem = match &key.content {
            Content::Rejected => return None,
            Content::Scalar { text, style } if text == "<<" && *style == Style::Plain => {
                Problem::at(span, "YAML merge keys are not supported", "merge key")
                    .help("write out the merged keys")
            }
            _ if key.is_nothing() => Problem::at(
                self.rest_of_line(span.start),
                "missing key before the colon",
                "expected a key",
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

    /// Reports a duplicate key.
    pub(super) fn report_duplicate<'n>(
        &mut self,
        seen: &mut HashMap<&'n str, Range<usize>>,
        name: &'n str,
        key: &Node,
    ) {
        let Some(first) = seen.get(name) else {
            seen.insert(name, key.span.clone());
            return;
        };
        let title = format!("duplicate key `{}`", self.way_to(name));
        self.problems.push(
            Problem::at(key.span.clone(), title, "duplicate")
                .also(first.clone(), "first set here")
                .help("keep one of them: YAML parsers differ in which one they use"),
        );
    }

    /// Checks a map against its valid keys.
    pub(super) fn section(&mut self, node: &Node, keys: &'static [Key], rules: &[Rules]) {
        let Some(entries) = self.map(node) else {
            return;
        };
        let mut first: HashMap<&str, Range<usize>> = HashMap::new();
        let mut section = Section {
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
            self.report_duplicate(&mut first, name, key);
            let known = keys.iter().find(|known| known.name == name).or_else(|| {
                let all = || entries.iter().filter_map(|(key, _)| key.word()).collect();
                let names: &HashSet<&str> = names.get_or_insert_with(all);
                self.report_unknown(key, value, name, keys, names)
            });
            if let Some(known) = known {
                section.known.push(Entry { known, key, value });
                self.form = &known.form;
                self.inside(key, &known.name, |checker| (known.check)(value, checker));
            }
        }
        for key in keys.iter().filter(|key| key.need == Need::Always) {
            // If an item has an unreadable key, that may be the missing one.
            if section.get(&key.name).is_none() && !(nameless && self.position == Position::Item) {
                self.report_missing(key, keys, &section, Vec::new());
            }
        }
        for rules in rules {
            rules(&section, self);
        }
    }

    /// Reports an unknown key. Returns the key that was probably meant, so that its value is checked too.
    fn report_unknown(
        &mut self,
        key: &Node,
        value: &Node,
        name: &str,
        keys: &'static [Key],
        names: &HashSet<&str>,
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
            && let Some((known, place)) = self.elsewhere(name, &normal, names, close)
            && (close(keys).is_none() || name.contains('.') || known.name == normal)
        {
            let help = format!("`{}` belongs {place}", known.name);
            self.problems.push(problem.help(help));
            return Some(known);
        }
        let known = here.or_else(|| close(keys));
        let is_set = known.is_some_and(|known| names.contains(known.name.as_str()));
        self.problems.push(match known {
            Some(known) if is_set => problem.help(format!(
                "did you mean `{}`? It is also set; remove one of them",
                known.name
            )),
            Some(known) => problem.write(
                format!("did you mean `{}`?", known.name),
                key.span.clone(),
                &known.name,
            ),
            None => {
                let all: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
                problem.help(format!("valid keys are {}", all.join(", ")))
            }
        });
        known.filter(|_| !is_set)
    }

    /// Returns the key of another section that is meant, and a phrase for where it belongs: `memory`, `function.memory`
    /// and `memorySize` at the top level all mean the one under `function:`.
    fn elsewhere(
        &self,
        name: &str,
        normal: &str,
        names: &HashSet<&str>,
        close: impl Fn(&'static [Key]) -> Option<&'static Key>,
    ) -> Option<(&'static Key, String)> {
        let last = name
            .rsplit_once('.')
            .map(|(_, last)| suggest::kebab_case(last));
        let is_it = |key: &&Key| key.name == normal || Some(&key.name) == last.as_ref();
        // The keys of a list's items count only if the file has the list.
        let is_here = |section: &&Key| {
            !section.is_list && section.default.is_some() || names.contains(section.name.as_str())
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
            let place = match self.position {
                Position::Key => format!("at the top level, not under `{here}:`"),
                Position::Item => format!("at the top level, not in `{here}`"),
            };
            Some((known, place))
        };
        below.filter(|_| self.path.is_empty()).or_else(above)
    }

    /// Reports a missing key at the place to add it; `why` explains what requires it.
    pub(super) fn report_missing(
        &mut self,
        key: &Key,
        keys: &'static [Key],
        section: &Section<'_>,
        why: Vec<String>,
    ) {
        let title = format!("missing key `{}`", self.way_to(&key.name));
        let about = format!("`{}` is {}", key.name, key.summary());
        if !self.path.is_empty() {
            let span = self.first_line(&section.node.span);
            let problem = Problem::at(span, title, "missing here")
                .note(about)
                .help(format!("add it with your own value: {}", key.example));
            self.problems.push(problem);
            return;
        }
        let entries = section.entries;
        let is_usual = |name: &str| keys.iter().any(|key| key.usual && key.name == name);
        // After the last usual key, or before the first key.
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
        let problem = Problem::gap(position, title).note(about);
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

    /// The start of the line after the last text before a position.
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

    /// The rest of a line from a position.
    pub(super) fn rest_of_line(&self, start: usize) -> Range<usize> {
        self.first_line(&(start..self.text.len()))
    }

    /// Whether a map is template syntax: YAML parses `{{ name }}` as a map in a map.
    pub(super) fn is_template(&self, node: &Node) -> bool {
        let start = self.line_start(node.span.start);
        matches!(node.content, Content::Map(_))
            && self.text[self.rest_of_line(start)].contains("{{")
    }
}

/// Escapes and shortens a name for a message.
pub(super) fn shown(name: &str) -> String {
    const MAX_CHARACTERS: usize = 40;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.len() <= MAX_CHARACTERS && name.bytes().all(is_plain) {
        return name.to_owned();
    }
    let mut shown: String = name
        .chars()
        .take(MAX_CHARACTERS)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(MAX_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
