//! What developing this project needs, and deploying a stage does not.

pub(crate) mod emulator;
pub(crate) mod generated;
