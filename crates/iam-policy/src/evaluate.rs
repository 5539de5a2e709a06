//! Whether a policy allows something, as far as that can be told from the policy alone.
//!
//! Three answers, since a condition may ask for what only AWS knows at the time. What is *not* here: other policies of
//! the same role, its permissions boundary, service and resource control policies, session policies; any of them may
//! still deny what is allowed here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    condition::Test,
    document::{Condition, Document, Effect, Principal, Set, Statement, account_of},
    pattern::{Pattern, Reach},
};

/// A request to ask a policy about.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What is to be done, such as `sts:AssumeRole`.
    pub action: &'a str,
    /// On what: its ARN, or `*` for what has none. A trust policy is of the role itself, and asks for nothing here.
    pub resource: Option<&'a str>,
    /// Who: of a role its ARN, of a service its name. A policy that is the caller's own asks for nothing here.
    pub caller: Option<Caller<'a>>,
    /// What is known of the request, by condition key.
    pub facts: Facts,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// A role, or a session of it.
    Role(&'a str),
    /// A service of AWS.
    Service(&'a str),
}

/// What is known of a request, by condition key in lower case; of every other key nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, Option<String>>);

impl Facts {
    /// The key has this value, or is known not to be in the request: `sts:ExternalId` where none is passed.
    #[must_use]
    pub fn with(mut self, key: &str, value: Option<&str>) -> Self {
        let value = value.map(ToOwned::to_owned);
        self.0.insert(key.to_ascii_lowercase(), value);
        self
    }
}

/// What a policy says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A statement allows it, and none denies it.
    Yes,
    /// A statement denies it, which it is called by.
    Denied(String),
    /// No statement allows it: why each `Allow` does not, in their order.
    No(Vec<Miss>),
    /// It depends on what is not known: condition keys, sorted, and what else cannot be told from here.
    CannotTell(BTreeSet<String>),
}

/// Why a statement does not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// What the statement is called: its `Sid` in backticks, or its number.
    pub statement: String,
    /// Everything about it that does not fit.
    pub because: Vec<Mismatch>,
}

/// Something in a statement that does not fit a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It is about other actions.
    Action,
    /// It is about other resources.
    Resource,
    /// It is for others.
    Principal,
    /// It is for one who has been deleted: IAM shows the unique id that it keeps in place of the ARN.
    DeletedPrincipal(String),
    /// A condition does not hold.
    Condition(Condition),
}

/// What a policy says of a request.
pub fn evaluate(document: &Document, request: &Request<'_>) -> Answer {
    let mut allowed = false;
    let mut unknown = BTreeSet::new();
    let mut misses = Vec::new();
    for (index, statement) in document.statements.iter().enumerate() {
        let applies = applies(statement, request);
        match (statement.effect, applies) {
            (Effect::Deny, Applies::Yes) => return Answer::Denied(document.label(index)),
            (Effect::Allow, Applies::Yes) => allowed = true,
            (_, Applies::CannotTell(of)) => {
                // Where it is allowed anyhow, what else might allow it does not matter.
                unknown.extend(of.into_iter().map(|what| (statement.effect, what)));
            }
            (Effect::Allow, Applies::No(because)) => misses.push(Miss {
                statement: document.label(index),
                because,
            }),
            (Effect::Deny, Applies::No(_)) => {}
        }
    }
    let matters: BTreeSet<String> = unknown
        .into_iter()
        .filter(|(effect, _)| !allowed || *effect == Effect::Deny)
        .map(|(_, what)| what)
        .collect();
    let none_can_allow = misses.len() == count(document, Effect::Allow);
    if none_can_allow {
        Answer::No(misses)
    } else if matters.is_empty() {
        Answer::Yes
    } else {
        Answer::CannotTell(matters)
    }
}

fn count(document: &Document, effect: Effect) -> usize {
    let of = |statement: &&Statement| statement.effect == effect;
    document.statements.iter().filter(of).count()
}

/// Whether a statement is about a request.
enum Applies {
    Yes,
    No(Vec<Mismatch>),
    CannotTell(BTreeSet<String>),
}

/// Yes, no, or what it depends on.
enum Holds {
    Yes,
    No,
    CannotTell(String),
}

impl Holds {
    fn known(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn from(holds: Option<bool>, what: impl FnOnce() -> String) -> Self {
        holds.map_or_else(|| Self::CannotTell(what()), Self::known)
    }

    /// Of "all but".
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            unknown @ Self::CannotTell(_) => unknown,
        }
    }

    fn any(all: impl IntoIterator<Item = Self>) -> Self {
        let mut outcome = Self::No;
        for one in all {
            match one {
                Self::Yes => return Self::Yes,
                Self::CannotTell(_) => outcome = one,
                Self::No => {}
            }
        }
        outcome
    }
}

fn applies(statement: &Statement, request: &Request<'_>) -> Applies {
    let mut because = Vec::new();
    let mut unknown = BTreeSet::new();
    let mut take = |holds: Holds, mismatch: Mismatch| match holds {
        Holds::Yes => {}
        Holds::No => because.push(mismatch),
        Holds::CannotTell(what) => {
            unknown.insert(what);
        }
    };
    let action = request.action.to_ascii_lowercase();
    let named = in_set(&statement.actions, |one| {
        Holds::from(Pattern::action(one).matches(&action, Reach::Free), || {
            one.clone()
        })
    });
    take(named, Mismatch::Action);
    if let (Some(set), Some(resource)) = (&statement.resources, request.resource) {
        let named = in_set(set, |one| {
            let pattern = Pattern::glob(one);
            Holds::from(pattern.matches(resource, Reach::Segment), || {
                if pattern.has_variables() {
                    format!("policy variables in `{one}`")
                } else {
                    format!("how far a `*` reaches in `{one}`")
                }
            })
        });
        take(named, Mismatch::Resource);
    }
    if let (Some(set), Some(caller)) = (&statement.principals, request.caller) {
        let mismatch = deleted(set).unwrap_or(Mismatch::Principal);
        take(names(set, caller), mismatch);
    }
    for condition in &statement.conditions {
        let fact = request.facts.0.get(&condition.key.to_ascii_lowercase());
        let holds = fact.and_then(|fact| Test::of(condition).holds(fact.as_deref()));
        take(
            Holds::from(holds, || condition.key.clone()),
            Mismatch::Condition(condition.clone()),
        );
    }
    match (because.is_empty(), unknown.is_empty()) {
        (false, _) => Applies::No(because),
        (true, false) => Applies::CannotTell(unknown),
        (true, true) => Applies::Yes,
    }
}

fn in_set<T>(set: &Set<T>, is: impl Fn(&T) -> Holds) -> Holds {
    match set {
        Set::Only(all) => Holds::any(all.iter().map(is)),
        Set::Except(all) => Holds::any(all.iter().map(is)).not(),
    }
}

fn names(set: &Set<Principal>, caller: Caller<'_>) -> Holds {
    let is_listed = in_set(set, |one| is_principal(one, caller));
    let (Set::Except(all), Caller::Role(_), Holds::No) = (set, caller, &is_listed) else {
        return is_listed;
    };
    if all.iter().any(Principal::is_everybody) {
        return Holds::No;
    }
    // The account, the role and the session must be excepted, each by itself, and what the session is called is not
    // known (IAM user guide, "AWS JSON policy elements: NotPrincipal").
    Holds::CannotTell("whether `NotPrincipal` names the role's session and account too".to_owned())
}

fn is_principal(principal: &Principal, caller: Caller<'_>) -> Holds {
    let value = principal.value.as_str();
    match (principal.kind.as_str(), caller) {
        _ if principal.is_everybody() => Holds::Yes,
        ("Service", Caller::Service(name)) => Holds::known(value == name),
        ("AWS", Caller::Role(arn)) => {
            let account = account_of(arn);
            if principal.account().is_some() {
                return Holds::known(principal.account() == account);
            }
            if value.contains(":assumed-role/") && account_of(value) == account {
                return Holds::CannotTell(format!("the name of the session (`{value}`)"));
            }
            Holds::known(value == arn)
        }
        _ => Holds::No,
    }
}

/// IAM keeps a role or a user by its unique id, and shows that where there is no such role or user any more (IAM user
/// guide, "AWS JSON policy elements: Principal").
fn deleted(set: &Set<Principal>) -> Option<Mismatch> {
    let Set::Only(all) = set else { return None };
    let is_id = |text: &str| {
        ["AROA", "AIDA"].iter().any(|kind| text.starts_with(kind)) && !text.contains(':')
    };
    let gone = all.iter().find(|one| is_id(&one.value))?;
    Some(Mismatch::DeletedPrincipal(gone.value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION_ROLE: &str = "arn:aws:iam::111111111111:role/MyLambdaExecutionRole";

    fn document(statements: &str) -> Document {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Document::from_text(&text).unwrap()
    }

    fn assume(facts: Facts) -> Request<'static> {
        Request {
            action: "sts:AssumeRole",
            resource: None,
            caller: Some(Caller::Role(EXECUTION_ROLE)),
            facts,
        }
    }

    fn facts(external_id: Option<&str>) -> Facts {
        Facts::default()
            .with("sts:ExternalId", external_id)
            .with("aws:PrincipalArn", Some(EXECUTION_ROLE))
            .with("aws:PrincipalOrgID", Some("o-a1b2c3d4e5"))
    }

    #[test]
    fn why_not() {
        let trust = |principal: &str, condition: &str| {
            document(&format!(
                r#"{{"Sid":"T","Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{condition}}}"#
            ))
        };
        let because = |document: &Document, facts: Facts| match evaluate(document, &assume(facts)) {
            Answer::No(mut misses) => misses.remove(0).because,
            other => panic!("{other:?}"),
        };
        let other = trust(r#"{"AWS":"arn:aws:iam::111111111111:role/Other"}"#, "");
        assert_eq!(because(&other, facts(None)), [Mismatch::Principal]);
        let gone = trust(r#"{"AWS":"AROAEXAMPLEID"}"#, "");
        assert_eq!(
            because(&gone, facts(None)),
            [Mismatch::DeletedPrincipal("AROAEXAMPLEID".to_owned())]
        );
        let external = trust(
            r#"{"AWS":"111111111111"}"#,
            r#","Condition":{"StringEquals":{"sts:ExternalId":"a"}}"#,
        );
        assert!(matches!(
            &because(&external, facts(Some("b")))[..],
            [Mismatch::Condition(condition)] if condition.key == "sts:ExternalId"
        ));
        assert_eq!(evaluate(&external, &assume(facts(Some("a")))), Answer::Yes);
        assert_eq!(
            evaluate(&external, &assume(Facts::default())),
            Answer::CannotTell(BTreeSet::from(["sts:ExternalId".to_owned()]))
        );
        assert_eq!(
            evaluate(&document(""), &assume(facts(None))),
            Answer::No(Vec::new())
        );
    }

    #[test]
    fn denials_win_and_what_is_not_known_is_said() {
        let allow = r#"{"Effect":"Allow","Action":"sts:*","Resource":"*"}"#;
        let deny = r#"{"Sid":"D","Effect":"Deny","Action":"STS:AssumeRole","Resource":"arn:aws:iam::*:role/Prod*"}"#;
        let unknown = r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}}"#;
        let ask = |statements: &[&str], resource: &str| {
            let request = Request {
                action: "sts:AssumeRole",
                resource: Some(resource),
                caller: None,
                facts: Facts::default(),
            };
            evaluate(&document(&statements.join(",")), &request)
        };
        let (dev, prod) = (
            "arn:aws:iam::222222222222:role/Dev",
            "arn:aws:iam::222222222222:role/Prod1",
        );
        assert_eq!(ask(&[allow, deny], dev), Answer::Yes);
        assert_eq!(ask(&[allow, deny], prod), Answer::Denied("`D`".to_owned()));
        let cannot_tell = Answer::CannotTell(BTreeSet::from(["aws:ViaAWSService".to_owned()]));
        assert_eq!(ask(&[allow, unknown], dev), cannot_tell);
        // Whatever the denial comes to, nothing allows it.
        assert_eq!(ask(&[unknown], dev), Answer::No(Vec::new()));
        assert_eq!(
            ask(
                &[
                    r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/Dev"}"#
                ],
                dev
            ),
            Answer::CannotTell(BTreeSet::from([
                "policy variables in `arn:aws:iam::${aws:PrincipalAccount}:role/Dev`".to_owned()
            ]))
        );
    }

    /// `*` is everybody, a service too; and what `NotPrincipal` leaves out of a role is for AWS to tell.
    #[test]
    fn everybody_and_all_but() {
        let ask = |statements: &str, caller: Caller<'static>| {
            let request = Request {
                caller: Some(caller),
                ..assume(facts(None))
            };
            evaluate(&document(statements), &request)
        };
        let lambda = Caller::Service("lambda.amazonaws.com");
        let trust = r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(ask(trust, lambda), Answer::Yes);
        for everybody in [r#""*""#, r#"{"AWS":"*"}"#] {
            let denied = format!(
                r#"{trust},{{"Sid":"No","Effect":"Deny","Principal":{everybody},"Action":"sts:*"}}"#
            );
            assert_eq!(ask(&denied, lambda), Answer::Denied("`No`".to_owned()));
            let nobody =
                format!(r#"{{"Effect":"Allow","NotPrincipal":{everybody},"Action":"sts:*"}}"#);
            for caller in [lambda, Caller::Role(EXECUTION_ROLE)] {
                assert!(matches!(ask(&nobody, caller), Answer::No(_)));
            }
        }
        let except = |principal: &str| {
            format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"sts:*"}},
                    {{"Sid":"No","Effect":"Deny","NotPrincipal":{{"AWS":"{principal}"}},"Action":"sts:*"}}"#
            )
        };
        let role = Caller::Role(EXECUTION_ROLE);
        assert_eq!(
            ask(&except("222222222222"), role),
            Answer::Denied("`No`".to_owned())
        );
        for unclear in [EXECUTION_ROLE, "111111111111"] {
            assert!(
                matches!(ask(&except(unclear), role), Answer::CannotTell(_)),
                "{unclear}"
            );
        }
    }

    #[test]
    fn all_but() {
        let ask = |statement: &str| {
            let request = Request {
                resource: Some("x"),
                ..assume(facts(None))
            };
            matches!(evaluate(&document(statement), &request), Answer::Yes)
        };
        assert!(ask(
            r#"{"Effect":"Allow","NotAction":"iam:*","NotResource":"y"}"#
        ));
        assert!(!ask(
            r#"{"Effect":"Allow","NotAction":"sts:Assume*","Resource":"*"}"#
        ));
        assert!(!ask(r#"{"Effect":"Allow","Action":"*","NotResource":"?"}"#));
        assert!(!ask(
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},"Action":"*"}"#
        ));
        assert!(ask(
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"222222222222"},"Action":"*"}"#
        ));
    }

    #[test]
    fn operators() {
        let facts = Facts::default()
            .with("k", Some("Abc"))
            .with("arn", Some("arn:aws:iam::111111111111:role/a/b"))
            .with("absent", None);
        for (operator, key, value, expected) in [
            ("StringEquals", "K", "Abc", Some(true)),
            ("StringEquals", "k", "abc", Some(false)),
            ("StringEquals", "k", "A*", Some(false)),
            ("StringEqualsIgnoreCase", "k", "aBC", Some(true)),
            ("StringLike", "k", "A?c", Some(true)),
            ("StringNotLike", "k", "A*", Some(false)),
            ("StringNotEquals", "absent", "x", Some(true)),
            ("StringEquals", "absent", "x", Some(false)),
            ("StringEqualsIfExists", "absent", "x", Some(true)),
            ("StringEqualsIfExists", "k", "x", Some(false)),
            ("Null", "absent", "true", Some(true)),
            ("Null", "k", "true", Some(false)),
            (
                "ArnEquals",
                "arn",
                "arn:aws:iam::111111111111:role/*",
                Some(true),
            ),
            ("ArnLike", "arn", "arn:*:role/a/b", Some(false)),
            (
                "ArnNotEquals",
                "arn",
                "arn:aws:iam::*:role/a/b",
                Some(false),
            ),
            ("ForAnyValue:StringEquals", "k", "Abc", None),
            ("NumericEquals", "k", "1", None),
            ("StringEquals", "unknown", "x", None),
            ("StringEquals", "k", "${aws:username}", None),
            ("StringEquals", "k", "x${aws:username}", Some(false)),
            ("ForAllValues:StringEquals", "absent", "x", Some(true)),
            ("ForAnyValue:StringEquals", "absent", "x", Some(false)),
            ("StringFoo", "absent", "x", None),
            // The root user, and not the account.
            (
                "ArnEquals",
                "arn",
                "arn:aws:iam::111111111111:root",
                Some(false),
            ),
            ("ArnLike", "arn", "*", Some(false)),
            ("StringLike", "arn", "arn:*:role/*", Some(true)),
        ] {
            let condition = Condition {
                operator: operator.to_owned(),
                key: key.to_owned(),
                values: BTreeSet::from([value.to_owned()]),
            };
            let fact = facts.0.get(&key.to_ascii_lowercase());
            let told = fact.and_then(|fact| Test::of(&condition).holds(fact.as_deref()));
            assert_eq!(told, expected, "{operator} {key} {value}");
        }
    }
}
