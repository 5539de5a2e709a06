//! Evaluates a request against the deployed policies of a role and explains why it is denied.
//!
//! The verdict covers readable policies only. Service and resource control policies are never readable. An unreadable
//! policy makes the verdict [`Unclear`](Verdict::Unclear) unless a readable one denies the request.

use std::collections::BTreeSet;

use operator_api::{DeployedRole, Part, Unreadable};

use serde_json::Value;

use iam_policy::{Decision, Document, Effect, Mismatch, Request, Set, Statement, evaluate};

/// The verdict of policies on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They allow it.
    Allowed,
    /// They do not. The reasons, clearest first, are never empty.
    Denied(Vec<Reason>),
    /// It depends on these unknown facts.
    Unclear(BTreeSet<String>),
}

/// Why policies do not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// No statement matches.
    NoStatement,
    /// A statement would allow it, but only to these principals.
    OtherPrincipals(Vec<String>),
    /// A statement would allow it to a deleted role with this unique ID.
    DeletedPrincipal(String),
    /// A statement would allow it under a condition that is not met.
    Condition {
        /// The context key.
        key: String,
        /// The operator and values: `StringEquals "audit-2026"`.
        requires: String,
    },
    /// A statement denies it.
    ExplicitDeny {
        /// The policy.
        policy: String,
        /// The name of the statement, like [`Document::label`].
        statement: String,
    },
    /// The permissions boundary does not allow it.
    Boundary(String),
}

/// The policies of a role, parsed once for any number of requests.
#[derive(Debug)]
pub(super) struct Policies {
    own: Vec<Policy>,
    /// The policies that cannot be evaluated, and why.
    unread: BTreeSet<String>,
    boundary: Option<Boundary>,
}

/// A policy, split by effect: one policy that allows a request is enough, and so is one that denies it.
#[derive(Debug)]
struct Policy {
    name: String,
    /// Its `Allow` statements.
    allows: Document,
    /// The policy with a statement that allows everything: what is still denied is explicitly denied.
    denials: Document,
}

impl Policy {
    fn new(name: String, policy: Document) -> Self {
        let mut allows = policy.clone();
        allows
            .statements
            .retain(|statement| statement.effect == Effect::Allow);
        let mut denials = policy;
        // Last, because statements without a `Sid` are named by their number.
        denials
            .statements
            .push(Statement::allow("Everything", ["*"]).on(["*"]));
        Self {
            name,
            allows,
            denials,
        }
    }
}

/// A permissions boundary.
#[derive(Debug)]
enum Boundary {
    Read(Policy),
    /// Its name, and why it cannot be evaluated.
    Unread(String),
}

impl Policies {
    /// Parses the policies of `role`.
    pub(super) fn of(role: &DeployedRole) -> Self {
        let mut policies = Self {
            own: Vec::new(),
            unread: BTreeSet::new(),
            boundary: None,
        };
        match &role.inline_policies {
            Part::Ok(inline) => {
                for (name, value) in inline {
                    policies.add(format!("inline policy `{name}`"), value);
                }
            }
            Part::Absent => {}
            Part::Unreadable(why) => policies.miss("its inline policies", why),
        }
        match &role.attached_policies {
            Part::Ok(attached) => {
                for (arn, part) in attached {
                    let name = format!("policy `{arn}`");
                    match part {
                        Part::Ok(value) => policies.add(name, value),
                        Part::Absent => {}
                        Part::Unreadable(why) => policies.miss(&name, why),
                    }
                }
            }
            Part::Absent => {}
            Part::Unreadable(why) => policies.miss("its attached policies", why),
        }
        policies.boundary = role.permissions_boundary.as_ref().map(|boundary| {
            let name = format!("permissions boundary `{}`", boundary.arn);
            match &boundary.document {
                Part::Ok(value) => match Document::from_json(value) {
                    Ok(document) => Boundary::Read(Policy::new(boundary.arn.clone(), document)),
                    Err(error) => {
                        Boundary::Unread(format!("{name}, which cannot be parsed: {error}"))
                    }
                },
                Part::Absent => Boundary::Unread(format!("{name}, which does not exist")),
                Part::Unreadable(why) => {
                    Boundary::Unread(format!("{name}, which cannot be read ({})", why.code))
                }
            }
        });
        policies
    }

    fn add(&mut self, name: String, value: &Value) {
        match Document::from_json(value) {
            Ok(document) => self.own.push(Policy::new(name, document)),
            Err(error) => {
                let what = format!("{name}, which cannot be parsed: {error}");
                self.unread.insert(what);
            }
        }
    }

    fn miss(&mut self, name: &str, why: &Unreadable) {
        let what = format!("{name}, which cannot be read ({})", why.code);
        self.unread.insert(what);
    }

    /// Evaluates equivalent requests: one that is allowed is enough.
    pub(super) fn verdict(&self, requests: &[Request<'_>]) -> Verdict {
        let own = together(&self.own, requests, &self.unread);
        match (own, self.bounds(requests)) {
            (Verdict::Denied(mut reasons), Verdict::Denied(more)) => {
                reasons.extend(more);
                Verdict::Denied(reasons)
            }
            (Verdict::Denied(reasons), _) | (_, Verdict::Denied(reasons)) => {
                Verdict::Denied(reasons)
            }
            (Verdict::Unclear(mut what), Verdict::Unclear(more)) => {
                what.extend(more);
                Verdict::Unclear(what)
            }
            (Verdict::Unclear(what), _) | (_, Verdict::Unclear(what)) => Verdict::Unclear(what),
            (Verdict::Allowed, Verdict::Allowed) => Verdict::Allowed,
        }
    }

    fn bounds(&self, requests: &[Request<'_>]) -> Verdict {
        match &self.boundary {
            None => Verdict::Allowed,
            Some(Boundary::Unread(what)) => Verdict::Unclear(BTreeSet::from([what.clone()])),
            Some(Boundary::Read(policy)) => {
                match together(std::slice::from_ref(policy), requests, &BTreeSet::new()) {
                    Verdict::Denied(_) => {
                        Verdict::Denied(vec![Reason::Boundary(policy.name.clone())])
                    }
                    other => other,
                }
            }
        }
    }
}

/// Evaluates a request against a trust policy.
pub(super) fn of_trust(policy: &Value, request: &Request<'_>) -> Verdict {
    let document = match Document::from_json(policy) {
        Ok(document) => document,
        Err(error) => {
            let what = format!("the trust policy, which cannot be parsed: {error}");
            return Verdict::Unclear(BTreeSet::from([what]));
        }
    };
    match evaluate(&document, request) {
        Decision::Allowed => Verdict::Allowed,
        Decision::Unknown(what) => Verdict::Unclear(what),
        Decision::ExplicitlyDenied(statement) => Verdict::Denied(vec![Reason::ExplicitDeny {
            policy: "the trust policy".to_owned(),
            statement,
        }]),
        Decision::ImplicitlyDenied(non_matches) => {
            // The statement that comes closest explains the denial best.
            let about = non_matches
                .iter()
                .filter(|miss| !miss.mismatches.contains(&Mismatch::Action));
            let Some(closest) = about.min_by_key(|miss| miss.mismatches.len()) else {
                return Verdict::Denied(vec![Reason::NoStatement]);
            };
            let reasons = closest
                .mismatches
                .iter()
                .filter_map(|mismatch| reason(mismatch, &document));
            Verdict::Denied(or_no_statement(reasons.collect()))
        }
    }
}

/// Evaluates requests against policies. The `unread` ones may allow or deny anything.
fn together(policies: &[Policy], requests: &[Request<'_>], unread: &BTreeSet<String>) -> Verdict {
    let mut allowed = false;
    let mut may_allow = unread.clone();
    let mut may_deny = unread.clone();
    let mut conditions = Vec::new();
    for policy in policies {
        let Policy { name, .. } = policy;
        let named = |what: BTreeSet<String>| {
            let named = move |what| format!("{what} ({name})");
            what.into_iter().map(named)
        };
        for request in requests {
            match evaluate(&policy.denials, request) {
                Decision::ExplicitlyDenied(statement) => {
                    return Verdict::Denied(vec![Reason::ExplicitDeny {
                        policy: name.clone(),
                        statement,
                    }]);
                }
                Decision::Unknown(what) => may_deny.extend(named(what)),
                Decision::Allowed | Decision::ImplicitlyDenied(_) => {}
            }
            match evaluate(&policy.allows, request) {
                Decision::Allowed => allowed = true,
                Decision::Unknown(what) => may_allow.extend(named(what)),
                Decision::ImplicitlyDenied(non_matches) => {
                    let nearly = non_matches.iter().filter(|miss| {
                        let is_condition = |one: &Mismatch| matches!(one, Mismatch::Condition(_));
                        !miss.mismatches.is_empty() && miss.mismatches.iter().all(is_condition)
                    });
                    let mismatches = nearly.flat_map(|miss| &miss.mismatches);
                    conditions.extend(mismatches.filter_map(|one| reason(one, &policy.allows)));
                }
                Decision::ExplicitlyDenied(_) => {}
            }
        }
    }
    if allowed {
        // Another policy that may allow it is irrelevant.
        if may_deny.is_empty() {
            Verdict::Allowed
        } else {
            Verdict::Unclear(may_deny)
        }
    } else if may_allow.is_empty() {
        // A policy that may deny it is irrelevant.
        Verdict::Denied(or_no_statement(conditions))
    } else {
        may_allow.extend(may_deny);
        Verdict::Unclear(may_allow)
    }
}

fn or_no_statement(mut reasons: Vec<Reason>) -> Vec<Reason> {
    if reasons.is_empty() {
        reasons.push(Reason::NoStatement);
    }
    reasons
}

fn reason(mismatch: &Mismatch, document: &Document) -> Option<Reason> {
    match mismatch {
        Mismatch::Action | Mismatch::Resource => None,
        Mismatch::Principal => Some(Reason::OtherPrincipals(principals(document))),
        Mismatch::DeletedPrincipal(id) => Some(Reason::DeletedPrincipal(id.clone())),
        Mismatch::Condition(condition) => {
            let values: Vec<String> = condition
                .values
                .iter()
                .map(|value| format!("\"{value}\""))
                .collect();
            Some(Reason::Condition {
                key: condition.key.clone(),
                requires: format!("{} {}", condition.operator, values.join(", ")),
            })
        }
    }
}

/// The principals of all `Allow` statements.
fn principals(document: &Document) -> Vec<String> {
    let mut all = BTreeSet::new();
    for statement in &document.statements {
        if statement.effect == Effect::Allow
            && let Some(Set::Only(principals)) = &statement.principals
        {
            all.extend(principals.iter().map(|principal| principal.value.clone()));
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use iam_policy::{Caller, Context};

    const ROLE: &str = "arn:aws:iam::111111111111:role/Runs";

    fn ask() -> Request<'static> {
        Request {
            action: "sts:AssumeRole",
            resource: None,
            caller: Some(Caller::Role(ROLE)),
            context: Context::default().with("sts:ExternalId", Some("audit")),
        }
    }

    fn trust(statement: &Value) -> Verdict {
        of_trust(
            &json!({"Version": "2012-10-17", "Statement": statement}),
            &ask(),
        )
    }

    fn allow(principal: &str, condition: &Value) -> Value {
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal},
            "Condition": condition})
    }

    #[test]
    fn a_trust_policy_explains_a_denial() {
        assert_eq!(trust(&json!([allow(ROLE, &json!({}))])), Verdict::Allowed);
        assert_eq!(
            trust(&json!([])),
            Verdict::Denied(vec![Reason::NoStatement])
        );
        let other = "arn:aws:iam::111111111111:role/Other";
        assert_eq!(
            trust(&allow(other, &json!({}))),
            Verdict::Denied(vec![Reason::OtherPrincipals(vec![other.to_owned()])])
        );
        assert_eq!(
            trust(&allow("AROA1234567890", &json!({}))),
            Verdict::Denied(vec![Reason::DeletedPrincipal("AROA1234567890".to_owned())])
        );
        let condition = json!({"StringEquals": {"sts:ExternalId": "other"}});
        assert_eq!(
            trust(&allow(ROLE, &condition)),
            Verdict::Denied(vec![Reason::Condition {
                key: "sts:ExternalId".to_owned(),
                requires: "StringEquals \"other\"".to_owned()
            }])
        );
        assert_eq!(
            trust(&allow(
                ROLE,
                &json!({"Bool": {"aws:SecureTransport": "true"}})
            )),
            Verdict::Unclear(BTreeSet::from(["aws:SecureTransport".to_owned()]))
        );
        assert!(matches!(
            trust(&json!([allow(ROLE, &json!({})), {"Effect": "Deny", "Principal": "*", "Action": "*"}])),
            Verdict::Denied(reasons) if matches!(reasons[0], Reason::ExplicitDeny { .. })
        ));
    }

    fn role() -> DeployedRole {
        serde_json::from_value(json!({
            "arn": ROLE, "id": "AROA1", "created": "2026-11-22T18:00:00Z", "createdEpoch": 1_795_370_400,
            "trustPolicy": {"Statement": []}, "permissionsBoundary": null,
            "inlinePolicies": {"ok": {"list": {"Version": "2012-10-17", "Statement":
                {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}}}},
            "attachedPolicies": {"ok": {}}
        }))
        .unwrap()
    }

    fn listing(role: &DeployedRole) -> Verdict {
        let request = Request {
            action: "s3:ListAllMyBuckets",
            resource: Some("*"),
            caller: None,
            context: Context::default(),
        };
        Policies::of(role).verdict(&[request])
    }

    #[test]
    fn every_policy_of_a_role_counts() {
        assert_eq!(listing(&role()), Verdict::Allowed);

        let mut none = role();
        none.inline_policies = Part::Ok([].into());
        assert_eq!(listing(&none), Verdict::Denied(vec![Reason::NoStatement]));

        let mut denied = role();
        let deny = json!({"Statement": {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}});
        denied.attached_policies = Part::Ok([("arn:x".to_owned(), Part::Ok(deny))].into());
        assert_eq!(
            listing(&denied),
            Verdict::Denied(vec![Reason::ExplicitDeny {
                policy: "policy `arn:x`".to_owned(),
                statement: "`No`".to_owned()
            }])
        );

        let mut hidden = role();
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: String::new(),
            hint: None,
        };
        hidden.attached_policies = Part::Ok([("arn:x".to_owned(), Part::Unreadable(why))].into());
        assert!(matches!(listing(&hidden), Verdict::Unclear(_)));
    }

    #[test]
    fn only_a_possible_denial_makes_an_allowed_request_unclear() {
        let nowhere = json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}});
        let also = |role: &DeployedRole, effect: &str| {
            let mut role = role.clone();
            let statement =
                json!({"Effect": effect, "Action": "s3:*", "Resource": "*", "Condition": nowhere});
            let other = [(
                "arn:x".to_owned(),
                Part::Ok(json!({"Statement": statement})),
            )];
            role.attached_policies = Part::Ok(other.into());
            listing(&role)
        };
        let mut none = role();
        none.inline_policies = Part::Ok([].into());
        let unclear =
            Verdict::Unclear(BTreeSet::from(["aws:SourceIp (policy `arn:x`)".to_owned()]));
        assert_eq!(also(&role(), "Allow"), Verdict::Allowed);
        assert_eq!(also(&role(), "Deny"), unclear);
        assert_eq!(also(&none, "Allow"), unclear);
        // A request that nothing can allow is denied in any case.
        assert_eq!(
            also(&none, "Deny"),
            Verdict::Denied(vec![Reason::NoStatement])
        );
    }

    #[test]
    fn a_boundary_must_allow_the_request_too() {
        let mut bounded = role();
        let mut bound = |document: Value| {
            bounded.permissions_boundary = Some(operator_api::Boundary {
                arn: "arn:b".to_owned(),
                document: Part::Ok(document),
            });
            listing(&bounded)
        };
        let statement =
            |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        assert_eq!(
            bound(json!({"Statement": statement("s3:*")})),
            Verdict::Allowed
        );
        assert_eq!(
            bound(json!({"Statement": statement("sts:*")})),
            Verdict::Denied(vec![Reason::Boundary("arn:b".to_owned())])
        );
    }
}
