//! Finds what one policy allows and another does not.
//!
//! Statements are compared by meaning: splitting, reordering, renaming or narrowing them is not new access. If the result
//! is uncertain, such as for two patterns that partly overlap, it counts as new access.

use std::{collections::BTreeSet, fmt};

use crate::{
    condition::ParsedCondition,
    document::{Condition, Document, Effect, Principal, Set, Statement, account_of},
    pattern::{self, Pattern, StarReach},
};

/// Something that the new policy allows and the old policy does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccess {
    /// The kind of change.
    pub kind: NewAccessKind,
    /// The statement of the new policy that allows it. For [`NewAccessKind::RemovedDeny`], the removed statement.
    pub statement: Statement,
    /// The string in the statement that allows it: an ARN, an action or a condition key.
    pub subject: String,
    /// The name of the statement, like [`Document::label`].
    label: String,
    sentence: String,
}

/// A kind of new access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NewAccessKind {
    /// A wildcard, or a negated element such as `NotAction`.
    Wildcard,
    /// Another principal is trusted.
    NewPrincipal,
    /// Another role may be assumed.
    NewTarget,
    /// Another action is allowed.
    NewAction,
    /// Another resource is allowed.
    NewResource,
    /// An external ID is no longer required.
    DroppedExternalId,
    /// Another condition was removed.
    DroppedCondition,
    /// A condition accepts other values.
    LoosenedCondition,
    /// A `Deny` statement was removed.
    RemovedDeny,
}

impl fmt::Display for NewAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}: {}", self.label, self.sentence)
    }
}

/// Returns true if neither policy allows anything that the other does not.
pub fn is_same_access(one: &Document, other: &Document) -> bool {
    one == other || (new_access(one, other).is_empty() && new_access(other, one).is_empty())
}

/// Finds what `new` allows and `old` does not, in the order of the statements of `new`. Removed `Deny` statements come last.
///
/// ```
/// use iam_policy::{Document, NewAccessKind, Statement, new_access};
///
/// let policy = |external_id: Option<&str>| {
///     let statement = Statement::allow("Trust", ["sts:AssumeRole"]).for_principal("AWS", "111111111111");
///     Document::new(vec![match external_id {
///         Some(id) => statement.when("StringEquals", "sts:ExternalId", id),
///         None => statement,
///     }])
/// };
/// let found = new_access(&policy(Some("audit")), &policy(None));
/// assert_eq!(found[0].kind, NewAccessKind::DroppedExternalId);
/// assert_eq!(
///     found[0].to_string(),
///     "statement `Trust`: the external ID `audit` is no longer required (`sts:ExternalId`)"
/// );
/// // Requiring an external ID is not new access.
/// assert!(new_access(&policy(None), &policy(Some("audit"))).is_empty());
/// ```
pub fn new_access(old: &Document, new: &Document) -> Vec<NewAccess> {
    let (old_allow, old_deny) = compile(old);
    let (new_allow, new_deny) = compile(new);
    let mut found: Vec<NewAccess> = Vec::new();
    for rule in &new_allow {
        for atom in rule.atoms() {
            let reasons = missing_in(&old_allow, &atom);
            found.extend(reasons.into_iter().map(|reason| reason.in_statement(rule)));
        }
    }
    for rule in &old_deny {
        for atom in rule.atoms() {
            if !new_deny.iter().any(|denial| atom.is_within(denial)) {
                let subject = atom.actions();
                let sentence = format!("{subject} is no longer denied{}", atom.on());
                let reason = Reason::new(NewAccessKind::RemovedDeny, subject, sentence);
                found.push(reason.in_statement(rule));
            }
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert((one.kind, one.to_string())));
    found
}

/// Prepares the statements of a policy: those that allow, and those that deny.
fn compile(document: &Document) -> (Vec<Rule<'_>>, Vec<Rule<'_>>) {
    let statements = document.statements.iter().enumerate();
    statements
        .map(|(index, statement)| Rule::of(document.label(index), statement))
        .partition(|rule| rule.statement.effect == Effect::Allow)
}

/// A statement, parsed once for any number of comparisons.
struct Rule<'a> {
    label: String,
    statement: &'a Statement,
    actions: Patterns<'a>,
    resources: Option<Patterns<'a>>,
    conditions: Vec<ParsedCondition<'a>>,
    /// The policy variables in its resources and conditions.
    variables: BTreeSet<String>,
}

impl<'a> Rule<'a> {
    fn of(label: String, statement: &'a Statement) -> Self {
        let resources = statement.resources.as_ref();
        let of_resources = resources.into_iter().flat_map(Set::listed);
        let of_conditions = statement.conditions.iter().flat_map(|one| &one.values);
        let texts = of_resources.chain(of_conditions);
        Self {
            label,
            statement,
            actions: Patterns::of(&statement.actions, Pattern::action),
            resources: resources.map(|set| Patterns::of(set, Pattern::glob)),
            conditions: statement
                .conditions
                .iter()
                .map(ParsedCondition::of)
                .collect(),
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
struct Patterns<'a> {
    set: &'a Set<String>,
    parse: fn(&str) -> Pattern,
    /// The patterns that may match more than one text.
    wild: Vec<Pattern>,
}

impl<'a> Patterns<'a> {
    fn of(set: &'a Set<String>, parse: fn(&str) -> Pattern) -> Self {
        let wild = set.listed().iter().map(|text| parse(text));
        Self {
            set,
            parse,
            wild: wild.filter(|one| one.as_literal().is_none()).collect(),
        }
    }

    /// Returns true if the listed patterns match all that `one` matches.
    fn cover(&self, one: &str) -> bool {
        if self.set.listed().contains(one) {
            return true;
        }
        let pattern = (self.parse)(one);
        let covers = |wide: &Pattern| wide.covers(&pattern, StarReach::WithinSegment);
        let is_same = |other: &String| {
            other.len() == one.len()
                && other.eq_ignore_ascii_case(one)
                && (self.parse)(other) == pattern
        };
        self.wild.iter().any(covers) || self.set.listed().iter().any(is_same)
    }

    /// Returns true if the element matches all that `part` of the element `of` matches.
    fn include(&self, part: Part<'_, String>, of: &Self) -> bool {
        match (part, self.set) {
            (Part::Listed(one), Set::Only(_)) => self.cover(one),
            (Part::Listed(one), Set::Except(excluded)) => {
                let one = (self.parse)(one);
                !excluded
                    .iter()
                    .any(|other| one.overlaps(&(self.parse)(other)))
            }
            (Part::AllOthers, Set::Only(wide)) => wide.contains("*"),
            (Part::AllOthers, Set::Except(less)) => less.iter().all(|one| of.cover(one)),
        }
    }
}

/// One listed value of an element, or everything except the listed values.
#[derive(Debug)]
enum Part<'a, T> {
    Listed(&'a T),
    AllOthers,
}

impl<T> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Part<'_, T> {}

fn parts<T>(set: &Set<T>) -> Vec<Part<'_, T>> {
    match set {
        Set::Only(all) => all.iter().map(Part::Listed).collect(),
        Set::Except(_) => vec![Part::AllOthers],
    }
}

fn optional_parts<T>(set: Option<&Set<T>>) -> Vec<Option<Part<'_, T>>> {
    set.map_or_else(
        || vec![None],
        |set| parts(set).into_iter().map(Some).collect(),
    )
}

/// One principal, one action and one resource of a statement.
#[derive(Clone, Copy)]
struct Atom<'a> {
    rule: &'a Rule<'a>,
    principal: Option<Part<'a, Principal>>,
    action: Part<'a, String>,
    resource: Option<Part<'a, String>>,
}

impl Atom<'_> {
    /// Returns true if `rule` matches every request that the atom matches.
    fn is_within(&self, rule: &Rule<'_>) -> bool {
        self.actions_within(rule)
            && self.resources_within(rule)
            && self.principals_within(rule)
            && self.missing_conditions(rule).is_empty()
            && self.variables_within(rule)
    }

    fn actions_within(&self, rule: &Rule<'_>) -> bool {
        rule.actions.include(self.action, &self.rule.actions)
    }

    fn resources_within(&self, rule: &Rule<'_>) -> bool {
        match (self.resource, &self.rule.resources, &rule.resources) {
            (_, _, None) => true,
            (Some(part), Some(of), Some(wide)) => wide.include(part, of),
            _ => false,
        }
    }

    /// A variable that AWS cannot resolve may invalidate the whole statement (IAM user guide, "IAM policy elements:
    /// Variables and tags"), so a rule with additional variables may not match.
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
            (Some(Part::Listed(one)), Set::Only(wide)) => {
                wide.iter().any(|wide| principal_covers(wide, one))
            }
            (Some(Part::Listed(one)), Set::Except(excluded)) => {
                excluded.iter().all(|other| are_disjoint(one, other))
            }
            (_, Set::Only(wide)) => wide.iter().any(Principal::is_everyone),
            // By name: excluding an account may not exclude its roles.
            (_, Set::Except(less)) => match &self.rule.statement.principals {
                Some(Set::Except(excluded)) => less.is_subset(excluded),
                _ => false,
            },
        };
        named || self.is_limited_by_condition(wide)
    }

    /// Returns true if a condition admits only callers that `wide` lists: a role by its ARN, or the callers of an account.
    fn is_limited_by_condition(&self, wide: &Set<Principal>) -> bool {
        let Set::Only(wide) = wide else { return false };
        self.caller_arns().is_some_and(|mut arns| {
            arns.all(|(value, pattern)| {
                // The first five segments of the ARN, including the account, must be literal.
                let is_open = |part: &str| part.contains(['*', '?', '$']);
                let account =
                    account_of(value).filter(|_| !value.splitn(6, ':').take(5).any(is_open));
                wide.iter().any(|one| match one.account() {
                    Some(whole) => account == Some(whole),
                    None => pattern.as_literal().as_deref() == Some(one.value.as_str()),
                })
            })
        })
    }

    /// The caller ARNs that a condition allows, for a principal that is a whole account or everyone.
    fn caller_arns(&self) -> Option<impl Iterator<Item = (&String, Pattern)>> {
        let is_whole = match self.principal {
            Some(Part::Listed(one)) => one.is_everyone() || one.account().is_some(),
            Some(Part::AllOthers) => true,
            None => false,
        };
        let statement = self.rule.statement;
        let mut tests = statement.conditions.iter().zip(&self.rule.conditions);
        tests.find_map(|(condition, test)| {
            let is_arn = condition.key.eq_ignore_ascii_case(PRINCIPAL_ARN);
            test.allowed_values().filter(|_| is_arn && is_whole)
        })
    }

    /// The conditions of `rule` that the atom does not imply.
    fn missing_conditions<'b>(&self, rule: &Rule<'b>) -> Vec<&'b Condition> {
        // A listed role implies a condition on its ARN.
        let of_role = match self.principal {
            Some(Part::Listed(one)) if one.kind == "AWS" && one.value.contains(":role/") => {
                account_of(&one.value).map(|_| Condition {
                    operator: "StringEquals".to_owned(),
                    key: PRINCIPAL_ARN.to_owned(),
                    values: BTreeSet::from([one.value.clone()]),
                })
            }
            _ => None,
        };
        let of_role = of_role.as_ref().map(ParsedCondition::of);
        let is_implied = |old: &ParsedCondition<'_>| {
            let own = self.rule.conditions.iter().any(|now| now.implies(old));
            own || of_role.as_ref().is_some_and(|now| now.implies(old))
        };
        let conditions = rule.statement.conditions.iter().zip(&rule.conditions);
        conditions
            .filter(|(_, old)| !is_implied(old))
            .map(|(condition, _)| condition)
            .collect()
    }

    fn actions(&self) -> String {
        match self.action {
            Part::Listed(one) => format!("`{one}`"),
            Part::AllOthers => {
                let excluded = list(self.rule.statement.actions.listed());
                format!("every action except {excluded}")
            }
        }
    }

    fn resources(&self) -> String {
        match (self.resource, &self.rule.statement.resources) {
            (Some(Part::Listed(one)), _) => format!("`{one}`"),
            (Some(Part::AllOthers), Some(set)) => {
                format!("all resources except {}", list(set.listed()))
            }
            _ => String::new(),
        }
    }

    fn on(&self) -> String {
        match self.resource {
            Some(Part::Listed(one)) if one == "*" => " on all resources".to_owned(),
            Some(_) => format!(" on {}", self.resources()),
            None => String::new(),
        }
    }

    /// The principal in messages, and whether it is a wildcard.
    fn principal_label(&self) -> (String, bool) {
        if let Some(arns) = self.caller_arns() {
            let values: BTreeSet<String> = arns.map(|(value, _)| value.clone()).collect();
            let wild = values.iter().any(|one| pattern::is_wild(one));
            return (list(&values), wild);
        }
        match (self.principal, &self.rule.statement.principals) {
            (Some(Part::Listed(one)), _) => (format!("`{}`", one.value), one.value == "*"),
            (Some(Part::AllOthers), Some(set)) => {
                let values = set.listed().iter().map(|one| one.value.clone()).collect();
                (format!("everyone except {}", list(&values)), true)
            }
            _ => (String::new(), false),
        }
    }
}

/// The ARN of the caller. For a session, the ARN of its role (IAM user guide, "AWS global condition context keys").
const PRINCIPAL_ARN: &str = "aws:PrincipalArn";

/// A finding, before its statement is attached.
struct Reason {
    kind: NewAccessKind,
    subject: String,
    sentence: String,
}

impl Reason {
    fn new(kind: NewAccessKind, subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            sentence: sentence.into(),
        }
    }

    fn in_statement(self, rule: &Rule<'_>) -> NewAccess {
        NewAccess {
            kind: self.kind,
            statement: rule.statement.clone(),
            subject: self.subject.trim_matches('`').to_owned(),
            label: rule.label.clone(),
            sentence: self.sentence,
        }
    }
}

/// Explains why no statement of `old` allows the atom. Empty if one does.
fn missing_in(old: &[Rule<'_>], atom: &Atom<'_>) -> Vec<Reason> {
    if old.iter().any(|one| atom.is_within(one)) {
        return Vec::new();
    }
    let of_principal = || old.iter().filter(|one| atom.principals_within(one));
    let of_action = || of_principal().filter(|one| atom.actions_within(one));
    let of_resource = || of_action().filter(|one| atom.resources_within(one));
    // The closest statement is the one with the fewest additional conditions.
    let nearest = of_resource()
        .map(|one| (one, atom.missing_conditions(one)))
        .min_by_key(|(_, missing)| missing.len());
    if let Some((rule, missing)) = nearest {
        if missing.is_empty() {
            let other: Vec<&String> = rule.variables.difference(&atom.rule.variables).collect();
            let names = list(&other.into_iter().cloned().collect());
            let sentence = format!("it no longer depends on the policy variable {names}");
            return vec![Reason::new(
                NewAccessKind::DroppedCondition,
                names,
                sentence,
            )];
        }
        return missing
            .into_iter()
            .map(|condition| lost_condition(atom, condition))
            .collect();
    }
    let action = atom.actions();
    let is_wild = |part: Part<'_, String>| match part {
        Part::Listed(one) => pattern::is_wild(one),
        Part::AllOthers => true,
    };
    vec![if of_principal().next().is_none() {
        new_principal(atom)
    } else if of_action().next().is_none() {
        let sentence = format!("{action} is allowed{}", atom.on());
        let kind = or_wildcard(NewAccessKind::NewAction, is_wild(atom.action));
        Reason::new(kind, action, sentence)
    } else {
        let sentence = format!("{action} is allowed{}", atom.on());
        let assumes =
            matches!(atom.action, Part::Listed(one) if one.eq_ignore_ascii_case("sts:AssumeRole"));
        let kind = if assumes {
            NewAccessKind::NewTarget
        } else {
            NewAccessKind::NewResource
        };
        let kind = or_wildcard(kind, atom.resource.is_some_and(is_wild));
        Reason::new(kind, atom.resources(), sentence)
    }]
}

fn new_principal(atom: &Atom<'_>) -> Reason {
    let (whom, wild) = atom.principal_label();
    let sentence = format!("{whom} is allowed {}{}", atom.actions(), atom.on());
    Reason::new(
        or_wildcard(NewAccessKind::NewPrincipal, wild),
        whom,
        sentence,
    )
}

fn or_wildcard(kind: NewAccessKind, wild: bool) -> NewAccessKind {
    if wild { NewAccessKind::Wildcard } else { kind }
}

fn lost_condition(atom: &Atom<'_>, old: &Condition) -> Reason {
    let key = &old.key;
    let values = list(&old.values);
    let is_principal = key.eq_ignore_ascii_case(PRINCIPAL_ARN);
    let conditions = &atom.rule.statement.conditions;
    let still = conditions
        .iter()
        .find(|one| one.key.eq_ignore_ascii_case(key));
    if let Some(now) = still {
        let sentence = format!(
            "the condition on `{key}` changed from `{}` {values} to `{}` {}",
            old.operator,
            now.operator,
            list(&now.values)
        );
        let kind = match atom.principal_label() {
            (_, wild) if is_principal => or_wildcard(NewAccessKind::NewPrincipal, wild),
            _ => NewAccessKind::LoosenedCondition,
        };
        return Reason::new(kind, key, sentence);
    }
    if is_principal {
        return new_principal(atom);
    }
    if key.eq_ignore_ascii_case("sts:ExternalId") {
        let sentence = format!("the external ID {values} is no longer required (`{key}`)");
        return Reason::new(NewAccessKind::DroppedExternalId, key, sentence);
    }
    let sentence = format!(
        "the condition on `{key}` (`{}` {values}) was removed",
        old.operator
    );
    Reason::new(NewAccessKind::DroppedCondition, key, sentence)
}

fn principal_covers(wide: &Principal, narrow: &Principal) -> bool {
    if wide.is_everyone() || wide == narrow {
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

/// Returns true if no caller is both.
fn are_disjoint(one: &Principal, other: &Principal) -> bool {
    if one.is_everyone() || other.is_everyone() {
        return false;
    }
    // A single role or user.
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

fn list(all: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `Allow` statement with these elements.
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
        Document::parse(&text).unwrap()
    }

    fn kinds(old: &[String], new: &[String]) -> Vec<NewAccessKind> {
        let found = new_access(&document(old), &document(new));
        found.into_iter().map(|one| one.kind).collect()
    }

    fn messages(old: &[String], new: &[String]) -> Vec<String> {
        let found = new_access(&document(old), &document(new));
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
            messages(&[allow(ROLE)], &[allow(roles)]),
            ["statement `One`: `sts:AssumeRole` is allowed on `arn:aws:iam::333333333333:role/R`"]
        );
        assert_eq!(
            kinds(&[allow(ROLE)], &[allow(roles)]),
            [NewAccessKind::NewTarget]
        );
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
                [NewAccessKind::Wildcard],
                "{more}"
            );
            assert_eq!(kinds(&[allow(more)], &[allow(ROLE)]), [], "{more}");
        }
        let anybody = allow(r#""Action":"sts:AssumeRole","Principal":"*""#);
        assert_eq!(
            kinds(&[allow(TRUST)], &[anybody]),
            [NewAccessKind::Wildcard]
        );
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
            assert_eq!(
                kinds(&old, &of(other)),
                [NewAccessKind::NewPrincipal],
                "{other}"
            );
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

    /// An account with a condition on the ARN of a role is equivalent to the role.
    #[test]
    fn both_forms_of_trust_are_equivalent() {
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
        assert_eq!(kinds(&same, &other), [NewAccessKind::NewPrincipal]);
        let any =
            by_account(r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#);
        assert_eq!(kinds(&same, &any), [NewAccessKind::Wildcard]);
        let absent = by_account(
            r#"{"ArnEqualsIfExists":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/E"}}"#,
        );
        assert_eq!(kinds(&same, &absent), [NewAccessKind::NewPrincipal]);
    }

    #[test]
    fn conditions() {
        let both = trust(r#"{"StringEquals":{"sts:ExternalId":"a","aws:PrincipalOrgID":"o"}}"#);
        let external = trust(r#"{"StringEquals":{"sts:ExternalId":"a"}}"#);
        let organization = trust(r#"{"StringEquals":{"aws:principalorgid":"o"}}"#);
        assert_eq!(kinds(&both, &external), [NewAccessKind::DroppedCondition]);
        assert_eq!(
            kinds(&both, &organization),
            [NewAccessKind::DroppedExternalId]
        );
        assert_eq!(
            kinds(&both, &[allow(TRUST)]),
            [
                NewAccessKind::DroppedCondition,
                NewAccessKind::DroppedExternalId
            ]
        );
        assert_eq!(kinds(&external, &both), []);
        assert_eq!(
            messages(&external, &[allow(TRUST)]),
            ["statement `One`: the external ID `a` is no longer required (`sts:ExternalId`)"]
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
                [NewAccessKind::LoosenedCondition],
                "{looser:?}"
            );
            assert_eq!(kinds(&looser, &looser), []);
        }
        let like = trust(r#"{"StringLike":{"sts:ExternalId":"a*"}}"#);
        assert_eq!(kinds(&like, &external), []);
        let not = trust(r#"{"StringNotEquals":{"sts:ExternalId":"a"}}"#);
        let neither = trust(r#"{"StringNotEquals":{"sts:ExternalId":["a","b"]}}"#);
        assert_eq!(kinds(&not, &neither), []);
        assert_eq!(kinds(&neither, &not), [NewAccessKind::LoosenedCondition]);
        // To `StringEquals`, `*` is an ordinary character.
        let star = trust(r#"{"StringEquals":{"sts:ExternalId":"*"}}"#);
        assert_eq!(kinds(&star, &external), [NewAccessKind::LoosenedCondition]);
    }

    #[test]
    fn actions_and_denials() {
        let list = allow(r#""Action":"s3:ListAllMyBuckets","Resource":"*""#);
        let read = allow(r#""Action":["s3:listallmybuckets","s3:GetObject"],"Resource":"*""#);
        assert_eq!(
            messages(std::slice::from_ref(&list), std::slice::from_ref(&read)),
            ["statement `One`: `s3:GetObject` is allowed on all resources"]
        );
        let no = deny(r#""Action":"s3:GetObject","Resource":"*""#);
        let narrower = deny(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#);
        let wider = deny(r#""Action":"s3:Get*","Resource":"*""#);
        let with = |denial: &String| [list.clone(), denial.clone()];
        assert_eq!(
            kinds(&with(&no), std::slice::from_ref(&list)),
            [NewAccessKind::RemovedDeny]
        );
        assert_eq!(
            kinds(&with(&no), &with(&narrower)),
            [NewAccessKind::RemovedDeny]
        );
        assert_eq!(kinds(&with(&no), &with(&wider)), []);
        assert_eq!(kinds(std::slice::from_ref(&list), &with(&no)), []);
        let conditional = deny(
            r#""Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#,
        );
        assert_eq!(
            kinds(&with(&no), &with(&conditional)),
            [NewAccessKind::RemovedDeny]
        );
        assert_eq!(kinds(&with(&conditional), &with(&no)), []);
    }

    /// Splitting, reordering and renaming statements is not new access.
    #[test]
    fn how_statements_are_split_does_not_matter() {
        let one = allow(r#""Action":["a:B","a:C"],"Resource":["x","y"]"#);
        let two = [
            r#"{"Effect":"Allow","Action":"a:c","Resource":["y","x"]}"#.to_owned(),
            r#"{"Effect":"Allow","Action":"A:B","Resource":"x"}"#.to_owned(),
            r#"{"Effect":"Allow","Action":"a:b","Resource":"y"}"#.to_owned(),
        ];
        assert_eq!(kinds(std::slice::from_ref(&one), &two), []);
        assert_eq!(kinds(&two, std::slice::from_ref(&one)), []);
        assert_eq!(kinds(&two[..2], &[one]), [NewAccessKind::NewResource]);
    }
}
