//! What a policy allows that another did not.
//!
//! Statements are compared as IAM reads them, not as text: one that is split in two, reordered, renamed or narrowed gives
//! nothing. Where only IAM itself could tell, such as with two patterns that cross, it counts as broader: that nothing is
//! found is a promise, which `property.rs` tests. What is *not* here: which policies belong to a role, and what else
//! bounds it.

use std::{collections::BTreeSet, fmt};

use crate::{
    condition::Test,
    document::{Condition, Document, Effect, Principal, Set, Statement, account_of},
    pattern::{self, Pattern, Reach},
};

/// Something that is allowed and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadening {
    /// What kind of thing.
    pub kind: Kind,
    /// The statement that allows it, of the new policy; of [`Kind::RemovedDeny`], the one that is gone.
    pub statement: Statement,
    /// The text in that statement that it is about, to find it by: an ARN, an action, a condition's key.
    pub subject: String,
    /// What a person calls the statement: its `Sid` in backticks, or its number.
    label: String,
    sentence: String,
}

/// How a policy became broader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
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

/// Whether two policies allow the same: nothing that the one allows is new to the other.
pub fn is_same_access(one: &Document, other: &Document) -> bool {
    one == other || (broadening(one, other).is_empty() && broadening(other, one).is_empty())
}

/// What `new` allows and `old` does not, in the order of `new`; the denials that are gone come last.
pub fn broadening(old: &Document, new: &Document) -> Vec<Broadening> {
    let old = Sides::of(old);
    let new = Sides::of(new);
    let mut found: Vec<Broadening> = Vec::new();
    for rule in &new.allow {
        for atom in rule.atoms() {
            let reasons = allowed_before(&atom, &old.allow);
            found.extend(reasons.into_iter().map(|reason| reason.told(rule)));
        }
    }
    for rule in &old.deny {
        for atom in rule.atoms() {
            if !new.deny.iter().any(|denial| atom.lies_within(denial)) {
                let subject = atom.actions();
                let sentence = format!("{subject} is no longer denied{}", atom.on());
                let reason = Reason::new(Kind::RemovedDeny, subject, sentence);
                found.push(reason.told(rule));
            }
        }
    }
    let mut told = BTreeSet::new();
    found.retain(|one| told.insert((one.kind, one.to_string())));
    found
}

/// A policy's statements.
struct Sides<'a> {
    allow: Vec<Rule<'a>>,
    deny: Vec<Rule<'a>>,
}

impl<'a> Sides<'a> {
    fn of(document: &'a Document) -> Self {
        let statements = document.statements.iter().enumerate();
        let (allow, deny) = statements
            .map(|(index, statement)| Rule::of(document.label(index), statement))
            .partition(|rule| rule.statement.effect == Effect::Allow);
        Self { allow, deny }
    }
}

/// A statement, read once for any number of comparisons: a stage may have a thousand roles.
struct Rule<'a> {
    /// What a person calls it.
    label: String,
    statement: &'a Statement,
    actions: Words<'a>,
    resources: Option<Words<'a>>,
    conditions: Vec<Test<'a>>,
    /// Of its resources and conditions.
    variables: BTreeSet<String>,
}

impl<'a> Rule<'a> {
    fn of(label: String, statement: &'a Statement) -> Self {
        let resources = statement.resources.as_ref();
        let of_resources = resources.into_iter().flat_map(Set::all);
        let of_conditions = statement.conditions.iter().flat_map(|one| &one.values);
        let texts = of_resources.chain(of_conditions);
        Self {
            label,
            statement,
            actions: Words::of(&statement.actions, Pattern::action),
            resources: resources.map(|set| Words::of(set, Pattern::glob)),
            conditions: statement.conditions.iter().map(Test::of).collect(),
            variables: texts.flat_map(|text| pattern::variables(text)).collect(),
        }
    }

    fn atoms(&self) -> Vec<Atom<'_>> {
        let mut atoms = Vec::new();
        let principals = optional_parts(self.statement.principals.as_ref());
        let resources = optional_parts(self.statement.resources.as_ref());
        for action in parts(&self.statement.actions) {
            for &principal in &principals {
                for &resource in &resources {
                    atoms.push(Atom {
                        rule: self,
                        principal,
                        action,
                        resource,
                    });
                }
            }
        }
        atoms
    }
}

/// The actions or resources of a statement.
struct Words<'a> {
    set: &'a Set<String>,
    read: fn(&str) -> Pattern,
    /// Those that stand for more than themselves.
    wild: Vec<Pattern>,
}

impl<'a> Words<'a> {
    fn of(set: &'a Set<String>, read: fn(&str) -> Pattern) -> Self {
        let wild = set.all().iter().map(|text| read(text));
        Self {
            set,
            read,
            wild: wild.filter(|one| one.only().is_none()).collect(),
        }
    }

    /// Whether those that it names stand for all that `one` does.
    fn cover(&self, one: &str) -> bool {
        if self.set.all().contains(one) {
            return true;
        }
        let pattern = (self.read)(one);
        let covers = |wide: &Pattern| wide.covers(&pattern, Reach::Segment);
        let is_same = |other: &String| {
            other.len() == one.len()
                && other.eq_ignore_ascii_case(one)
                && (self.read)(other) == pattern
        };
        self.wild.iter().any(covers) || self.set.all().iter().any(is_same)
    }

    /// Whether the statement is about all that `part`, of the words `of`, stands for.
    fn take(&self, part: Part<'_, String>, of: &Self) -> bool {
        match (part, self.set) {
            (Part::One(one), Set::Only(_)) => self.cover(one),
            (Part::One(one), Set::Except(but)) => {
                let one = (self.read)(one);
                !but.iter().any(|other| one.overlaps(&(self.read)(other)))
            }
            (Part::Rest, Set::Only(wide)) => wide.contains("*"),
            (Part::Rest, Set::Except(less)) => less.iter().all(|one| of.cover(one)),
        }
    }
}

/// One of those that a statement names, or all but those.
#[derive(Debug)]
enum Part<'a, T> {
    One(&'a T),
    Rest,
}

impl<T> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Part<'_, T> {}

fn parts<T>(set: &Set<T>) -> Vec<Part<'_, T>> {
    match set {
        Set::Only(all) => all.iter().map(Part::One).collect(),
        Set::Except(_) => vec![Part::Rest],
    }
}

fn optional_parts<T>(set: Option<&Set<T>>) -> Vec<Option<Part<'_, T>>> {
    set.map_or_else(
        || vec![None],
        |set| parts(set).into_iter().map(Some).collect(),
    )
}

/// A statement cut down to one principal, one action and one resource, or all but some of each.
#[derive(Clone, Copy)]
struct Atom<'a> {
    rule: &'a Rule<'a>,
    principal: Option<Part<'a, Principal>>,
    action: Part<'a, String>,
    resource: Option<Part<'a, String>>,
}

impl Atom<'_> {
    /// Whether the statement speaks of all that the atom speaks of.
    fn lies_within(&self, rule: &Rule<'_>) -> bool {
        self.actions_within(rule)
            && self.resources_within(rule)
            && self.principals_within(rule)
            && self.missing_conditions(rule).is_empty()
            && self.variables_within(rule)
    }

    fn actions_within(&self, rule: &Rule<'_>) -> bool {
        rule.actions.take(self.action, &self.rule.actions)
    }

    fn resources_within(&self, rule: &Rule<'_>) -> bool {
        match (self.resource, &self.rule.resources, &rule.resources) {
            (_, _, None) => true,
            (Some(part), Some(of), Some(wide)) => wide.take(part, of),
            _ => false,
        }
    }

    /// A variable that AWS cannot resolve may make the whole statement invalid (IAM user guide, "IAM policy elements:
    /// Variables and tags"): one that has others besides may not hold where the atom does.
    fn variables_within(&self, rule: &Rule<'_>) -> bool {
        rule.variables.is_subset(&self.rule.variables)
    }

    fn principals_within(&self, rule: &Rule<'_>) -> bool {
        let wide = match (self.principal, &rule.statement.principals) {
            (_, None) => return true,
            (None, Some(_)) => return false,
            (Some(_), Some(wide)) => wide,
        };
        let named = match (self.principal, wide) {
            (Some(Part::One(one)), Set::Only(wide)) => {
                wide.iter().any(|wide| principal_covers(wide, one))
            }
            (Some(Part::One(one)), Set::Except(but)) => {
                but.iter().all(|other| are_apart(one, other))
            }
            (_, Set::Only(wide)) => wide.iter().any(Principal::is_everybody),
            // Each by its own name: to except an account may not be to except its roles.
            (_, Set::Except(less)) => match &self.rule.statement.principals {
                Some(Set::Except(but)) => less.is_subset(but),
                _ => false,
            },
        };
        named || self.is_named_by_condition(wide)
    }

    /// Whether a condition lets in callers alone that `wide` names: a role by its ARN, or those of an account.
    fn is_named_by_condition(&self, wide: &Set<Principal>) -> bool {
        let Set::Only(wide) = wide else { return false };
        self.admitted().is_some_and(|mut admitted| {
            admitted.all(|(value, pattern)| {
                // Nothing is open of the ARN's first five parts, the account among them.
                let is_open = |part: &str| part.contains(['*', '?', '$']);
                let account =
                    account_of(value).filter(|_| !value.splitn(6, ':').take(5).any(is_open));
                wide.iter().any(|one| match one.account() {
                    Some(whole) => account == Some(whole),
                    None => pattern.only().as_deref() == Some(one.value.as_str()),
                })
            })
        })
    }

    /// The ARNs that a condition asks the caller for, of accounts as a whole or of everybody.
    fn admitted(&self) -> Option<impl Iterator<Item = (&String, Pattern)>> {
        let is_whole = match self.principal {
            Some(Part::One(one)) => one.is_everybody() || one.account().is_some(),
            Some(Part::Rest) => true,
            None => false,
        };
        let statement = self.rule.statement;
        let mut tests = statement.conditions.iter().zip(&self.rule.conditions);
        tests.find_map(|(condition, test)| {
            let is_arn = condition.key.eq_ignore_ascii_case(PRINCIPAL_ARN);
            test.admits().filter(|_| is_arn && is_whole)
        })
    }

    /// The conditions of the statement that the atom does not make sure of.
    fn missing_conditions<'b>(&self, rule: &Rule<'b>) -> Vec<&'b Condition> {
        // The session of a role that is named has the role's ARN.
        let of_role = match self.principal {
            Some(Part::One(one)) if one.kind == "AWS" && one.value.contains(":role/") => {
                account_of(&one.value).map(|_| Condition {
                    operator: "StringEquals".to_owned(),
                    key: PRINCIPAL_ARN.to_owned(),
                    values: BTreeSet::from([one.value.clone()]),
                })
            }
            _ => None,
        };
        let of_role = of_role.as_ref().map(Test::of);
        let made_sure = |old: &Test<'_>| {
            let own = self.rule.conditions.iter().any(|now| now.implies(old));
            own || of_role.as_ref().is_some_and(|now| now.implies(old))
        };
        let conditions = rule.statement.conditions.iter().zip(&rule.conditions);
        conditions
            .filter(|(_, old)| !made_sure(old))
            .map(|(condition, _)| condition)
            .collect()
    }

    fn actions(&self) -> String {
        shown(self.action, self.rule.statement.actions.all())
    }

    fn resources(&self) -> String {
        match (self.resource, &self.rule.statement.resources) {
            (Some(part), Some(set)) => shown(part, set.all()),
            _ => String::new(),
        }
    }

    fn on(&self) -> String {
        match self.resource {
            Some(Part::One(one)) if one == "*" => " on every resource".to_owned(),
            Some(_) => format!(" on {}", self.resources()),
            None => String::new(),
        }
    }

    /// Who is let in, and whether that is more than one.
    fn whom(&self) -> (String, bool) {
        if let Some(admitted) = self.admitted() {
            let values: BTreeSet<String> = admitted.map(|(value, _)| value.clone()).collect();
            let wild = values.iter().any(|one| pattern::is_wild(one));
            return (list(&values), wild);
        }
        match (self.principal, &self.rule.statement.principals) {
            (Some(Part::One(one)), _) => (format!("`{}`", one.value), one.value == "*"),
            (Some(Part::Rest), Some(set)) => {
                let values = set.all().iter().map(|one| one.value.clone()).collect();
                (format!("all but {}", list(&values)), true)
            }
            _ => (String::new(), false),
        }
    }
}

/// The caller's ARN; of the session of a role, the role's (IAM user guide, "AWS global condition context keys").
const PRINCIPAL_ARN: &str = "aws:PrincipalArn";

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

    fn told(self, rule: &Rule<'_>) -> Broadening {
        Broadening {
            kind: self.kind,
            statement: rule.statement.clone(),
            subject: self.subject.trim_matches('`').to_owned(),
            label: rule.label.clone(),
            sentence: self.sentence,
        }
    }
}

/// Nothing where one of the old statements allows it; otherwise what none of them has.
fn allowed_before(atom: &Atom<'_>, old: &[Rule<'_>]) -> Vec<Reason> {
    if old.iter().any(|one| atom.lies_within(one)) {
        return Vec::new();
    }
    let of_principal = || old.iter().filter(|one| atom.principals_within(one));
    let of_action = || of_principal().filter(|one| atom.actions_within(one));
    let of_resource = || of_action().filter(|one| atom.resources_within(one));
    // The old statement that comes nearest: the one that asks for the least more.
    let nearest = of_resource()
        .map(|one| (one, atom.missing_conditions(one)))
        .min_by_key(|(_, missing)| missing.len());
    if let Some((rule, missing)) = nearest {
        if missing.is_empty() {
            let other: Vec<&String> = rule.variables.difference(&atom.rule.variables).collect();
            let names = list(&other.into_iter().cloned().collect());
            let sentence = format!("it no longer depends on the policy variable {names}");
            return vec![Reason::new(Kind::DroppedCondition, names, sentence)];
        }
        return missing
            .into_iter()
            .map(|condition| dropped(atom, condition))
            .collect();
    }
    let action = atom.actions();
    let is_wild = |part: Part<'_, String>| match part {
        Part::One(one) => pattern::is_wild(one),
        Part::Rest => true,
    };
    vec![if of_principal().next().is_none() {
        new_principal(atom)
    } else if of_action().next().is_none() {
        let sentence = format!("{action} is allowed{}", atom.on());
        let kind = or_wildcard(Kind::NewAction, is_wild(atom.action));
        Reason::new(kind, action, sentence)
    } else {
        let sentence = format!("{action} is allowed{}", atom.on());
        let assumes =
            matches!(atom.action, Part::One(one) if one.eq_ignore_ascii_case("sts:AssumeRole"));
        let kind = if assumes {
            Kind::NewTarget
        } else {
            Kind::NewResource
        };
        let kind = or_wildcard(kind, atom.resource.is_some_and(is_wild));
        Reason::new(kind, atom.resources(), sentence)
    }]
}

fn new_principal(atom: &Atom<'_>) -> Reason {
    let (whom, wild) = atom.whom();
    let sentence = format!("{whom} may do {}{}", atom.actions(), atom.on());
    Reason::new(or_wildcard(Kind::NewPrincipal, wild), whom, sentence)
}

fn or_wildcard(kind: Kind, wild: bool) -> Kind {
    if wild { Kind::Wildcard } else { kind }
}

fn dropped(atom: &Atom<'_>, old: &Condition) -> Reason {
    let key = &old.key;
    let values = list(&old.values);
    let is_principal = key.eq_ignore_ascii_case(PRINCIPAL_ARN);
    let conditions = &atom.rule.statement.conditions;
    let still = conditions
        .iter()
        .find(|one| one.key.eq_ignore_ascii_case(key));
    if let Some(now) = still {
        let sentence = format!(
            "the condition on `{key}` was `{}` {values} and is `{}` {}",
            old.operator,
            now.operator,
            list(&now.values)
        );
        let kind = match atom.whom() {
            (_, wild) if is_principal => or_wildcard(Kind::NewPrincipal, wild),
            _ => Kind::LoosenedCondition,
        };
        return Reason::new(kind, key, sentence);
    }
    if is_principal {
        return new_principal(atom);
    }
    if key.eq_ignore_ascii_case("sts:ExternalId") {
        let sentence = format!("the external ID {values} is no longer asked for (`{key}`)");
        return Reason::new(Kind::DroppedExternalId, key, sentence);
    }
    let sentence = format!("the condition `{}` `{key}` {values} is gone", old.operator);
    Reason::new(Kind::DroppedCondition, key, sentence)
}

fn principal_covers(wide: &Principal, narrow: &Principal) -> bool {
    if wide.is_everybody() || wide == narrow {
        return true;
    }
    match wide.account() {
        Some(account) => {
            let of_narrow = narrow.account().or_else(|| account_of(&narrow.value));
            narrow.kind == "AWS" && of_narrow == Some(account)
        }
        None => false,
    }
}

/// Whether nobody is both.
fn are_apart(one: &Principal, other: &Principal) -> bool {
    if one.is_everybody() || other.is_everybody() {
        return false;
    }
    // A role or a user, which IAM knows by this name alone.
    let is_single = |one: &Principal| {
        one.value.contains(":iam:")
            && (one.value.contains(":role/") || one.value.contains(":user/"))
    };
    let account = |one: &Principal| {
        let account = one.account().or_else(|| account_of(&one.value));
        account.map(ToOwned::to_owned)
    };
    match (one.kind.as_str(), other.kind.as_str()) {
        ("Service", "Service") => one.value != other.value,
        ("Service", "AWS") | ("AWS", "Service") => true,
        ("AWS", "AWS") => match (account(one), account(other)) {
            (Some(one_account), Some(other_account)) => {
                one_account != other_account
                    || (is_single(one) && is_single(other) && one.value != other.value)
            }
            _ => false,
        },
        _ => false,
    }
}

fn shown(part: Part<'_, String>, all: &BTreeSet<String>) -> String {
    match part {
        Part::One(one) => format!("`{one}`"),
        Part::Rest => format!("all but {}", list(all)),
    }
}

fn list(all: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
    quoted.join(", ")
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
