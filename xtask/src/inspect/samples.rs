//! Deployed resources for tests.

use std::collections::BTreeMap;

use operator_api::{DeployedFunction, DeployedStack, Part};

/// A function whose optional values are missing.
pub(crate) fn function() -> DeployedFunction {
    DeployedFunction {
        arn: "arn:aws:lambda:us-east-1:111111111111:function:f".to_owned(),
        version: None,
        role: None,
        runtime: None,
        architectures: Vec::new(),
        timeout: None,
        memory_size: None,
        layers: Vec::new(),
        code_sha256: None,
        last_modified: None,
        state: None,
        state_reason: None,
        last_update_status: None,
        environment: Part::Ok(BTreeMap::new()),
        tags: Part::Ok(BTreeMap::new()),
    }
}

/// A stack whose template could not be found.
pub(crate) fn stack() -> DeployedStack {
    DeployedStack {
        id: "arn:aws:cloudformation:us-east-1:111111111111:stack/s/1".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        status_reason: None,
        created: None,
        updated: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        template: Part::Absent,
    }
}
