//! Reads a CloudFormation stack and its template.

use anyhow::{Context as _, Result};
use aws_sdk_cloudformation::{
    Client,
    primitives::{DateTime, DateTimeFormat},
    types::{StackStatus, TemplateStage},
};
use operator_api::{DeployedStack, Part};
use serde_json::Value;

use super::part;
use crate::{failure, stack};

/// Reads the stack with this name.
///
/// # Errors
/// It cannot be read. An unreadable template is a part, not an error.
pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<DeployedStack>> {
    let Some(found) = stack::describe(client, name).await? else {
        return Ok(None);
    };
    let status = found.stack_status.context("the stack has no status")?;
    let template = if status == StackStatus::ReviewInProgress {
        Part::Absent
    } else {
        part::of(template(client, name).await)
    };
    Ok(Some(DeployedStack {
        id: found.stack_id.context("the stack has no ID")?,
        status: status.as_str().to_owned(),
        status_reason: found
            .stack_status_reason
            .filter(|reason| !reason.is_empty()),
        created: found.creation_time.as_ref().map(time).transpose()?,
        updated: found.last_updated_time.as_ref().map(time).transpose()?,
        parameters: found
            .parameters
            .unwrap_or_default()
            .into_iter()
            .filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?)))
            .collect(),
        outputs: found
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect(),
        tags: found
            .tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value?)))
            .collect(),
        template,
    }))
}

/// Reads the template as it was uploaded, before macros: an object if it is JSON, otherwise a string.
async fn template(client: &Client, name: &str) -> Result<Value> {
    let response = client
        .get_template()
        .stack_name(name)
        .template_stage(TemplateStage::Original)
        .send()
        .await
        .map_err(failure::of(&format!("read the template of stack `{name}`")))?;
    let text = response
        .template_body
        .with_context(|| format!("stack `{name}` has no template"))?;
    Ok(match serde_json::from_str(&text) {
        Ok(object @ Value::Object(_)) => object,
        _ => Value::String(text),
    })
}

fn time(time: &DateTime) -> Result<String> {
    Ok(time.fmt(DateTimeFormat::DateTime)?)
}
