//! What developing this project needs, and deploying a stage does not.

pub(crate) mod bench;
mod command_docs;
pub(crate) mod demo;
pub(crate) mod emulator;
pub(crate) mod generated;
mod links;
pub(crate) mod test;
