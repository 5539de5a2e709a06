//! Reads what is deployed, through `crates/operator` and with the caller's credentials.

pub(crate) mod configuration;
pub(crate) mod kept;
pub(crate) mod operator;
pub(crate) mod response;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod session;
