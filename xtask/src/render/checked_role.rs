//! Reads a rendered role back, like CloudFormation will, and compares it with the expected grants.
//!
//! Users edit the templates. They may restrict the roles further, for example with another condition or boundary, but not grant
//! more. The execution role may have additional statements, for example for a KMS key or network interfaces, except for STS and
//! IAM, which would allow it to obtain any permission.

use std::collections::BTreeSet;

use iam_policy::{Document, NewAccess, NewAccessKind, Set, new_access};
use serde_json::{Value, json};

use super::checked::{self, Problem};
use crate::{
    policy::{RoleGrants, limit},
    render::cloudformation,
};

/// The account that the role belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The execution role.
    Admin,
    /// The role that the execution role assumes.
    Target,
}

/// The AWS managed policies that an execution role may have; they allow little (AWS managed policy reference).
const HARMLESS: [&str; 4] = [
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
    "AWSXRayDaemonWriteAccess",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
];

/// The hint for resources that do not belong in a role's template.
const ALONE: &str = "a role's template may contain the role and its policies only; define other resources in another stack";

/// The name of a policy in [`HARMLESS`], from its ARN; `None` for other policies.
pub(crate) fn harmless_policy(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":iam::aws:policy/")?;
    HARMLESS.contains(&name).then_some(name)
}

/// A role as defined by its template.
#[derive(Debug)]
pub(crate) struct RenderedRole {
    /// Its name.
    pub(crate) name: String,
    /// The trust policy.
    pub(crate) trust: Document,
    /// The policies that the template contains.
    pub(crate) permissions: Document,
    /// The names of its AWS managed policies.
    pub(crate) attached: BTreeSet<String>,
    /// The ARN of its permissions boundary.
    pub(crate) boundary: Option<String>,
}

/// # Errors
/// The text is not a CloudFormation template, is ambiguous, defines another role or grants more than `grants`, or exceeds an IAM
/// quota.
pub(super) fn role(text: &str, grants: &RoleGrants, side: Side) -> Result<RenderedRole, Problem> {
    let template = checked::cloudformation(text)?;
    if cloudformation::has_transform(&template) {
        return Err(problem(
            text,
            "Transform",
            "the template has a transform, so its result cannot be checked",
            "write out the result of the transform",
        ));
    }
    let mut own = None;
    let mut policies = Vec::new();
    let resources = || template["Resources"].as_object().into_iter().flatten();
    let role = resources().find(|(_, resource)| resource["Type"] == "AWS::IAM::Role");
    let role = role.map_or("", |(name, _)| name.as_str());
    for (name, resource) in resources() {
        let properties = resolved(&resource["Properties"]);
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::IAM::Role" if own.is_none() => own = Some(properties),
            "AWS::IAM::ManagedPolicy" => {
                reject_other_attachments(text, name, &properties, (role, grants))?;
                let document = properties["PolicyDocument"].clone();
                reject_long(text, name, "a managed policy", &document, limit::MANAGED)?;
                policies.push(document);
            }
            "AWS::IAM::Policy" | "AWS::IAM::RolePolicy" => {
                reject_other_attachments(text, name, &properties, (role, grants))?;
                policies.push(properties["PolicyDocument"].clone());
            }
            other if other.starts_with("AWS::IAM::") => {
                let what = format!(
                    "`{name}` is an additional `{other}`; the template may only define the role"
                );
                return Err(problem(text, name, what, ALONE));
            }
            // A nested stack, a module or a registry type may create any role.
            other => {
                let what =
                    format!("`{name}` is of type `{other}`, which is neither a role nor a policy");
                return Err(problem(text, name, what, ALONE));
            }
        }
    }
    let Some(own) = own else {
        return Err(problem(
            text,
            "Resources",
            "the template defines no role",
            "keep the AWS::IAM::Role resource of the original template",
        ));
    };
    agree(text, &own, grants)?;
    let trust = check_trust(text, &own, grants)?;
    let inline = match &own["Policies"] {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        _ => return Err(computed(text, "Policies")),
    };
    let inline: Vec<Value> = inline
        .iter()
        .map(|policy| policy["PolicyDocument"].clone())
        .collect();
    reject_long(
        text,
        "Policies",
        "all inline policies of a role together",
        &Value::Array(inline.clone()),
        limit::INLINE,
    )?;
    policies.extend(inline);
    let permissions = check_permissions(text, &policies, grants, side)?;
    let attached = check_attached(text, &own, &template["Resources"], side)?;
    Ok(RenderedRole {
        name: grants.name.clone(),
        trust,
        permissions,
        attached,
        boundary: own["PermissionsBoundary"].as_str().map(ToOwned::to_owned),
    })
}

/// Checks that a policy is attached only to the role, whose logical ID is `own`.
fn reject_other_attachments(
    text: &str,
    name: &str,
    properties: &Value,
    (own, grants): (&str, &RoleGrants),
) -> Result<(), Problem> {
    if let Some(key) = ["Users", "Groups"]
        .into_iter()
        .find(|key| properties.get(key).is_some())
    {
        let what = format!("the policy `{name}` is also attached to `{key}`");
        return Err(problem(text, key, what, ALONE));
    }
    let listed = match &properties["Roles"] {
        Value::Null => Vec::new(),
        Value::Array(roles) => roles.iter().collect(),
        other => vec![other],
    };
    // `AWS::IAM::RolePolicy` has a single role.
    let named = properties.get("RoleName");
    let reference = json!({"Ref": own}).to_string();
    let is_own = |role: &&Value| {
        role.as_str()
            .is_some_and(|role| role == reference || role == grants.name)
    };
    if let Some(other) = listed.into_iter().chain(named).find(|role| !is_own(role)) {
        let other = other
            .as_str()
            .map_or_else(|| other.to_string(), ToOwned::to_owned);
        let what = format!("the policy `{name}` is attached to another role, `{other}`");
        return Err(problem(text, name, what, ALONE));
    }
    Ok(())
}

/// Checks the role's name, path, boundary and description.
fn agree(text: &str, own: &Value, grants: &RoleGrants) -> Result<(), Problem> {
    let boundary = own["PermissionsBoundary"].as_str().unwrap_or_default();
    let path = own["Path"].as_str().unwrap_or("/");
    let name = own["RoleName"].as_str().unwrap_or_default();
    let hint = "take the value from the variables, through the template's names";
    for (key, is, must) in [
        ("RoleName", name, &grants.name),
        ("Path", path, &grants.path),
    ] {
        if is != must {
            let what = format!("`{key}` is `{is}`; the variables file sets it to `{must}`");
            return Err(problem(text, key, what, hint));
        }
    }
    if let Some(policy) = &grants.permissions_boundary
        && !boundary.ends_with(&format!(":policy/{policy}"))
    {
        let what = format!(
            "`PermissionsBoundary` is `{boundary}`; the variables file sets it to the policy `{policy}`"
        );
        return Err(problem(text, "PermissionsBoundary", what, hint));
    }
    let described = own["Description"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .count();
    if described > limit::DESCRIPTION {
        let what = format!(
            "the role's description has {described} characters; IAM allows {}",
            limit::DESCRIPTION
        );
        return Err(problem(text, "Description", what, "shorten it"));
    }
    Ok(())
}

fn check_trust(text: &str, own: &Value, grants: &RoleGrants) -> Result<Document, Problem> {
    let rendered = &own["AssumeRolePolicyDocument"];
    reject_long(
        text,
        "AssumeRolePolicyDocument",
        "a trust policy",
        rendered,
        limit::TRUST,
    )?;
    let trust = document(text, "AssumeRolePolicyDocument", rendered)?;
    match new_access(&grants.trust_policy, &trust).first() {
        None => Ok(trust),
        Some(found) => Err(too_broad(
            text,
            "the trust policy",
            found,
            "trust only the principals in the variables file, with its conditions; you may add conditions",
        )),
    }
}

fn check_permissions(
    text: &str,
    policies: &[Value],
    grants: &RoleGrants,
    side: Side,
) -> Result<Document, Problem> {
    let documents: Vec<Document> = policies
        .iter()
        .map(|policy| document(text, "PolicyDocument", policy))
        .collect::<Result<_, _>>()?;
    let permissions = Document::merge(&documents);
    let found = new_access(&grants.all_permissions(), &permissions);
    let rejected = found.into_iter().find(|found| match side {
        Side::Target => true,
        Side::Admin => concerns_identity(found),
    });
    let hint = match side {
        Side::Target => "the role may only list buckets; you may add denials and conditions",
        Side::Admin => {
            "additional statements may allow anything except STS and IAM actions; the roles to assume come from the variables file"
        }
    };
    match rejected {
        None => Ok(permissions),
        Some(found) => Err(too_broad(text, "the role's policy", &found, hint)),
    }
}

/// Returns whether the access concerns STS or IAM, or may concern them because an action is computed. Such access can be used to
/// obtain more.
fn concerns_identity(found: &NewAccess) -> bool {
    match &found.statement.actions {
        Set::Except(_) => true,
        Set::Only(actions) if actions.iter().any(|one| one.contains(['$', '{'])) => true,
        Set::Only(_) => ["sts", "iam"]
            .iter()
            .any(|service| found.statement.may_match_service(service)),
    }
}

/// Checks the managed policies that the role refers to by ARN, and returns the names of the AWS managed ones.
fn check_attached(
    text: &str,
    own: &Value,
    resources: &Value,
    side: Side,
) -> Result<BTreeSet<String>, Problem> {
    let attached = match &own["ManagedPolicyArns"] {
        Value::Null => return Ok(BTreeSet::new()),
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    };
    let is_own = |arn: &str| {
        let reference: Option<Value> = serde_json::from_str(arn).ok();
        let name = reference.as_ref().and_then(|value| value["Ref"].as_str());
        name.is_some_and(|name| resources[name]["Type"] == "AWS::IAM::ManagedPolicy")
    };
    let mut harmless = BTreeSet::new();
    let mut other = None;
    for arn in &attached {
        let arn = arn.as_str().unwrap_or_default();
        match harmless_policy(arn).filter(|_| side == Side::Admin) {
            Some(name) => {
                harmless.insert(name.to_owned());
            }
            None if is_own(arn) => {}
            None => other = other.or(Some(arn)),
        }
    }
    let Some(arn) = other else {
        return Ok(harmless);
    };
    let what = format!("the role has the managed policy `{arn}`, which cannot be checked");
    let hint = match side {
        Side::Target => "the role may only list buckets".to_owned(),
        Side::Admin => format!(
            "write the needed statements inline; the allowed AWS managed policies are {}",
            HARMLESS.join(", ")
        ),
    };
    Err(problem(text, "ManagedPolicyArns", what, hint))
}

fn computed(text: &str, place: &str) -> Problem {
    let what = format!("`{place}` is computed, so it cannot be checked");
    problem(text, place, what, "write the policies as a list")
}

/// Parses a policy as CloudFormation passes it to IAM.
fn document(text: &str, place: &str, value: &Value) -> Result<Document, Problem> {
    Document::from_json(value).map_err(|error| {
        problem(
            text,
            place,
            format!("invalid policy: `{place}`: {error}"),
            "write policies out, like in the original template",
        )
    })
}

fn reject_long(
    text: &str,
    place: &str,
    what: &str,
    value: &Value,
    most: usize,
) -> Result<(), Problem> {
    let length = value.to_string().len();
    if length <= most {
        return Ok(());
    }
    let what = format!("{what} may have {most} characters, and `{place}` has {length}");
    let hint = "IAM does not count white space; move statements to a managed policy, or name fewer resources";
    Err(problem(text, place, what, hint))
}

fn too_broad(text: &str, what: &str, found: &NewAccess, hint: &'static str) -> Problem {
    let statement = || {
        let sid = found.statement.sid.as_deref()?;
        line_of(text, &format!("Sid: {sid}"))
    };
    let line = match found.kind {
        NewAccessKind::DroppedCondition | NewAccessKind::DroppedExternalId => statement(),
        _ => line_of(text, &found.subject).or_else(statement),
    };
    Problem {
        what: format!("{what} allows more than the stage's variables: {found}"),
        line,
        hint: hint.into(),
    }
}

fn problem(
    text: &str,
    place: &str,
    what: impl Into<String>,
    hint: impl Into<std::borrow::Cow<'static, str>>,
) -> Problem {
    Problem {
        what: what.into(),
        line: line_of(text, place),
        hint: hint.into(),
    }
}

/// Finds the first line that contains a string, ignoring case and comments.
fn line_of(text: &str, part: &str) -> Option<usize> {
    let part = part.to_ascii_lowercase();
    let holds = |line: &str| {
        !line.trim_start().starts_with('#') && line.to_ascii_lowercase().contains(&part)
    };
    text.lines()
        .position(holds)
        .filter(|_| !part.is_empty())
        .map(|at| at + 1)
}

/// Replaces each CloudFormation function with its text, which never equals an expected value because its result is unknown.
/// The text of an `Fn::Sub` without variables other than pseudo parameters is kept.
fn resolved(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let function = map
                .iter()
                .next()
                .filter(|(name, _)| map.len() == 1 && (*name == "Ref" || name.starts_with("Fn::")));
            match function {
                Some((name, Value::String(text))) if name == "Fn::Sub" => Value::from(text.clone()),
                Some(_) => Value::from(value.to_string()),
                None => map
                    .iter()
                    .map(|(key, value)| (key.clone(), resolved(value)))
                    .collect(),
            }
        }
        Value::Array(items) => items.iter().map(resolved).collect(),
        other => other.clone(),
    }
}
