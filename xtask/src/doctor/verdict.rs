//! What the deployed policies of a role say of a request, and why not.
//!
//! Said of what is visible: service and resource control policies are not, and a policy that cannot be read may say
//! anything.

use std::collections::BTreeSet;

use operator_api::{DeployedRole, Part, Unreadable};

use serde_json::Value;

use iam_policy::{Decision, Document, Effect, Mismatch, Request, Set, Statement, evaluate};

/// What policies say of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They allow it.
    Allowed,
    /// They do not: why, the plainest first; never empty.
    Refused(Vec<Reason>),
    /// It depends on what cannot be told from here.
    Unclear(BTreeSet<String>),
}

/// Why policies do not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// No statement is about it.
    NoStatement,
    /// A statement would allow it to these, and to nobody else.
    Names(Vec<String>),
    /// A statement would allow it to a role that is no more; this is its unique id.
    Deleted(String),
    /// A statement would allow it under a condition that does not hold.
    Condition {
        /// The condition's key.
        key: String,
        /// What it asks for: `StringEquals "audit-2026"`.
        asks: String,
    },
    /// A statement denies it.
    Denied {
        /// The policy.
        policy: String,
        /// The statement, by its `Sid` in backticks or its number.
        statement: String,
    },
    /// The permissions boundary does not allow it.
    Boundary(String),
}

/// The policies of a role, read once for any number of requests.
#[derive(Debug)]
pub(super) struct Policies {
    own: Vec<Policy>,
    /// Why others cannot be judged.
    unread: BTreeSet<String>,
    boundary: Option<Boundary>,
}

/// A policy, its two effects apart: of several policies, one that allows is enough, and one that denies.
#[derive(Debug)]
struct Policy {
    name: String,
    /// What it allows, whatever it denies.
    allows: Document,
    /// The policy, which besides allows everything: what it still says is what it denies.
    denials: Document,
}

impl Policy {
    fn new(name: String, policy: Document) -> Self {
        let mut allows = policy.clone();
        allows
            .statements
            .retain(|statement| statement.effect == Effect::Allow);
        let mut denials = policy;
        // The last, as statements without a name are called by their number.
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
    /// Why it cannot be judged.
    Unread(String),
}

impl Policies {
    /// Those of `role`.
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
                    Err(fault) => {
                        Boundary::Unread(format!("{name}, which cannot be understood: {fault}"))
                    }
                },
                Part::Absent => Boundary::Unread(format!("{name}, which is not there")),
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
            Err(fault) => {
                let what = format!("{name}, which cannot be understood: {fault}");
                self.unread.insert(what);
            }
        }
    }

    fn miss(&mut self, name: &str, why: &Unreadable) {
        let what = format!("{name}, which cannot be read ({})", why.code);
        self.unread.insert(what);
    }

    /// What they say together of the same thing, asked for in several ways: one that is allowed is enough.
    pub(super) fn verdict(&self, requests: &[Request<'_>]) -> Verdict {
        let own = together(&self.own, requests, &self.unread);
        match (own, self.bounds(requests)) {
            (Verdict::Refused(mut reasons), Verdict::Refused(more)) => {
                reasons.extend(more);
                Verdict::Refused(reasons)
            }
            (Verdict::Refused(reasons), _) | (_, Verdict::Refused(reasons)) => {
                Verdict::Refused(reasons)
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
                    Verdict::Refused(_) => {
                        Verdict::Refused(vec![Reason::Boundary(policy.name.clone())])
                    }
                    other => other,
                }
            }
        }
    }
}

/// What a trust policy says of a request.
pub(super) fn of_trust(policy: &Value, request: &Request<'_>) -> Verdict {
    let document = match Document::from_json(policy) {
        Ok(document) => document,
        Err(fault) => {
            let what = format!("the trust policy, which cannot be understood: {fault}");
            return Verdict::Unclear(BTreeSet::from([what]));
        }
    };
    match evaluate(&document, request) {
        Decision::Allowed => Verdict::Allowed,
        Decision::Unknown(what) => Verdict::Unclear(what),
        Decision::ExplicitlyDenied(statement) => Verdict::Refused(vec![Reason::Denied {
            policy: "the trust policy".to_owned(),
            statement,
        }]),
        Decision::ImplicitlyDenied(non_matches) => {
            // The statement that comes closest says best what is wrong.
            let about = non_matches
                .iter()
                .filter(|miss| !miss.mismatches.contains(&Mismatch::Action));
            let Some(closest) = about.min_by_key(|miss| miss.mismatches.len()) else {
                return Verdict::Refused(vec![Reason::NoStatement]);
            };
            let reasons = closest
                .mismatches
                .iter()
                .filter_map(|mismatch| reason(mismatch, &document));
            Verdict::Refused(some(reasons.collect()))
        }
    }
}

/// What policies say together, of which those that are `unread` may say anything.
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
                    return Verdict::Refused(vec![Reason::Denied {
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
        // What else might allow it does not matter any more.
        if may_deny.is_empty() {
            Verdict::Allowed
        } else {
            Verdict::Unclear(may_deny)
        }
    } else if may_allow.is_empty() {
        // Nor does what might deny it.
        Verdict::Refused(some(conditions))
    } else {
        may_allow.extend(may_deny);
        Verdict::Unclear(may_allow)
    }
}

fn some(mut reasons: Vec<Reason>) -> Vec<Reason> {
    if reasons.is_empty() {
        reasons.push(Reason::NoStatement);
    }
    reasons
}

fn reason(mismatch: &Mismatch, document: &Document) -> Option<Reason> {
    match mismatch {
        Mismatch::Action | Mismatch::Resource => None,
        Mismatch::Principal => Some(Reason::Names(principals(document))),
        Mismatch::DeletedPrincipal(id) => Some(Reason::Deleted(id.clone())),
        Mismatch::Condition(condition) => {
            let values: Vec<String> = condition
                .values
                .iter()
                .map(|value| format!("\"{value}\""))
                .collect();
            Some(Reason::Condition {
                key: condition.key.clone(),
                asks: format!("{} {}", condition.operator, values.join(", ")),
            })
        }
    }
}

/// Whom the statements that allow anything name.
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
    fn a_trust_policy_says_why_it_does_not_trust() {
        assert_eq!(trust(&json!([allow(ROLE, &json!({}))])), Verdict::Allowed);
        assert_eq!(
            trust(&json!([])),
            Verdict::Refused(vec![Reason::NoStatement])
        );
        let other = "arn:aws:iam::111111111111:role/Other";
        assert_eq!(
            trust(&allow(other, &json!({}))),
            Verdict::Refused(vec![Reason::Names(vec![other.to_owned()])])
        );
        assert_eq!(
            trust(&allow("AROA1234567890", &json!({}))),
            Verdict::Refused(vec![Reason::Deleted("AROA1234567890".to_owned())])
        );
        let condition = json!({"StringEquals": {"sts:ExternalId": "other"}});
        assert_eq!(
            trust(&allow(ROLE, &condition)),
            Verdict::Refused(vec![Reason::Condition {
                key: "sts:ExternalId".to_owned(),
                asks: "StringEquals \"other\"".to_owned()
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
            Verdict::Refused(reasons) if matches!(reasons[0], Reason::Denied { .. })
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
        assert_eq!(listing(&none), Verdict::Refused(vec![Reason::NoStatement]));

        let mut denied = role();
        let deny = json!({"Statement": {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}});
        denied.attached_policies = Part::Ok([("arn:x".to_owned(), Part::Ok(deny))].into());
        assert_eq!(
            listing(&denied),
            Verdict::Refused(vec![Reason::Denied {
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
    fn what_is_allowed_outright_only_a_denial_makes_unclear() {
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
        // What nothing can allow is refused, whatever denies it.
        assert_eq!(
            also(&none, "Deny"),
            Verdict::Refused(vec![Reason::NoStatement])
        );
    }

    #[test]
    fn a_boundary_has_to_allow_it_as_well() {
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
            Verdict::Refused(vec![Reason::Boundary("arn:b".to_owned())])
        );
    }
}
