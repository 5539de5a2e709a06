//! Evaluates a request against one policy.
//!
//! The decision may be unknown, because conditions can depend on context that only AWS has. Other policies are out of scope:
//! those of the same role, its permissions boundary, session policies, and service and resource control policies can
//! still deny a request that this policy allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    condition::ParsedCondition,
    document::{Condition, Document, Effect, Principal, Set, Statement, account_of},
    pattern::{Pattern, StarReach},
};

/// A request to evaluate.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The action, such as `sts:AssumeRole`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for an action without one. Trust policies need none.
    pub resource: Option<&'a str>,
    /// The caller. Identity-based policies need none.
    pub caller: Option<Caller<'a>>,
    /// The known context keys.
    pub context: Context,
}

/// The principal that sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// A role or one of its sessions, by the ARN of the role.
    Role(&'a str),
    /// An AWS service, by its name.
    Service(&'a str),
}

/// The request context: the values of condition keys. Keys that are not set are unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Option<String>>);

impl Context {
    /// Sets a key to a value, or to `None` if it is known to be absent: `sts:ExternalId` if the caller passes none.
    #[must_use]
    pub fn with(mut self, key: &str, value: Option<&str>) -> Self {
        let value = value.map(ToOwned::to_owned);
        self.0.insert(key.to_ascii_lowercase(), value);
        self
    }
}

/// The decision of a policy on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// This statement denies it, named like [`Document::label`].
    ExplicitlyDenied(String),
    /// No statement allows it. Explains each `Allow` statement, in order.
    ImplicitlyDenied(Vec<NonMatch>),
    /// The decision depends on these: condition keys and other facts that the policy does not determine.
    Unknown(BTreeSet<String>),
}

/// A statement that does not match a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonMatch {
    /// The name of the statement, like [`Document::label`].
    pub statement: String,
    /// Every element that does not match.
    pub mismatches: Vec<Mismatch>,
}

/// An element of a statement that does not match a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The action is not listed.
    Action,
    /// The resource is not listed.
    Resource,
    /// The caller is not listed.
    Principal,
    /// The statement lists a deleted principal. IAM shows its unique ID in place of the ARN.
    DeletedPrincipal(String),
    /// This condition does not hold.
    Condition(Condition),
}

/// Evaluates a request against a policy.
///
/// ```
/// use iam_policy::{Context, Decision, Document, Request, evaluate};
///
/// let policy = Document::parse(
///     r#"{"Version": "2012-10-17", "Statement": {
///         "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/Reader",
///         "Condition": {"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}}
///     }}"#,
/// )?;
/// let mut request = Request {
///     action: "sts:AssumeRole",
///     resource: Some("arn:aws:iam::222222222222:role/Reader"),
///     caller: None,
///     context: Context::default(),
/// };
/// // The organization of the resource is not known.
/// assert!(matches!(evaluate(&policy, &request), Decision::Unknown(_)));
/// request.context = Context::default().with("aws:ResourceOrgID", Some("o-a1b2c3d4e5"));
/// assert_eq!(evaluate(&policy, &request), Decision::Allowed);
/// # Ok::<(), iam_policy::DocumentError>(())
/// ```
pub fn evaluate(document: &Document, request: &Request<'_>) -> Decision {
    let mut allowed = false;
    let mut unknown = BTreeSet::new();
    let mut non_matches = Vec::new();
    for (index, statement) in document.statements.iter().enumerate() {
        let applies = applies(statement, request);
        match (statement.effect, applies) {
            (Effect::Deny, Applies::Yes) => {
                return Decision::ExplicitlyDenied(document.label(index));
            }
            (Effect::Allow, Applies::Yes) => allowed = true,
            (_, Applies::Unknown(of)) => {
                unknown.extend(of.into_iter().map(|what| (statement.effect, what)));
            }
            (Effect::Allow, Applies::No(mismatches)) => non_matches.push(NonMatch {
                statement: document.label(index),
                mismatches,
            }),
            (Effect::Deny, Applies::No(_)) => {}
        }
    }
    // Another statement that may allow the request is irrelevant if one certainly does.
    let relevant: BTreeSet<String> = unknown
        .into_iter()
        .filter(|(effect, _)| !allowed || *effect == Effect::Deny)
        .map(|(_, what)| what)
        .collect();
    let none_can_allow = non_matches.len() == count(document, Effect::Allow);
    if none_can_allow {
        Decision::ImplicitlyDenied(non_matches)
    } else if relevant.is_empty() {
        Decision::Allowed
    } else {
        Decision::Unknown(relevant)
    }
}

fn count(document: &Document, effect: Effect) -> usize {
    let of = |statement: &&Statement| statement.effect == effect;
    document.statements.iter().filter(of).count()
}

/// Whether a statement matches a request.
enum Applies {
    Yes,
    No(Vec<Mismatch>),
    Unknown(BTreeSet<String>),
}

/// A result that may depend on something unknown.
enum Holds {
    Yes,
    No,
    Unknown(String),
}

impl Holds {
    fn known(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn from(holds: Option<bool>, what: impl FnOnce() -> String) -> Self {
        holds.map_or_else(|| Self::Unknown(what()), Self::known)
    }

    /// Negates it, for elements such as `NotAction`.
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            unknown @ Self::Unknown(_) => unknown,
        }
    }

    fn any(all: impl IntoIterator<Item = Self>) -> Self {
        let mut outcome = Self::No;
        for one in all {
            match one {
                Self::Yes => return Self::Yes,
                Self::Unknown(_) => outcome = one,
                Self::No => {}
            }
        }
        outcome
    }
}

fn applies(statement: &Statement, request: &Request<'_>) -> Applies {
    let mut mismatches = Vec::new();
    let mut unknown = BTreeSet::new();
    let mut take = |holds: Holds, mismatch: Mismatch| match holds {
        Holds::Yes => {}
        Holds::No => mismatches.push(mismatch),
        Holds::Unknown(what) => {
            unknown.insert(what);
        }
    };
    let action = request.action.to_ascii_lowercase();
    let named = in_set(&statement.actions, |one| {
        Holds::from(
            Pattern::action(one).matches(&action, StarReach::Anywhere),
            || one.clone(),
        )
    });
    take(named, Mismatch::Action);
    if let (Some(set), Some(resource)) = (&statement.resources, request.resource) {
        let named = in_set(set, |one| {
            let pattern = Pattern::glob(one);
            Holds::from(pattern.matches(resource, StarReach::WithinSegment), || {
                if pattern.has_variables() {
                    format!("policy variables in `{one}`")
                } else {
                    format!("whether the `*` in `{one}` matches across `:`")
                }
            })
        });
        take(named, Mismatch::Resource);
    }
    if let (Some(set), Some(caller)) = (&statement.principals, request.caller) {
        let mismatch = deleted_principal(set).unwrap_or(Mismatch::Principal);
        take(names(set, caller), mismatch);
    }
    for condition in &statement.conditions {
        let fact = request.context.0.get(&condition.key.to_ascii_lowercase());
        let holds = fact.and_then(|fact| ParsedCondition::of(condition).holds(fact.as_deref()));
        take(
            Holds::from(holds, || condition.key.clone()),
            Mismatch::Condition(condition.clone()),
        );
    }
    match (mismatches.is_empty(), unknown.is_empty()) {
        (false, _) => Applies::No(mismatches),
        (true, false) => Applies::Unknown(unknown),
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
    if all.iter().any(Principal::is_everyone) {
        return Holds::No;
    }
    // `NotPrincipal` must list the account, the role and the session, and the name of the session is unknown (IAM user guide, "AWS JSON policy elements: NotPrincipal").
    Holds::Unknown(
        "whether `NotPrincipal` also lists the session and the account of the role".to_owned(),
    )
}

fn is_principal(principal: &Principal, caller: Caller<'_>) -> Holds {
    let value = principal.value.as_str();
    match (principal.kind.as_str(), caller) {
        _ if principal.is_everyone() => Holds::Yes,
        ("Service", Caller::Service(name)) => Holds::known(value == name),
        ("AWS", Caller::Role(arn)) => {
            let account = account_of(arn);
            if principal.account().is_some() {
                return Holds::known(principal.account() == account);
            }
            if value.contains(":assumed-role/") && account_of(value) == account {
                return Holds::Unknown(format!("the name of the session (`{value}`)"));
            }
            Holds::known(value == arn)
        }
        _ => Holds::No,
    }
}

/// Finds the unique ID of a deleted role or user, which IAM shows in place of the ARN (IAM user guide, "AWS JSON policy
/// elements: Principal").
fn deleted_principal(set: &Set<Principal>) -> Option<Mismatch> {
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
        Document::parse(&text).unwrap()
    }

    fn assume(context: Context) -> Request<'static> {
        Request {
            action: "sts:AssumeRole",
            resource: None,
            caller: Some(Caller::Role(EXECUTION_ROLE)),
            context,
        }
    }

    fn context(external_id: Option<&str>) -> Context {
        Context::default()
            .with("sts:ExternalId", external_id)
            .with("aws:PrincipalArn", Some(EXECUTION_ROLE))
            .with("aws:PrincipalOrgID", Some("o-a1b2c3d4e5"))
    }

    #[test]
    fn non_matches_say_why() {
        let trust = |principal: &str, condition: &str| {
            document(&format!(
                r#"{{"Sid":"T","Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{condition}}}"#
            ))
        };
        let mismatches =
            |document: &Document, context: Context| match evaluate(document, &assume(context)) {
                Decision::ImplicitlyDenied(mut non_matches) => non_matches.remove(0).mismatches,
                other => panic!("{other:?}"),
            };
        let other = trust(r#"{"AWS":"arn:aws:iam::111111111111:role/Other"}"#, "");
        assert_eq!(mismatches(&other, context(None)), [Mismatch::Principal]);
        let gone = trust(r#"{"AWS":"AROAEXAMPLEID"}"#, "");
        assert_eq!(
            mismatches(&gone, context(None)),
            [Mismatch::DeletedPrincipal("AROAEXAMPLEID".to_owned())]
        );
        let external = trust(
            r#"{"AWS":"111111111111"}"#,
            r#","Condition":{"StringEquals":{"sts:ExternalId":"a"}}"#,
        );
        assert!(matches!(
            &mismatches(&external, context(Some("b")))[..],
            [Mismatch::Condition(condition)] if condition.key == "sts:ExternalId"
        ));
        assert_eq!(
            evaluate(&external, &assume(context(Some("a")))),
            Decision::Allowed
        );
        assert_eq!(
            evaluate(&external, &assume(Context::default())),
            Decision::Unknown(BTreeSet::from(["sts:ExternalId".to_owned()]))
        );
        assert_eq!(
            evaluate(&document(""), &assume(context(None))),
            Decision::ImplicitlyDenied(Vec::new())
        );
    }

    #[test]
    fn denials_win_and_unknown_keys_are_listed() {
        let allow = r#"{"Effect":"Allow","Action":"sts:*","Resource":"*"}"#;
        let deny = r#"{"Sid":"D","Effect":"Deny","Action":"STS:AssumeRole","Resource":"arn:aws:iam::*:role/Prod*"}"#;
        let unknown = r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}}"#;
        let ask = |statements: &[&str], resource: &str| {
            let request = Request {
                action: "sts:AssumeRole",
                resource: Some(resource),
                caller: None,
                context: Context::default(),
            };
            evaluate(&document(&statements.join(",")), &request)
        };
        let (dev, prod) = (
            "arn:aws:iam::222222222222:role/Dev",
            "arn:aws:iam::222222222222:role/Prod1",
        );
        assert_eq!(ask(&[allow, deny], dev), Decision::Allowed);
        assert_eq!(
            ask(&[allow, deny], prod),
            Decision::ExplicitlyDenied("`D`".to_owned())
        );
        let unknown_key = Decision::Unknown(BTreeSet::from(["aws:ViaAWSService".to_owned()]));
        assert_eq!(ask(&[allow, unknown], dev), unknown_key);
        // Whether or not it is denied, nothing allows it.
        assert_eq!(ask(&[unknown], dev), Decision::ImplicitlyDenied(Vec::new()));
        assert_eq!(
            ask(
                &[
                    r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/Dev"}"#
                ],
                dev
            ),
            Decision::Unknown(BTreeSet::from([
                "policy variables in `arn:aws:iam::${aws:PrincipalAccount}:role/Dev`".to_owned()
            ]))
        );
    }

    /// `*` includes services, and whether `NotPrincipal` excludes a role is often unknown.
    #[test]
    fn everyone_and_not_principal() {
        let ask = |statements: &str, caller: Caller<'static>| {
            let request = Request {
                caller: Some(caller),
                ..assume(context(None))
            };
            evaluate(&document(statements), &request)
        };
        let lambda = Caller::Service("lambda.amazonaws.com");
        let trust = r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(ask(trust, lambda), Decision::Allowed);
        for everybody in [r#""*""#, r#"{"AWS":"*"}"#] {
            let denied = format!(
                r#"{trust},{{"Sid":"No","Effect":"Deny","Principal":{everybody},"Action":"sts:*"}}"#
            );
            assert_eq!(
                ask(&denied, lambda),
                Decision::ExplicitlyDenied("`No`".to_owned())
            );
            let nobody =
                format!(r#"{{"Effect":"Allow","NotPrincipal":{everybody},"Action":"sts:*"}}"#);
            for caller in [lambda, Caller::Role(EXECUTION_ROLE)] {
                assert!(matches!(
                    ask(&nobody, caller),
                    Decision::ImplicitlyDenied(_)
                ));
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
            Decision::ExplicitlyDenied("`No`".to_owned())
        );
        for unclear in [EXECUTION_ROLE, "111111111111"] {
            assert!(
                matches!(ask(&except(unclear), role), Decision::Unknown(_)),
                "{unclear}"
            );
        }
    }

    #[test]
    fn negated_elements() {
        let ask = |statement: &str| {
            let request = Request {
                resource: Some("x"),
                ..assume(context(None))
            };
            matches!(evaluate(&document(statement), &request), Decision::Allowed)
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
        let context = Context::default()
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
            // The root user, not the account.
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
            let fact = context.0.get(&key.to_ascii_lowercase());
            let holds =
                fact.and_then(|fact| ParsedCondition::of(&condition).holds(fact.as_deref()));
            assert_eq!(holds, expected, "{operator} {key} {value}");
        }
    }
}
