//! A role and every policy that bears on it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_sdk_iam::{Client, primitives::DateTimeFormat, types};
use serde::Serialize;
use serde_json::Value;

use super::{
    part::Part,
    policy::{document, managed},
};
use crate::failure;

/// A role as IAM has it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    arn: String,
    /// `AROA…`: what stands in a trust policy for a role that was deleted, and is another one for the role that took its
    /// place (IAM user guide, "IAM identifiers").
    id: String,
    created: String,
    max_session_duration: Option<i32>,
    trust_policy: Value,
    permissions_boundary: Option<Boundary>,
    inline_policies: Part<BTreeMap<String, Value>>,
    attached_policies: Part<BTreeMap<String, Part<Value>>>,
}

/// The policy that bounds what the role's own policies allow.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Boundary {
    arn: String,
    document: Part<Value>,
}

/// Reads the role of this name; `name` is without a path.
///
/// # Errors
/// There is none, or it cannot be read. A policy of it that cannot be read is no error: its part says so.
pub(crate) async fn read(client: &Client, name: &str) -> Result<Role> {
    let answer = client
        .get_role()
        .role_name(name)
        .send()
        .await
        .map_err(failure::of(&format!("read role `{name}`")))?;
    let role = answer
        .role
        .with_context(|| format!("failed to read role `{name}`: an empty answer"))?;
    let trust_policy = role
        .assume_role_policy_document()
        .context("a role without a trust policy")
        .and_then(document)
        .with_context(|| format!("failed to read the trust policy of role `{name}`"))?;
    Ok(Role {
        trust_policy,
        permissions_boundary: boundary(client, &role).await,
        inline_policies: inline(client, name).await.into(),
        attached_policies: attached(client, name).await.into(),
        created: role.create_date.fmt(DateTimeFormat::DateTime)?,
        max_session_duration: role.max_session_duration,
        id: role.role_id,
        arn: role.arn,
    })
}

async fn boundary(client: &Client, role: &types::Role) -> Option<Boundary> {
    let arn = role.permissions_boundary()?.permissions_boundary_arn()?;
    Some(Boundary {
        arn: arn.to_owned(),
        document: managed(client, arn).await.into(),
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
        let answer = client
            .get_role_policy()
            .role_name(role)
            .policy_name(&name)
            .send()
            .await
            .map_err(failure::of(&intent))?;
        let policy =
            document(&answer.policy_document).with_context(|| format!("failed to {intent}"))?;
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
        let arn = policy.policy_arn.context("a policy without an ARN")?;
        let document = managed(client, &arn).await;
        policies.insert(arn, document.into());
    }
    Ok(policies)
}
