//! Changes what is deployed: the function's stack through the Serverless Framework, and the role stacks.

pub(crate) mod collisions;
pub(crate) mod guard;
pub(crate) mod role_stacks;
pub(crate) mod rollback;
pub(crate) mod serverless;
pub(crate) mod smoke;
