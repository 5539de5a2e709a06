//! Checks lists, sets and tags.

use std::collections::{BTreeSet, HashMap};

use super::{
    check::shown,
    diagnostics::Problem,
    keys::{Checked, Checker, Key, Position},
    leaf::{Leaf, Value},
    tree::Node,
    values::{TagKey, TagValue, Tags},
};

/// A list of maps; an empty list is a problem.
impl<T: Checked> Checked for Vec<T> {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let Some(items) = checker.list(node) else {
            return;
        };
        if items.is_empty() {
            let span = checker.first_line(&node.span);
            let title = format!("`{}` is empty", checker.here());
            let problem = Problem::at(span, title, "no items").help(checker.how_to_list());
            checker.problems.push(problem);
        }
        if checker.report_bare_items(items, T::keys()) {
            return;
        }
        for (index, item) in items.iter().enumerate() {
            checker.item(index, item, |checker| T::check(item, checker));
        }
    }

    fn keys() -> &'static [Key] {
        T::keys()
    }
}

/// A list of single values; a duplicate is a problem.
impl<T: Leaf> Checked for BTreeSet<T> {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let Some(items) = checker.list(node) else {
            return;
        };
        let mut first: HashMap<&str, &Node> = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            checker.item(index, item, |checker| T::check(item, checker));
            let Some(word) = item.word().filter(|word| T::problem(word).is_none()) else {
                continue;
            };
            let earlier = *first.entry(word).or_insert(item);
            if !std::ptr::eq(earlier, item) {
                let title = format!("duplicate {} in `{}`", shown(word), checker.here());
                checker.problems.push(
                    Problem::at(item.span.clone(), title, "duplicate")
                        .also(earlier.span.clone(), "first listed here")
                        .help("remove one of them"),
                );
            }
        }
    }
}

impl Checked for Tags {
    fn check(node: &Node, checker: &mut Checker<'_>) {
        let Some(entries) = checker.map(node) else {
            return;
        };
        if let Some((first, _)) = entries.get(Self::MAX) {
            let title = format!("{} tags exceed the maximum of {}", entries.len(), Self::MAX);
            checker.problems.push(
                Problem::at(first.span.clone(), title, "over the limit").help(
                    "remove some: AWS allows 50 tags per function, and the Serverless Framework adds `STAGE`",
                ),
            );
        }
        let mut seen = HashMap::new();
        for (key, value) in entries {
            let Some(name) = checker.name(key) else {
                continue;
            };
            checker.report_duplicate(&mut seen, name, key);
            let form = Value {
                subject: "a key of `tags`".to_owned(),
                form: "1 to 128 ASCII letters, digits, spaces and `_ . : / = + -`",
                position: Position::Key,
            };
            checker.leaf::<TagKey>(key, &form);
            checker.inside(key, name, |checker| {
                let form = Value {
                    subject: format!("`{}`", checker.here()),
                    form: "up to 256 letters, digits, spaces and `_ . : / = + - @`",
                    position: Position::Key,
                };
                checker.leaf::<TagValue>(value, &form);
            });
        }
    }
}
