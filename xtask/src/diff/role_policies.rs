//! The policies of a role, deployed or rendered, in a form that can be compared.

use std::collections::BTreeSet;

use iam_policy::{Document, DocumentError, is_same_access, new_access};
use operator_api::{DeployedRole, Part, Unreadable};
use serde_json::json;

use crate::render::{RenderedRole, harmless_policy};

/// The policies of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RolePolicies {
    trust: Document,
    permissions: Document,
    /// The names of harmless AWS managed policies.
    attached: BTreeSet<String>,
    /// `NAME` or `path/NAME`, or the ARN of an AWS managed policy.
    boundary: Option<String>,
}

impl RolePolicies {
    /// The policies of a rendered role.
    pub(super) fn rendered(role: &RenderedRole) -> Self {
        Self {
            trust: role.trust.clone(),
            permissions: role.permissions.clone(),
            attached: role.attached.clone(),
            boundary: role.boundary.as_deref().map(boundary_name),
        }
    }

    /// The policies of a deployed role.
    pub(super) fn of(role: &DeployedRole) -> Part<Self> {
        let mut documents = Vec::new();
        let mut attached = BTreeSet::new();
        match &role.inline_policies {
            Part::Ok(policies) => documents.extend(policies.values()),
            Part::Absent => {}
            Part::Unreadable(why) => return Part::Unreadable(why.clone()),
        }
        match &role.attached_policies {
            Part::Ok(policies) => {
                for (arn, policy) in policies {
                    if let Some(name) = harmless_policy(arn) {
                        attached.insert(name.to_owned());
                        continue;
                    }
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
        let read = move || -> Result<Self, DocumentError> {
            let documents = documents
                .iter()
                .map(|document| Document::from_json(document));
            let documents = documents.collect::<Result<Vec<_>, _>>()?;
            Ok(Self {
                trust: Document::from_json(&role.trust_policy)?,
                permissions: Document::merge(&documents),
                attached,
                boundary: role
                    .permissions_boundary
                    .as_ref()
                    .map(|boundary| boundary_name(&boundary.arn)),
            })
        };
        match read() {
            Ok(policies) => Part::Ok(policies),
            Err(error) => Part::Unreadable(Unreadable {
                code: "UnknownPolicy".to_owned(),
                message: error.to_string(),
                hint: None,
            }),
        }
    }

    /// Describes what `new` allows and this role does not, one sentence each.
    pub(super) fn broadened_by(&self, new: &Self) -> Vec<String> {
        let trust = new_access(&self.trust, &new.trust);
        let permissions = new_access(&self.permissions, &new.permissions);
        let mut sentences: Vec<String> = trust
            .iter()
            .map(|one| format!("trust policy, {one}"))
            .chain(permissions.iter().map(ToString::to_string))
            .chain(
                new.attached
                    .difference(&self.attached)
                    .map(|name| format!("the AWS managed policy {name} is attached")),
            )
            .collect();
        if let Some(boundary) = &self.boundary
            && new.boundary.as_ref() != Some(boundary)
        {
            sentences.push(format!("the permissions boundary {boundary} was removed"));
        }
        sentences
    }

    /// Returns true if both allow the same, regardless of how statements are ordered and spread over policies.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        is_same_access(&self.trust, &other.trust)
            && is_same_access(&self.permissions, &other.permissions)
            && self.attached == other.attached
            && self.boundary == other.boundary
    }

    pub(super) fn text(&self) -> String {
        let Self {
            trust,
            permissions,
            attached,
            boundary,
        } = self;
        let both = json!({
            "trustPolicy": trust.clone().normalized(),
            "permissions": permissions.clone().normalized(),
            "managedPoliciesOfAws": attached,
            "permissionsBoundary": boundary,
        });
        let mut text = serde_json::to_string_pretty(&both).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The path and name of a managed policy of the account, or the ARN of an AWS managed policy.
fn boundary_name(arn: &str) -> String {
    match arn.split_once(":policy/") {
        Some((account, name)) if !account.ends_with(":aws") => name.to_owned(),
        _ => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::policy::{Grants, samples};

    #[test]
    fn roles_are_compared_by_meaning() {
        let role = |trust: &Value, resource: &str, boundary: Option<&str>| DeployedRole {
            arn: "arn:aws:iam::000000000001:role/R".to_owned(),
            id: "AROA1".to_owned(),
            created: "2026-11-22T18:00:00Z".to_owned(),
            created_epoch: 1_795_370_400,
            max_session_duration: None,
            trust_policy: trust.clone(),
            permissions_boundary: boundary.map(|arn| operator_api::Boundary {
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
        let side = |role: &DeployedRole| RolePolicies::of(role).ok().unwrap().clone();

        let narrow = side(&role(&trust, one, boundary));
        assert_eq!(narrow.boundary.as_deref(), Some("team/Bound"));
        assert_eq!(narrow.broadened_by(&narrow), Vec::<String>::new());
        let wide = side(&role(&open, "*", None));
        let sentences = wide.broadened_by(&narrow);
        assert_eq!(
            sentences,
            Vec::<String>::new(),
            "narrowing is not broadening"
        );
        let sentences = narrow.broadened_by(&wide).join("\n");
        for part in [
            "external ID",
            "all resources",
            "the permissions boundary team/Bound",
        ] {
            assert!(sentences.contains(part), "{part} in {sentences}");
        }

        assert!(narrow.is_same(&narrow) && !narrow.is_same(&wide));
        assert!(!narrow.is_same(&side(&role(&trust, one, None))));

        let why = Unreadable {
            code: "AccessDenied".to_owned(),
            message: "no".to_owned(),
            hint: None,
        };
        let hidden = DeployedRole {
            attached_policies: Part::Unreadable(why.clone()),
            ..role(&trust, one, None)
        };
        assert_eq!(RolePolicies::of(&hidden), Part::Unreadable(why));
    }

    /// 300 targets fill several policies, which AWS lists in any order.
    #[test]
    fn the_order_of_policies_does_not_matter() {
        let wanted = Grants::of_selection(&samples::stage(""), &samples::targets(300)).unwrap();
        let role = wanted.execution_role;
        let as_rendered = RolePolicies {
            trust: role.trust_policy.clone(),
            permissions: role.all_permissions(),
            attached: BTreeSet::new(),
            boundary: None,
        };
        let managed = role.managed_policies.iter().rev();
        let mut documents: Vec<&Document> = managed.collect();
        documents.extend(role.permissions.values());
        assert!(documents.len() > 1, "{}", documents.len());
        let as_deployed = RolePolicies {
            permissions: Document::merge(documents),
            ..as_rendered.clone()
        };
        assert_ne!(as_deployed, as_rendered);
        assert!(as_deployed.is_same(&as_rendered));
        assert_eq!(as_deployed.text(), as_rendered.text());
        let mut fewer = as_deployed.clone();
        fewer.permissions.statements.pop();
        assert!(!fewer.is_same(&as_rendered));
        assert!(!fewer.broadened_by(&as_rendered).is_empty());
    }
}
