//! What a deployment would change, against what is deployed; first of all, what of it broadens access.
//!
//! The function's stack and code are what `deploy` changes; the roles, which `roles --apply` changes, are compared as well,
//! as the one is of little use without the other.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use contract::{AccountId, RoleName, variable};
use serde_json::{Value, json};

use crate::{
    artifact,
    deployed::{self, Access, Part, Question, Role, Unreadable},
    environment::Environment,
    files,
    framework::Package,
    generated,
    policy::{Document, DocumentFault, Grants, RoleGrants, broadening},
    workspace::Workspace,
};

/// What a deployment would change.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    broadens: Vec<String>,
    compared: Vec<Compared>,
}

/// One thing, as it is deployed and as it would be.
#[derive(Debug)]
struct Compared {
    what: String,
    how: How,
}

#[derive(Debug)]
enum How {
    Same,
    /// It is not there yet.
    New,
    Changed {
        /// As a person reads it; ends with a line break.
        diff: String,
    },
    /// What is deployed cannot be seen.
    Unknown {
        why: String,
    },
}

impl Changes {
    /// Compares `package` and the stage's roles with what is deployed, as far as the caller may see it; of the Target
    /// accounts' roles, those that `target_profiles`, AWS profiles, may read.
    ///
    /// # Errors
    /// The operator cannot be asked, or the package's own files cannot be read.
    pub(crate) fn of(
        workspace: &Workspace,
        package: &Package,
        environment: &Environment,
        target_profiles: &[String],
    ) -> Result<Self> {
        let stack = environment.stack_name();
        let function = environment.function_name();
        let execution_role = &environment.variables.lambda_execution_role;
        let question = Question {
            roles: vec![execution_role.clone()],
            stacks: vec![stack.clone()],
            functions: vec![function.clone()],
        };
        let deployed = deployed::inspect(workspace, Access::of_caller(environment), &question)?;
        let mut changes = Self::default();

        let packaged = files::read(&package.cloudformation_template())?;
        let packaged: Value =
            serde_json::from_slice(&packaged).context("The packaged template is not JSON")?;
        let template = match part(&deployed.stacks, &stack) {
            Part::Ok(stack) => stack.template,
            Part::Absent => Part::Absent,
            Part::Unreadable(why) => Part::Unreadable(why),
        };
        if let Some(old) = template.ok() {
            changes.broadens.extend(function_broadens(old, &packaged));
        }
        changes.compare(
            &format!("CloudFormation stack {stack}"),
            &template,
            &template_text(&packaged),
            template_text,
        );

        let code = format!("{}\n", package.artifact.sha256);
        let deployed_code = match part(&deployed.functions, &function) {
            Part::Ok(function) => function.code_sha256.map_or(Part::Absent, Part::Ok),
            Part::Absent => Part::Absent,
            Part::Unreadable(why) => Part::Unreadable(why),
        };
        changes.compare(
            "code (sha256 of handler.zip)",
            &deployed_code,
            &code,
            |hash| format!("{}\n", hexadecimal(hash)),
        );

        match Grants::of(environment) {
            Ok(grants) => {
                changes.compare_role(
                    &environment.variables.admin_account_id,
                    part(&deployed.roles, execution_role),
                    &grants.execution_role,
                );
                changes.compare_target_roles(workspace, environment, &grants, target_profiles)?;
            }
            Err(fault) => changes.compared.push(Compared {
                what: "roles".to_owned(),
                how: How::Unknown {
                    why: fault.to_string(),
                },
            }),
        }
        Ok(changes)
    }

    fn compare_target_roles(
        &mut self,
        workspace: &Workspace,
        environment: &Environment,
        grants: &Grants,
        profiles: &[String],
    ) -> Result<()> {
        let mut names: Vec<RoleName> = Vec::new();
        for target in &grants.target_roles {
            let name: RoleName = format!("{}{}", target.role.path, target.role.name)
                .trim_start_matches('/')
                .parse()?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let question = Question {
            roles: names,
            ..Question::default()
        };
        for profile in profiles {
            let access = Access {
                profile: Some(profile),
                ..Access::of_caller(environment)
            };
            let deployed = deployed::inspect(workspace, access, &question)?;
            let account = match &deployed.caller {
                Part::Ok(caller) => caller.account.clone(),
                Part::Absent => bail!("Whose credentials profile `{profile}` has is not known"),
                Part::Unreadable(why) => bail!("{}", why.message),
            };
            let Some(target) = grants.target_role_in(&account) else {
                bail!(
                    "Profile `{profile}` is of account {account}, in which the stage assumes no role ({})",
                    environment.source
                );
            };
            let found = question
                .roles
                .iter()
                .find(|name| name.name() == target.role.name)
                .map_or(Part::Absent, |name| part(&deployed.roles, name));
            self.compare_role(&account, found, &target.role);
        }
        if profiles.is_empty() && !grants.target_roles.is_empty() {
            self.compared.push(Compared {
                what: "roles in the Target accounts".to_owned(),
                how: How::Unknown {
                    why: "they cannot be seen from the Admin account; `cargo xtask diff --target-profile NAME` looks \
                          with a profile of theirs"
                        .to_owned(),
                },
            });
        }
        Ok(())
    }

    /// A role as it is deployed in `account`, and as the stage's roles would make it.
    fn compare_role(&mut self, account: &AccountId, deployed: Part<Role>, wanted: &RoleGrants) {
        let what = format!("role {} in account {account}", wanted.name);
        let old = match deployed {
            Part::Ok(role) => RoleSide::of(&role),
            Part::Absent => Part::Absent,
            Part::Unreadable(why) => Part::Unreadable(why),
        };
        let new = RoleSide::wanted(wanted);
        if let Part::Ok(old) = &old {
            let sentences = old.broadened_by(&new);
            self.broadens.extend(
                sentences
                    .into_iter()
                    .map(|sentence| format!("{what}: {sentence}")),
            );
        }
        self.compare(&what, &old, &new.text(), RoleSide::text);
    }

    /// What broadens access, a sentence each.
    pub(crate) fn broadens(&self) -> &[String] {
        &self.broadens
    }

    fn compare<T>(&mut self, what: &str, old: &Part<T>, new: &str, text: impl Fn(&T) -> String) {
        let how = match old {
            Part::Absent => How::New,
            Part::Unreadable(why) => How::Unknown {
                why: format!("{}: {}", why.code, why.message),
            },
            Part::Ok(old) => {
                let old = text(old);
                if old == new {
                    How::Same
                } else {
                    How::Changed {
                        diff: generated::diff_between(
                            ("as deployed", &old),
                            ("as it would be", new),
                        ),
                    }
                }
            }
        };
        self.compared.push(Compared {
            what: what.to_owned(),
            how,
        });
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.broadens.is_empty() {
            writeln!(f, "Broadens access:")?;
            for sentence in &self.broadens {
                writeln!(f, "  ! {sentence}")?;
            }
            writeln!(f)?;
        }
        for Compared { what, how } in &self.compared {
            match how {
                How::Same => writeln!(f, "unchanged    {what}")?,
                How::New => writeln!(f, "new          {what}: nothing is deployed yet")?,
                How::Unknown { why } => writeln!(f, "cannot tell  {what}: {why}")?,
                How::Changed { diff } => write!(f, "changed      {what}\n{diff}")?,
            }
        }
        Ok(())
    }
}

/// What a role says, in the one form in which two can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RoleSide {
    trust: Document,
    permissions: Document,
    /// `NAME` or `path/NAME`; of a policy of AWS, its ARN.
    boundary: Option<String>,
}

impl RoleSide {
    fn wanted(grants: &RoleGrants) -> Self {
        Self {
            trust: grants.trust_policy.clone(),
            permissions: grants.all_permissions(),
            boundary: grants.permissions_boundary.clone(),
        }
    }

    fn of(role: &Role) -> Part<Self> {
        let mut documents = Vec::new();
        match &role.inline_policies {
            Part::Ok(policies) => documents.extend(policies.values()),
            Part::Absent => {}
            Part::Unreadable(why) => return Part::Unreadable(why.clone()),
        }
        match &role.attached_policies {
            Part::Ok(policies) => {
                for policy in policies.values() {
                    match policy {
                        Part::Ok(policy) => documents.push(policy),
                        Part::Absent => {}
                        Part::Unreadable(why) => return Part::Unreadable(why.clone()),
                    }
                }
            }
            Part::Absent => {}
            Part::Unreadable(why) => return Part::Unreadable(why.clone()),
        }
        let read = || -> Result<Self, DocumentFault> {
            let documents = documents
                .iter()
                .map(|document| Document::from_json(document));
            let documents = documents.collect::<Result<Vec<_>, _>>()?;
            Ok(Self {
                trust: Document::from_json(&role.trust_policy)?,
                permissions: Document::together(&documents),
                boundary: role
                    .permissions_boundary
                    .as_ref()
                    .map(|boundary| boundary_name(&boundary.arn)),
            })
        };
        match read() {
            Ok(side) => Part::Ok(side),
            Err(fault) => Part::Unreadable(Unreadable {
                code: "UnknownPolicy".to_owned(),
                message: fault.to_string(),
                hint: None,
            }),
        }
    }

    /// What `new` allows and this does not, a sentence each.
    fn broadened_by(&self, new: &Self) -> Vec<String> {
        let trust = broadening(&self.trust, &new.trust);
        let permissions = broadening(&self.permissions, &new.permissions);
        let mut sentences: Vec<String> = trust
            .iter()
            .map(|one| format!("trust policy, {one}"))
            .chain(permissions.iter().map(ToString::to_string))
            .collect();
        if let Some(boundary) = &self.boundary
            && new.boundary.as_ref() != Some(boundary)
        {
            sentences.push(format!(
                "the permissions boundary {boundary} no longer bounds it"
            ));
        }
        sentences
    }

    fn text(&self) -> String {
        let Self {
            trust,
            permissions,
            boundary,
        } = self;
        let both = json!({
            "trustPolicy": trust,
            "permissions": permissions,
            "permissionsBoundary": boundary,
        });
        let mut text = serde_json::to_string_pretty(&both).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The name of a managed policy of the role's own account, with its path; another's ARN.
fn boundary_name(arn: &str) -> String {
    match arn.split_once(":policy/") {
        Some((account, name)) if !account.ends_with(":aws") => name.to_owned(),
        _ => arn.to_owned(),
    }
}

/// What was read under `name`.
fn part<K: Ord, T: Clone>(parts: &BTreeMap<K, Part<T>>, name: &K) -> Part<T> {
    parts.get(name).cloned().unwrap_or(Part::Absent)
}

/// What of the function's own configuration lets it reach more than before.
fn function_broadens(old: &Value, new: &Value) -> Vec<String> {
    let old = FunctionSide::of(old);
    let new = FunctionSide::of(new);
    let mut sentences = Vec::new();
    let (was, is) = (
        old.variable(variable::TARGET_ACCOUNT_ID),
        new.variable(variable::TARGET_ACCOUNT_ID),
    );
    if let Some(account) = is.filter(|_| was != is) {
        sentences.push(format!("the function lists another account, {account}"));
    }
    if was.is_some() && is.is_none() {
        sentences.push("the function lists many accounts instead of one".to_owned());
    }
    if old.variable(variable::EXTERNAL_ID).is_some()
        && new.variable(variable::EXTERNAL_ID).is_none()
        && is.is_some()
    {
        sentences.push("the function no longer passes an external ID".to_owned());
    }
    let off = |side: &FunctionSide| side.variable(variable::SESSION_POLICY) == Some("off");
    if off(&new) && !off(&old) {
        sentences.push(
            "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)"
                .to_owned(),
        );
    }
    if let (Some(was), Some(is)) = (&old.role, &new.role)
        && was != is
    {
        sentences.push(format!("the function runs as another role, {is}"));
    }
    sentences
}

/// What a stack's template says of its function.
#[derive(Debug, Default)]
struct FunctionSide {
    role: Option<String>,
    variables: BTreeMap<String, String>,
}

impl FunctionSide {
    fn of(template: &Value) -> Self {
        let resources = template["Resources"].as_object();
        let function = resources
            .into_iter()
            .flat_map(serde_json::Map::values)
            .find(|resource| resource["Type"] == "AWS::Lambda::Function");
        let Some(function) = function else {
            return Self::default();
        };
        let properties = &function["Properties"];
        let variables = properties["Environment"]["Variables"].as_object();
        Self {
            role: properties["Role"].as_str().map(ToOwned::to_owned),
            variables: variables
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// A template as text that two can be compared by: the keys sorted, and without the time of the packaging, which the
/// Framework puts into the code's key.
fn template_text(template: &Value) -> String {
    let mut template = template.clone();
    without_times(&mut template);
    let mut text = serde_json::to_string_pretty(&template).unwrap_or_default();
    text.push('\n');
    text
}

/// `serverless/SERVICE/STAGE/1795370405000-2026-11-22T18:00:05.000Z/handler.zip` becomes
/// `serverless/SERVICE/STAGE/…/handler.zip`.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(key)) = map.get_mut("S3Key") {
                let mut parts: Vec<&str> = key.split('/').collect();
                let from_the_end = parts.len().checked_sub(2);
                if let Some(folder) = from_the_end.and_then(|index| parts.get_mut(index)) {
                    *folder = "…";
                }
                *key = parts.join("/");
            }
            map.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// A hash as Lambda tells it, in base64, as the build tells it.
fn hexadecimal(base64: &str) -> String {
    match BASE64_STANDARD.decode(base64) {
        Ok(hash) => artifact::hexadecimal(&hash),
        Err(_) => base64.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(variables: &Value, role: &str, time: &str) -> Value {
        json!({"Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "ListUnderscores3LambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
                "Role": role,
                "Environment": {"Variables": variables},
                "Code": {"S3Key": format!("serverless/S/dev/{time}/handler.zip")}}}}})
    }

    #[test]
    fn the_time_of_the_packaging_is_no_difference() {
        let variables = json!({"TARGET_ACCOUNT_ID": "000000000002"});
        let one = template(&variables, "r", "1795370405000-2026-11-22T18:00:05.000Z");
        let other = template(&variables, "r", "1795370999000-2026-11-22T18:09:59.000Z");
        assert_eq!(template_text(&one), template_text(&other));
        assert!(template_text(&one).contains("serverless/S/dev/…/handler.zip"));
        let another = template(&variables, "s", "1795370999000-2026-11-22T18:09:59.000Z");
        assert_ne!(template_text(&one), template_text(&another));
    }

    #[test]
    fn what_lets_the_function_reach_more_is_told() {
        let seed = json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit"});
        let told = |variables: Value, role: &str| {
            function_broadens(&template(&seed, "r", "t"), &template(&variables, role, "t"))
        };
        assert_eq!(told(seed.clone(), "r"), Vec::<String>::new());
        let more_narrow = json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit", "LOG_LEVEL": "debug"});
        assert_eq!(told(more_narrow, "r"), Vec::<String>::new());
        for (variables, role, sentence) in [
            (
                json!({"TARGET_ACCOUNT_ID": "000000000003", "EXTERNAL_ID": "audit"}),
                "r",
                "the function lists another account, 000000000003",
            ),
            (
                json!({"TARGET_ACCOUNT_ID": "000000000002"}),
                "r",
                "the function no longer passes an external ID",
            ),
            (
                json!({"TARGET_ACCOUNT_ID": "000000000002", "EXTERNAL_ID": "audit", "SESSION_POLICY": "off"}),
                "r",
                "the function's sessions are no longer narrowed to s3:ListAllMyBuckets (`session-policy: off`)",
            ),
            (
                json!({}),
                "r",
                "the function lists many accounts instead of one",
            ),
            (
                seed.clone(),
                "other",
                "the function runs as another role, other",
            ),
        ] {
            assert_eq!(told(variables, role), [sentence]);
        }
    }

    #[test]
    fn what_is_not_deployed_or_not_to_be_seen_is_said_and_broadenings_come_first() {
        let mut changes = Changes::default();
        let text = |text: &String| text.clone();
        changes.compare("same", &Part::Ok("a\n".to_owned()), "a\n", text);
        changes.compare("new", &Part::Absent, "a\n", text);
        changes.compare("other", &Part::Ok("a\n".to_owned()), "b\n", text);
        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        changes.compare("hidden", &Part::Unreadable(why), "a\n", text);
        changes.broadens.push("everything".to_owned());
        let told = changes.to_string();
        assert!(
            told.starts_with("Broadens access:\n  ! everything\n\n"),
            "{told}"
        );
        for line in [
            "unchanged    same\n",
            "new          new: nothing is deployed yet\n",
            "changed      other\n",
            "\n-a\n+b\n",
            "cannot tell  hidden: AccessDenied: no\n",
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
    }

    #[test]
    fn a_role_is_compared_by_what_its_policies_mean() {
        let role = |trust: &Value, resource: &str, boundary: Option<&str>| Role {
            arn: "arn:aws:iam::000000000001:role/R".to_owned(),
            id: "AROA1".to_owned(),
            created: "2026-11-22T18:00:00Z".to_owned(),
            trust_policy: trust.clone(),
            permissions_boundary: boundary.map(|arn| crate::deployed::Boundary {
                arn: arn.to_owned(),
                document: Part::Absent,
            }),
            inline_policies: Part::Ok(BTreeMap::from([(
                "p".to_owned(),
                json!({"Version": "2012-10-17", "Statement": {
                    "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": resource}}),
            )])),
            attached_policies: Part::Ok(BTreeMap::new()),
        };
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::000000000002:role/E"},
            "Condition": {"StringEquals": {"sts:ExternalId": "audit"}}}]});
        let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::000000000002:role/E"}}]});
        let one = "arn:aws:iam::000000000003:role/A";
        let boundary = Some("arn:aws:iam::000000000001:policy/team/Bound");
        let side = |role: &Role| RoleSide::of(role).ok().unwrap().clone();

        let narrow = side(&role(&trust, one, boundary));
        assert_eq!(narrow.boundary.as_deref(), Some("team/Bound"));
        assert_eq!(narrow.broadened_by(&narrow), Vec::<String>::new());
        let wide = side(&role(&open, "*", None));
        let sentences = wide.broadened_by(&narrow);
        assert_eq!(
            sentences,
            Vec::<String>::new(),
            "to narrow is not to broaden"
        );
        let sentences = narrow.broadened_by(&wide).join("\n");
        for part in [
            "external ID",
            "every resource",
            "the permissions boundary team/Bound",
        ] {
            assert!(sentences.contains(part), "{part} in {sentences}");
        }

        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        let hidden = Role {
            attached_policies: Part::Unreadable(why.clone()),
            ..role(&trust, one, None)
        };
        assert_eq!(RoleSide::of(&hidden), Part::Unreadable(why));
    }

    #[test]
    fn a_hash_in_base64_is_the_builds() {
        assert_eq!(hexadecimal("AAEC/w=="), "000102ff");
        assert_eq!(hexadecimal("no base64"), "no base64");
    }
}
