//! What of a function's configuration lets it reach more than before.

use std::fmt::Display;

use contract::{
    Accounts, FunctionConfiguration, Organization, Selection, SessionPolicy, Target, Units,
};
use serde_json::Value;

/// How many accounts are named; the others are counted.
const NAMED: usize = 10;

/// What `new` reaches and `old` does not, a sentence each.
pub(super) fn broadened(old: &FunctionConfiguration, new: &FunctionConfiguration) -> Vec<String> {
    let mut sentences = match (Reach::of(&old.selection), Reach::of(&new.selection)) {
        (Reach::Targets(old), Reach::Targets(new)) => targets(old, new),
        (Reach::Organization(old), Reach::Organization(new)) => organization(old, new),
        (Reach::Targets(_), Reach::Organization(_)) => {
            vec!["the function lists an organization's accounts instead of those named".to_owned()]
        }
        (Reach::Organization(_), Reach::Targets(_)) => vec![
            "the function lists the accounts named instead of an organization's, whichever they belong to"
                .to_owned(),
        ],
    };
    if new.session_policy == SessionPolicy::Off && old.session_policy != SessionPolicy::Off {
        sentences.push(
            "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)"
                .to_owned(),
        );
    }
    sentences
}

/// The resources of a stack by which somebody may do more, where `new` has others than `old`, a sentence each.
pub(super) fn resources(old: &Value, new: &Value) -> Vec<String> {
    let resources = new["Resources"].as_object().into_iter().flatten();
    resources
        .filter(|(name, resource)| gives_access(resource) && old["Resources"][name] != **resource)
        .map(|(name, resource)| {
            let kind = resource["Type"].as_str().unwrap_or_default();
            match &old["Resources"][name] {
                Value::Null => format!("the stack has a new {kind}, {name}"),
                _ => format!("the stack has another {kind}, {name}"),
            }
        })
        .collect()
}

/// Whether a resource is there to let somebody do something. EventBridge may call the function by its `schedule`.
fn gives_access(resource: &Value) -> bool {
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::Lambda::Permission" => resource["Properties"]["Principal"] != "events.amazonaws.com",
        "AWS::Lambda::Url" => true,
        kind => kind.starts_with("AWS::IAM::"),
    }
}

/// The accounts, in whichever form they are told.
enum Reach<'a> {
    Targets(&'a [Target]),
    Organization(&'a Organization),
}

impl<'a> Reach<'a> {
    fn of(selection: &'a Selection) -> Self {
        match selection {
            Selection::One(target) => Self::Targets(std::slice::from_ref(target)),
            Selection::Many(file) => match file.accounts() {
                Accounts::Targets(targets) => Self::Targets(targets),
                Accounts::Organization(organization) => Self::Organization(organization),
            },
        }
    }
}

fn targets(old: &[Target], new: &[Target]) -> Vec<String> {
    let old: std::collections::HashMap<_, _> =
        old.iter().map(|target| (&target.account, target)).collect();
    let mut others = Vec::new();
    let mut roles = Vec::new();
    let mut dropped = Vec::new();
    for target in new {
        let account = &target.account;
        let Some(was) = old.get(account) else {
            others.push(account);
            continue;
        };
        if target.role() != was.role() {
            roles.push(account);
        }
        if was.external_id().is_some() && target.external_id().is_none() {
            dropped.push(account);
        }
    }
    [
        told("the function lists another account,", &others),
        told("the function uses another role in account", &roles),
        told(
            "the function passes no external ID any more in account",
            &dropped,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn organization(old: &Organization, new: &Organization) -> Vec<String> {
    let mut sentences = Vec::new();
    match (&old.units, &new.units) {
        (Units::Some(_), Units::All) => {
            sentences.push("the function lists the whole organization".to_owned());
        }
        (Units::Some(old), Units::Some(new)) => {
            let units: Vec<_> = new.difference(old).collect();
            sentences.extend(told(
                "the function lists another organizational unit,",
                &units,
            ));
        }
        (Units::All, _) => {}
    }
    let listed: Vec<_> = old.exclude.difference(&new.exclude).collect();
    sentences.extend(told("the function no longer leaves out account", &listed));
    if old.role != new.role {
        sentences.push(format!("the function uses another role, {}", new.role));
    }
    if old.external_id.is_some() && new.external_id.is_none() {
        sentences.push("the function passes no external ID any more".to_owned());
    }
    sentences
}

/// `what` of the first of `whom`, and how many there are.
fn told(what: &str, whom: &[impl Display]) -> Option<String> {
    let [first, others @ ..] = whom else {
        return None;
    };
    let (named, counted) = others.split_at(others.len().min(NAMED - 1));
    let mut sentence = format!("{what} {first}");
    for other in named {
        sentence = format!("{sentence}, {other}");
    }
    if !counted.is_empty() {
        sentence = format!("{sentence} and {} more", counted.len());
    }
    Some(sentence)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use serde_json::json;

    use super::*;
    use crate::policy::samples;

    /// What is broadened between two stages with these keys.
    fn between(old: &str, new: &str) -> Vec<String> {
        let configuration = |keys: &str| samples::of_keys(keys).function_configuration();
        broadened(&configuration(old), &configuration(new))
    }

    const ONE: &str = "target-account-id: \"000000000002\"\ns3-read-role: R\n";

    #[test]
    fn of_one_account() {
        assert_eq!(between(ONE, ONE), Vec::<String>::new());
        let narrower = format!("{ONE}external-id: audit\nfunction:\n  log-level: debug\n");
        assert_eq!(between(ONE, &narrower), Vec::<String>::new());
        assert_eq!(
            between(&narrower, ONE),
            ["the function passes no external ID any more in account 000000000002"]
        );
        assert_eq!(
            between(
                ONE,
                "target-account-id: \"000000000003\"\ns3-read-role: R\n"
            ),
            ["the function lists another account, 000000000003"]
        );
        assert_eq!(
            between(
                ONE,
                "target-account-id: \"000000000002\"\ns3-read-role: S\n"
            ),
            ["the function uses another role in account 000000000002"]
        );
        assert_eq!(
            between(ONE, &format!("{ONE}session-policy: \"off\"\n")),
            [
                "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)"
            ]
        );
    }

    #[test]
    fn of_the_stack() {
        let template = |resources: &Value| json!({"Resources": resources});
        let old = template(&json!({
            "Function": {"Type": "AWS::Lambda::Function"},
            "Own": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "a"}}}));
        assert_eq!(resources(&old, &old), Vec::<String>::new());
        let fewer =
            template(&json!({"Function": {"Type": "AWS::Lambda::Function", "Properties": {}}}));
        assert_eq!(resources(&old, &fewer), Vec::<String>::new());
        let permission = |principal: &str| json!({"Type": "AWS::Lambda::Permission", "Properties": {"Principal": principal}});
        let new = template(&json!({
            "Own": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "b"}},
            "Role": {"Type": "AWS::IAM::Role"},
            "ByAll": permission("*"),
            "BySchedule": permission("events.amazonaws.com"),
            "Url": {"Type": "AWS::Lambda::Url"}}));
        assert_eq!(
            resources(&old, &new),
            [
                "the stack has a new AWS::Lambda::Permission, ByAll",
                "the stack has another AWS::IAM::Policy, Own",
                "the stack has a new AWS::IAM::Role, Role",
                "the stack has a new AWS::Lambda::Url, Url",
            ]
        );
    }

    fn many(accounts: std::ops::Range<u32>, more: &str) -> String {
        let mut text = format!("s3-read-role: R\n{more}targets:\n");
        for account in accounts {
            writeln!(text, "  - account-id: \"{account:012}\"").unwrap();
        }
        text
    }

    #[test]
    fn of_many_accounts() {
        assert_eq!(
            between(&many(2..5, ""), &many(3..5, "")),
            Vec::<String>::new()
        );
        assert_eq!(
            between(ONE, &many(2..5, "")),
            ["the function lists another account, 000000000003, 000000000004"]
        );
        let [sentence] = &between(&many(2..3, ""), &many(2..5_000, ""))[..] else {
            panic!("one sentence");
        };
        assert!(
            sentence.ends_with(", 000000000012 and 4987 more"),
            "{sentence}"
        );
        assert_eq!(
            between(&many(2..4, "external-id: audit\n"), &many(2..4, "")),
            ["the function passes no external ID any more in account 000000000002, 000000000003"]
        );
    }

    #[test]
    fn of_an_organization() {
        let of = |keys: &str, more: &str| {
            format!("s3-read-role: R\norganization-id: o-abcdefghij\n{more}organization:\n{keys}")
        };
        let unit = of("  units: [ou-ab12-34cd56ef]\n", "");
        let units = of("  units: [ou-ab12-34cd56ef, ou-ab12-99999999]\n", "");
        let all = of("  all: true\n", "");
        let without = of("  all: true\n  exclude: [\"000000000009\"]\n", "");
        let with_id = of("  all: true\n", "external-id: audit\n");
        let other_role = of("  all: true\n  role: S\n", "");
        for (old, new, sentence) in [
            (
                &unit,
                &units,
                "the function lists another organizational unit, ou-ab12-99999999",
            ),
            (&units, &all, "the function lists the whole organization"),
            (
                &without,
                &all,
                "the function no longer leaves out account 000000000009",
            ),
            (
                &with_id,
                &all,
                "the function passes no external ID any more",
            ),
            (&all, &other_role, "the function uses another role, S"),
            (
                &many(2..4, ""),
                &unit,
                "the function lists an organization's accounts instead of those named",
            ),
            (
                &all,
                &many(2..4, ""),
                "the function lists the accounts named instead of an organization's, whichever they belong to",
            ),
        ] {
            assert_eq!(between(old, new), [sentence]);
        }
        for (old, new) in [(&units, &unit), (&all, &units), (&all, &without)] {
            assert_eq!(between(old, new), Vec::<String>::new(), "{old} → {new}");
        }
    }
}
