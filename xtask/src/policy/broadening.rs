//! What a policy allows that another did not.
//!
//! Statements are compared as IAM reads them, not as text: one that is split in two, reordered, renamed or narrowed gives
//! nothing. Where only IAM itself could tell, such as with two patterns that cross, it counts as broader. What is *not*
//! here: which policies belong to a role, and what else bounds it.

use std::{collections::BTreeSet, fmt};

use super::{
    document::{Condition, Document, Effect, Principal, Set, Statement},
    pattern,
};

/// Something that is allowed and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broadening {
    /// What kind of thing.
    pub(crate) kind: Kind,
    /// The statement that allows it, of the new policy; of [`Kind::RemovedDeny`], the one that is gone.
    pub(crate) statement: Statement,
    /// The text in that statement that it is about, to find it by: an ARN, an action, a condition's key.
    pub(crate) subject: String,
    /// What a person calls the statement: its `Sid` in backticks, or its number.
    label: String,
    sentence: String,
}

/// How a policy became broader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A pattern, or "all but", where there was less.
    Wildcard,
    /// Somebody else is trusted.
    NewPrincipal,
    /// Another role may be assumed.
    NewTarget,
    /// Another action.
    NewAction,
    /// Another resource.
    NewResource,
    /// The external ID is no longer asked for.
    DroppedExternalId,
    /// Another condition is gone.
    DroppedCondition,
    /// A condition admits another value.
    LoosenedCondition,
    /// A denial is gone.
    RemovedDeny,
}

impl fmt::Display for Broadening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}: {}", self.label, self.sentence)
    }
}

/// What `new` allows and `old` does not, in the order of `new`; the denials that are gone come last.
pub(crate) fn broadening(old: &Document, new: &Document) -> Vec<Broadening> {
    let old = Sides::of(old);
    let new = Sides::of(new);
    let mut found: Vec<Broadening> = Vec::new();
    for (label, statement) in &new.allow {
        for atom in atoms(statement) {
            let reasons = allowed_before(&atom, &old.allow);
            found.extend(
                reasons
                    .into_iter()
                    .map(|reason| reason.told(label, statement)),
            );
        }
    }
    for (label, statement) in &old.deny {
        for atom in atoms(statement) {
            let denies = |(_, denial): &(String, Statement)| lies_within(&atom, denial);
            if !new.deny.iter().any(denies) {
                let subject = shown(&atom.actions);
                let sentence = format!("{subject} is no longer denied{}", on(&atom));
                let reason = Reason::new(Kind::RemovedDeny, subject, sentence);
                found.push(reason.told(label, statement));
            }
        }
    }
    let mut told = BTreeSet::new();
    found.retain(|one| told.insert((one.kind, one.to_string())));
    found
}

/// A policy's statements with what a person calls each.
struct Sides {
    allow: Vec<(String, Statement)>,
    deny: Vec<(String, Statement)>,
}

impl Sides {
    fn of(document: &Document) -> Self {
        let statements = document.statements.iter().enumerate();
        let (allow, deny) = statements
            .map(|(index, statement)| (document.label(index), simplified(statement)))
            .partition(|(_, statement)| statement.effect == Effect::Allow);
        Self { allow, deny }
    }
}

/// The same statement, with the account as principal and a condition on `aws:PrincipalArn` as the principals that they
/// come to.
fn simplified(statement: &Statement) -> Statement {
    let mut statement = statement.clone();
    if statement.effect == Effect::Allow
        && let Some((condition, principals)) = principals_by_condition(&statement)
    {
        statement.conditions.remove(&condition);
        statement.principals = Some(Set::Only(principals));
    }
    statement
}

fn principals_by_condition(statement: &Statement) -> Option<(Condition, BTreeSet<Principal>)> {
    const OPERATORS: [&str; 4] = ["StringEquals", "StringLike", "ArnEquals", "ArnLike"];
    let Some(Set::Only(principals)) = &statement.principals else {
        return None;
    };
    let accounts: Option<Vec<&str>> = principals.iter().map(Principal::account).collect();
    let accounts = accounts?;
    let condition = statement.conditions.iter().find(|condition| {
        condition.key.eq_ignore_ascii_case("aws:PrincipalArn")
            && OPERATORS.contains(&condition.operator.as_str())
    })?;
    let named = |arn: &String| {
        accounts
            .iter()
            .any(|account| account_of(arn) == Some(account))
    };
    if !condition.values.iter().all(named) {
        return None;
    }
    let principals = condition.values.iter().map(|arn| Principal {
        kind: "AWS".to_owned(),
        value: arn.clone(),
    });
    Some((condition.clone(), principals.collect()))
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// A statement that has one principal, one action and one resource, or all but some of each.
struct Atom<'a> {
    principals: Option<Set<Principal>>,
    actions: Set<String>,
    resources: Option<Set<String>>,
    conditions: &'a BTreeSet<Condition>,
}

fn atoms(statement: &Statement) -> impl Iterator<Item = Atom<'_>> {
    let principals = optional_parts(statement.principals.as_ref());
    let resources = optional_parts(statement.resources.as_ref());
    parts(&statement.actions)
        .into_iter()
        .flat_map(move |actions| {
            let (principals, resources) = (principals.clone(), resources.clone());
            principals.into_iter().flat_map(move |principals| {
                let (actions, resources) = (actions.clone(), resources.clone());
                resources.into_iter().map(move |resources| Atom {
                    principals: principals.clone(),
                    actions: actions.clone(),
                    resources,
                    conditions: &statement.conditions,
                })
            })
        })
}

fn parts<T: Ord + Clone>(set: &Set<T>) -> Vec<Set<T>> {
    match set {
        Set::Only(all) => {
            let single = |one: &T| Set::Only(BTreeSet::from([one.clone()]));
            all.iter().map(single).collect()
        }
        Set::Except(_) => vec![set.clone()],
    }
}

fn optional_parts<T: Ord + Clone>(set: Option<&Set<T>>) -> Vec<Option<Set<T>>> {
    set.map_or_else(
        || vec![None],
        |set| parts(set).into_iter().map(Some).collect(),
    )
}

/// Why it is broader, before the statement is known.
struct Reason {
    kind: Kind,
    subject: String,
    sentence: String,
}

impl Reason {
    fn new(kind: Kind, subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            sentence: sentence.into(),
        }
    }

    fn told(self, label: &str, statement: &Statement) -> Broadening {
        Broadening {
            kind: self.kind,
            statement: statement.clone(),
            subject: self.subject.trim_matches('`').to_owned(),
            label: label.to_owned(),
            sentence: self.sentence,
        }
    }
}

/// Nothing where one of the old statements allows it; otherwise what none of them has.
fn allowed_before(atom: &Atom<'_>, old: &[(String, Statement)]) -> Vec<Reason> {
    let old = || old.iter().map(|(_, statement)| statement);
    // What is there word for word needs no comparison of patterns: a stage may have a thousand roles.
    if old().any(|one| is_named(atom, one)) {
        return Vec::new();
    }
    let of_principal = || old().filter(|one| principals_within(atom, one));
    let of_action = || of_principal().filter(|one| actions_within(atom, one));
    let of_resource = || of_action().filter(|one| resources_within(atom, one));
    // The old statement that comes nearest: the one that asks for the least more.
    let missing = of_resource()
        .map(|one| missing_conditions(atom.conditions, &one.conditions))
        .min_by_key(Vec::len);
    if let Some(missing) = missing {
        return missing
            .into_iter()
            .map(|condition| dropped(atom.conditions, condition))
            .collect();
    }
    let action = shown(&atom.actions);
    vec![if of_principal().next().is_none() {
        let whom = atom.principals.as_ref().map_or_else(String::new, principal);
        let sentence = format!("{whom} may do {action}{}", on(atom));
        let wild = is_wild(atom.principals.as_ref(), |one| &one.value);
        Reason::new(or_wildcard(Kind::NewPrincipal, wild), whom, sentence)
    } else if of_action().next().is_none() {
        let sentence = format!("{action} is allowed{}", on(atom));
        let wild = is_wild(Some(&atom.actions), |one| one);
        Reason::new(or_wildcard(Kind::NewAction, wild), action, sentence)
    } else {
        let sentence = format!("{action} is allowed{}", on(atom));
        let subject = atom.resources.as_ref().map_or_else(String::new, shown);
        let is_assume = |one: &String| one.eq_ignore_ascii_case("sts:AssumeRole");
        let assumes = matches!(&atom.actions, Set::Only(all) if all.iter().any(is_assume));
        let kind = if assumes {
            Kind::NewTarget
        } else {
            Kind::NewResource
        };
        let wild = is_wild(atom.resources.as_ref(), |one| one);
        Reason::new(or_wildcard(kind, wild), subject, sentence)
    }]
}

fn or_wildcard(kind: Kind, wild: bool) -> Kind {
    if wild { Kind::Wildcard } else { kind }
}

fn is_wild<T>(set: Option<&Set<T>>, text: fn(&T) -> &String) -> bool {
    match set {
        Some(Set::Only(all)) => all.iter().any(|one| pattern::is_wild(text(one))),
        Some(Set::Except(_)) => true,
        None => false,
    }
}

fn dropped(now: &BTreeSet<Condition>, old: &Condition) -> Reason {
    let key = &old.key;
    let values = list(&old.values);
    let still = now.iter().find(|one| one.key.eq_ignore_ascii_case(key));
    if let Some(now) = still {
        let sentence = format!(
            "the condition on `{key}` was `{}` {values} and is `{}` {}",
            old.operator,
            now.operator,
            list(&now.values)
        );
        return Reason::new(Kind::LoosenedCondition, key, sentence);
    }
    if key.eq_ignore_ascii_case("sts:ExternalId") {
        let sentence = format!("the external ID {values} is no longer asked for (`{key}`)");
        return Reason::new(Kind::DroppedExternalId, key, sentence);
    }
    let sentence = format!("the condition `{}` `{key}` {values} is gone", old.operator);
    Reason::new(Kind::DroppedCondition, key, sentence)
}

/// Whether the statement speaks of all that the atom speaks of.
fn lies_within(atom: &Atom<'_>, statement: &Statement) -> bool {
    principals_within(atom, statement)
        && actions_within(atom, statement)
        && resources_within(atom, statement)
        && missing_conditions(atom.conditions, &statement.conditions).is_empty()
}

/// Whether the statement has the atom's own words.
fn is_named(atom: &Atom<'_>, statement: &Statement) -> bool {
    fn named<T: Ord>(narrow: &Set<T>, wide: &Set<T>) -> bool {
        match (narrow, wide) {
            (Set::Only(narrow), Set::Only(wide)) => narrow.is_subset(wide),
            _ => false,
        }
    }
    let resources = match (&atom.resources, &statement.resources) {
        (_, None) => true,
        (Some(narrow), Some(wide)) => named(narrow, wide),
        (None, Some(_)) => false,
    };
    resources
        && actions_within(atom, statement)
        && principals_within(atom, statement)
        && missing_conditions(atom.conditions, &statement.conditions).is_empty()
}

/// Case has no meaning in actions.
fn actions_within(atom: &Atom<'_>, statement: &Statement) -> bool {
    let lower = |all: &BTreeSet<String>| all.iter().map(|one| one.to_ascii_lowercase()).collect();
    let lower = |set: &Set<String>| match set {
        Set::Only(all) => Set::Only(lower(all)),
        Set::Except(all) => Set::Except(lower(all)),
    };
    within(&lower(&atom.actions), &lower(&statement.actions))
}

fn resources_within(atom: &Atom<'_>, statement: &Statement) -> bool {
    match (&atom.resources, &statement.resources) {
        (_, None) => true,
        (Some(narrow), Some(wide)) => within(narrow, wide),
        (None, Some(_)) => false,
    }
}

fn within(narrow: &Set<String>, wide: &Set<String>) -> bool {
    let covered = |one: &String, by: &BTreeSet<String>| {
        by.contains(one)
            || by
                .iter()
                .any(|wide| pattern::is_wild(wide) && pattern::covers(wide, one))
    };
    match (narrow, wide) {
        (Set::Only(narrow), Set::Only(wide)) => narrow.iter().all(|one| covered(one, wide)),
        (Set::Only(narrow), Set::Except(but)) => narrow
            .iter()
            .all(|one| !but.iter().any(|other| pattern::overlap(one, other))),
        (Set::Except(_), Set::Only(wide)) => wide.contains("*"),
        (Set::Except(but), Set::Except(less)) => less.iter().all(|one| covered(one, but)),
    }
}

fn principals_within(atom: &Atom<'_>, statement: &Statement) -> bool {
    let covered = |one: &Principal, by: &BTreeSet<Principal>| {
        by.iter().any(|wide| principal_covers(wide, one))
    };
    match (&atom.principals, &statement.principals) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(Set::Only(narrow)), Some(Set::Only(wide))) => {
            narrow.iter().all(|one| covered(one, wide))
        }
        (Some(Set::Only(narrow)), Some(Set::Except(but))) => narrow.iter().all(|one| {
            !but.iter()
                .any(|other| principal_covers(one, other) || principal_covers(other, one))
        }),
        (Some(Set::Except(_)), Some(Set::Only(wide))) => {
            wide.iter().any(|one| one.kind == "AWS" && one.value == "*")
        }
        (Some(Set::Except(but)), Some(Set::Except(less))) => {
            less.iter().all(|one| covered(one, but))
        }
    }
}

fn principal_covers(wide: &Principal, narrow: &Principal) -> bool {
    if wide.kind != narrow.kind {
        return false;
    }
    match wide.account() {
        Some(account) => narrow.account().or_else(|| account_of(&narrow.value)) == Some(account),
        None => pattern::covers(&wide.value, &narrow.value),
    }
}

/// The conditions of `old` that `now` does not make sure of.
fn missing_conditions<'a>(
    now: &BTreeSet<Condition>,
    old: &'a BTreeSet<Condition>,
) -> Vec<&'a Condition> {
    let made_sure = |old: &&Condition| now.iter().any(|now| implies(now, old));
    old.iter().filter(|old| !made_sure(old)).collect()
}

/// Whether the one condition holds only where the other does.
fn implies(now: &Condition, old: &Condition) -> bool {
    if !now.key.eq_ignore_ascii_case(&old.key) {
        return false;
    }
    let (now_base, now_if_exists) = base(&now.operator);
    let (old_base, old_if_exists) = base(&old.operator);
    if now_if_exists && !old_if_exists {
        return false;
    }
    let exact = now_base == old_base;
    let negated = old_base.contains("not");
    if negated || old_base.contains(':') || old_base == "null" {
        // To forbid more is stricter; what compares lists, or asks whether a key is there, must stay as it is.
        return exact
            && if negated && !old_base.contains(':') {
                old.values.is_subset(&now.values)
            } else {
                old.values == now.values
            };
    }
    let like = match (now_base.as_str(), old_base.as_str()) {
        ("stringequals" | "stringlike", "stringlike")
        | ("arnequals" | "arnlike", "arnequals" | "arnlike") => true,
        _ if exact => false,
        ("stringequals", "stringequalsignorecase") => {
            let lower = |text: &String| text.to_ascii_lowercase();
            let old: BTreeSet<String> = old.values.iter().map(lower).collect();
            return now.values.iter().all(|value| old.contains(&lower(value)));
        }
        _ => return false,
    };
    now.values.iter().all(|value| {
        old.values.contains(value)
            // A `*` is no pattern to `StringEquals`.
            || like && old.values.iter().any(|wide| pattern::covers(wide, value))
    })
}

/// An operator in lower case without its `IfExists`, and whether it had one.
fn base(operator: &str) -> (String, bool) {
    let lower = operator.to_ascii_lowercase();
    match lower.strip_suffix("ifexists") {
        Some(base) => (base.to_owned(), true),
        None => (lower, false),
    }
}

fn shown(set: &Set<String>) -> String {
    match set {
        Set::Only(all) => list(all),
        Set::Except(all) => format!("all but {}", list(all)),
    }
}

fn list(all: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
    quoted.join(", ")
}

fn principal(set: &Set<Principal>) -> String {
    let names =
        |all: &BTreeSet<Principal>| list(&all.iter().map(|one| one.value.clone()).collect());
    match set {
        Set::Only(all) => names(all),
        Set::Except(all) => format!("all but {}", names(all)),
    }
}

fn on(atom: &Atom<'_>) -> String {
    match &atom.resources {
        Some(Set::Only(all)) if all.contains("*") => " on every resource".to_owned(),
        Some(resources) => format!(" on {}", shown(resources)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement that allows, from the rest of its elements.
    fn allow(rest: &str) -> String {
        format!(r#"{{"Sid":"One","Effect":"Allow",{rest}}}"#)
    }

    fn deny(rest: &str) -> String {
        format!(r#"{{"Sid":"No","Effect":"Deny",{rest}}}"#)
    }

    fn document(statements: &[String]) -> Document {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        Document::from_text(&text).unwrap()
    }

    fn kinds(old: &[String], new: &[String]) -> Vec<Kind> {
        let found = broadening(&document(old), &document(new));
        found.into_iter().map(|one| one.kind).collect()
    }

    fn told(old: &[String], new: &[String]) -> Vec<String> {
        let found = broadening(&document(old), &document(new));
        found.iter().map(ToString::to_string).collect()
    }

    const ROLE: &str = r#""Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/R""#;
    const TRUST: &str =
        r#""Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111111111111:role/E"}"#;

    fn trust(conditions: &str) -> Vec<String> {
        vec![allow(&format!(r#"{TRUST},"Condition":{conditions}"#))]
    }

    #[test]
    fn a_new_target() {
        let roles = r#""Action":"sts:AssumeRole","Resource":["arn:aws:iam::222222222222:role/R","arn:aws:iam::333333333333:role/R"]"#;
        assert_eq!(
            told(&[allow(ROLE)], &[allow(roles)]),
            ["statement `One`: `sts:AssumeRole` is allowed on `arn:aws:iam::333333333333:role/R`"]
        );
        assert_eq!(kinds(&[allow(ROLE)], &[allow(roles)]), [Kind::NewTarget]);
        assert_eq!(kinds(&[allow(roles)], &[allow(ROLE)]), []);
    }

    #[test]
    fn wildcards() {
        for more in [
            r#""Action":"sts:AssumeRole","Resource":"*""#,
            r#""Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/R""#,
            r#""Action":"sts:*","Resource":"arn:aws:iam::222222222222:role/R""#,
            r#""Action":"*","Resource":"arn:aws:iam::222222222222:role/R""#,
            r#""NotAction":"iam:*","Resource":"arn:aws:iam::222222222222:role/R""#,
            r#""Action":"sts:AssumeRole","NotResource":"arn:aws:iam::333333333333:role/R""#,
        ] {
            assert_eq!(
                kinds(&[allow(ROLE)], &[allow(more)]),
                [Kind::Wildcard],
                "{more}"
            );
            assert_eq!(kinds(&[allow(more)], &[allow(ROLE)]), [], "{more}");
        }
        let anybody = allow(r#""Action":"sts:AssumeRole","Principal":"*""#);
        assert_eq!(kinds(&[allow(TRUST)], &[anybody]), [Kind::Wildcard]);
    }

    #[test]
    fn principals() {
        let of = |principal: &str| {
            [allow(&format!(
                r#""Action":"sts:AssumeRole","Principal":{{{principal}}}"#
            ))]
        };
        let old = [allow(TRUST)];
        for other in [
            r#""AWS":"arn:aws:iam::111111111111:role/F""#,
            r#""AWS":"111111111111""#,
            r#""AWS":"arn:aws:iam::111111111111:root""#,
            r#""Service":"lambda.amazonaws.com""#,
            r#""AWS":["arn:aws:iam::111111111111:role/E","arn:aws:iam::333333333333:root"]"#,
        ] {
            assert_eq!(kinds(&old, &of(other)), [Kind::NewPrincipal], "{other}");
        }
        assert_eq!(kinds(&of(r#""AWS":"111111111111""#), &old), []);
        assert_eq!(
            kinds(
                &of(r#""AWS":"111111111111""#),
                &of(r#""AWS":"arn:aws:iam::111111111111:root""#)
            ),
            []
        );
    }

    /// The account with a condition on the role's ARN is the role.
    #[test]
    fn the_two_forms_of_trust_are_one() {
        let by_account = |condition: &str| {
            [allow(&format!(
                r#""Action":"sts:AssumeRole","Principal":{{"AWS":"arn:aws:iam::111111111111:root"}},"Condition":{condition}"#
            ))]
        };
        let same =
            by_account(r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/E"}}"#);
        assert_eq!(kinds(&[allow(TRUST)], &same), []);
        assert_eq!(kinds(&same, &[allow(TRUST)]), []);
        let other =
            by_account(r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/F"}}"#);
        assert_eq!(kinds(&same, &other), [Kind::NewPrincipal]);
        let any =
            by_account(r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#);
        assert_eq!(kinds(&same, &any), [Kind::Wildcard]);
        let absent = by_account(
            r#"{"ArnEqualsIfExists":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/E"}}"#,
        );
        assert_eq!(kinds(&same, &absent), [Kind::NewPrincipal]);
    }

    #[test]
    fn conditions() {
        let both = trust(r#"{"StringEquals":{"sts:ExternalId":"a","aws:PrincipalOrgID":"o"}}"#);
        let external = trust(r#"{"StringEquals":{"sts:ExternalId":"a"}}"#);
        let organization = trust(r#"{"StringEquals":{"aws:principalorgid":"o"}}"#);
        assert_eq!(kinds(&both, &external), [Kind::DroppedCondition]);
        assert_eq!(kinds(&both, &organization), [Kind::DroppedExternalId]);
        assert_eq!(
            kinds(&both, &[allow(TRUST)]),
            [Kind::DroppedCondition, Kind::DroppedExternalId]
        );
        assert_eq!(kinds(&external, &both), []);
        assert_eq!(
            told(&external, &[allow(TRUST)]),
            ["statement `One`: the external ID `a` is no longer asked for (`sts:ExternalId`)"]
        );
        for looser in [
            r#"{"StringEquals":{"sts:ExternalId":["a","b"]}}"#,
            r#"{"StringEquals":{"sts:ExternalId":"b"}}"#,
            r#"{"StringLike":{"sts:ExternalId":"a*"}}"#,
            r#"{"StringEqualsIfExists":{"sts:ExternalId":"a"}}"#,
            r#"{"StringEqualsIgnoreCase":{"sts:ExternalId":"a"}}"#,
            r#"{"StringNotEquals":{"sts:ExternalId":"a"}}"#,
            r#"{"ForAnyValue:StringEquals":{"sts:ExternalId":"a"}}"#,
        ] {
            let looser = trust(looser);
            assert_eq!(
                kinds(&external, &looser),
                [Kind::LoosenedCondition],
                "{looser:?}"
            );
            assert_eq!(kinds(&looser, &looser), []);
        }
        let like = trust(r#"{"StringLike":{"sts:ExternalId":"a*"}}"#);
        assert_eq!(kinds(&like, &external), []);
        let not = trust(r#"{"StringNotEquals":{"sts:ExternalId":"a"}}"#);
        let neither = trust(r#"{"StringNotEquals":{"sts:ExternalId":["a","b"]}}"#);
        assert_eq!(kinds(&not, &neither), []);
        assert_eq!(kinds(&neither, &not), [Kind::LoosenedCondition]);
        // A `*` is a letter to `StringEquals`.
        let star = trust(r#"{"StringEquals":{"sts:ExternalId":"*"}}"#);
        assert_eq!(kinds(&star, &external), [Kind::LoosenedCondition]);
    }

    #[test]
    fn actions_and_denials() {
        let list = allow(r#""Action":"s3:ListAllMyBuckets","Resource":"*""#);
        let read = allow(r#""Action":["s3:listallmybuckets","s3:GetObject"],"Resource":"*""#);
        assert_eq!(
            told(std::slice::from_ref(&list), std::slice::from_ref(&read)),
            ["statement `One`: `s3:GetObject` is allowed on every resource"]
        );
        let no = deny(r#""Action":"s3:GetObject","Resource":"*""#);
        let narrower = deny(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#);
        let wider = deny(r#""Action":"s3:Get*","Resource":"*""#);
        let with = |denial: &String| [list.clone(), denial.clone()];
        assert_eq!(
            kinds(&with(&no), std::slice::from_ref(&list)),
            [Kind::RemovedDeny]
        );
        assert_eq!(kinds(&with(&no), &with(&narrower)), [Kind::RemovedDeny]);
        assert_eq!(kinds(&with(&no), &with(&wider)), []);
        assert_eq!(kinds(std::slice::from_ref(&list), &with(&no)), []);
        let conditional = deny(
            r#""Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#,
        );
        assert_eq!(kinds(&with(&no), &with(&conditional)), [Kind::RemovedDeny]);
        assert_eq!(kinds(&with(&conditional), &with(&no)), []);
    }

    /// Two statements in place of one, in another order and under other names, are the same.
    #[test]
    fn how_statements_are_cut_does_not_matter() {
        let one = allow(r#""Action":["a:B","a:C"],"Resource":["x","y"]"#);
        let two = [
            r#"{"Effect":"Allow","Action":"a:c","Resource":["y","x"]}"#.to_owned(),
            r#"{"Effect":"Allow","Action":"A:B","Resource":"x"}"#.to_owned(),
            r#"{"Effect":"Allow","Action":"a:b","Resource":"y"}"#.to_owned(),
        ];
        assert_eq!(kinds(std::slice::from_ref(&one), &two), []);
        assert_eq!(kinds(&two, std::slice::from_ref(&one)), []);
        assert_eq!(kinds(&two[..2], &[one]), [Kind::NewResource]);
    }

    /// A generator with a known seed: the same cases every time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % bound
        }

        fn some(&mut self, words: &[&str]) -> BTreeSet<String> {
            let count = 1 + self.below(3);
            (0..count)
                .map(|_| words[self.below(words.len())].to_owned())
                .collect()
        }

        fn set(&mut self, words: &[&str]) -> Set<String> {
            let some = self.some(words);
            if self.below(5) == 0 {
                Set::Except(some)
            } else {
                Set::Only(some)
            }
        }

        fn statement(&mut self) -> Statement {
            const ACTIONS: [&str; 6] = ["a:B", "a:*", "a:C", "*", "d:E", "a:?"];
            const RESOURCES: [&str; 6] = ["x", "x/*", "*", "y", "x/1", "x/?"];
            const PRINCIPALS: [&str; 5] = [
                "*",
                "111111111111",
                "arn:aws:iam::111111111111:role/E",
                "arn:aws:iam::111111111111:root",
                "arn:aws:iam::222222222222:role/F",
            ];
            const OPERATORS: [&str; 6] = [
                "StringEquals",
                "StringLike",
                "StringNotEquals",
                "ArnEquals",
                "StringEqualsIfExists",
                "ForAnyValue:StringLike",
            ];
            const KEYS: [&str; 4] = [
                "sts:ExternalId",
                "aws:PrincipalArn",
                "aws:PrincipalOrgID",
                "k",
            ];
            const VALUES: [&str; 4] = ["a", "b", "a*", "arn:aws:iam::111111111111:role/E"];
            let mut statement = Statement::allow("S", ["a:B"]);
            statement.effect = if self.below(4) == 0 {
                Effect::Deny
            } else {
                Effect::Allow
            };
            statement.actions = self.set(&ACTIONS);
            statement.resources = Some(self.set(&RESOURCES));
            if self.below(2) == 0 {
                let principals = self.some(&PRINCIPALS).into_iter();
                let principals = principals.map(|value| Principal {
                    kind: "AWS".to_owned(),
                    value,
                });
                statement.principals = Some(Set::Only(principals.collect()));
            }
            for _ in 0..self.below(3) {
                let operator = OPERATORS[self.below(OPERATORS.len())].to_owned();
                let key = KEYS[self.below(KEYS.len())].to_owned();
                let values = self.some(&VALUES);
                statement
                    .conditions
                    .retain(|one| (&one.operator, &one.key) != (&operator, &key));
                statement.conditions.insert(Condition {
                    operator,
                    key,
                    values,
                });
            }
            statement
        }
    }

    /// A policy is not broader than itself, nor when a statement that allows is left out, one that denies or another
    /// condition is added, or an element of a list is taken away.
    #[test]
    fn what_is_narrowed_is_not_broader() {
        let mut random = Random(7);
        for round in 0..500 {
            let count = 1 + random.below(4);
            let old = Document::of((0..count).map(|_| random.statement()).collect());
            let mut new = old.clone();
            let assert_none = |new: &Document, what: &str| {
                let found = broadening(&old, new);
                assert!(
                    found.is_empty(),
                    "{round} {what}: {found:#?}\n{old:#?}\n{new:#?}"
                );
            };
            assert_none(&new, "itself");
            new.statements.reverse();
            assert_none(&new, "reversed");
            let mut denial = random.statement();
            denial.effect = Effect::Deny;
            new.statements.push(denial);
            assert_none(&new, "a denial more");
            for statement in &mut new.statements {
                if statement.effect == Effect::Allow {
                    statement.conditions.insert(Condition {
                        operator: "Bool".to_owned(),
                        key: "aws:SecureTransport".to_owned(),
                        values: BTreeSet::from(["true".to_owned()]),
                    });
                    if let Set::Only(actions) = &mut statement.actions {
                        actions.pop_first();
                    }
                }
            }
            assert_none(&new, "conditions more, actions less");
            new.statements.retain(|one| one.effect == Effect::Deny);
            assert_none(&new, "nothing allowed");
        }
    }
}
