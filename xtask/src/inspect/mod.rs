//! What is deployed, read through `crates/operator` with the caller's credentials.

pub(crate) mod deployed;
pub(crate) mod operator;
pub(crate) mod response;
pub(crate) mod session;
