//! Reads a role with its policies.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_sdk_iam::{Client, primitives::DateTimeFormat, types};
use operator_api::{Boundary, DeployedRole, Part};
use serde_json::Value;

use super::{
    part,
    policy::{document, managed},
};
use crate::failure;

/// Reads the role with this name; `name` has no path.
///
/// # Errors
/// It does not exist or cannot be read. Unreadable policies are parts, not errors.
pub(crate) async fn read(client: &Client, name: &str) -> Result<DeployedRole> {
    let response = client
        .get_role()
        .role_name(name)
        .send()
        .await
        .map_err(failure::of(&format!("read role `{name}`")))?;
    let role = response
        .role
        .with_context(|| format!("failed to read role `{name}`: the response is empty"))?;
    let trust_policy = role
        .assume_role_policy_document()
        .context("the role has no trust policy")
        .and_then(document)
        .with_context(|| format!("failed to read the trust policy of role `{name}`"))?;
    Ok(DeployedRole {
        trust_policy,
        permissions_boundary: boundary(client, &role).await,
        inline_policies: part::of(inline(client, name).await),
        attached_policies: part::of(attached(client, name).await),
        created: role.create_date.fmt(DateTimeFormat::DateTime)?,
        created_epoch: role.create_date.secs(),
        max_session_duration: role.max_session_duration,
        id: role.role_id,
        arn: role.arn,
    })
}

async fn boundary(client: &Client, role: &types::Role) -> Option<Boundary> {
    let arn = role.permissions_boundary()?.permissions_boundary_arn()?;
    Some(Boundary {
        arn: arn.to_owned(),
        document: part::of(managed(client, arn).await),
    })
}

async fn inline(client: &Client, role: &str) -> Result<BTreeMap<String, Value>> {
    let mut policies = BTreeMap::new();
    let mut names = client
        .list_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    while let Some(name) = names.next().await {
        let name = name.map_err(failure::of(&format!(
            "list the inline policies of role `{role}`"
        )))?;
        let intent = format!("read inline policy `{name}` of role `{role}`");
        let response = client
            .get_role_policy()
            .role_name(role)
            .policy_name(&name)
            .send()
            .await
            .map_err(failure::of(&intent))?;
        let policy =
            document(&response.policy_document).with_context(|| format!("failed to {intent}"))?;
        policies.insert(name, policy);
    }
    Ok(policies)
}

async fn attached(client: &Client, role: &str) -> Result<BTreeMap<String, Part<Value>>> {
    let mut policies = BTreeMap::new();
    let mut attached = client
        .list_attached_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    while let Some(policy) = attached.next().await {
        let policy = policy.map_err(failure::of(&format!(
            "list the attached policies of role `{role}`"
        )))?;
        let arn = policy.policy_arn.context("the policy has no ARN")?;
        let document = managed(client, &arn).await;
        policies.insert(arn, part::of(document));
    }
    Ok(policies)
}
