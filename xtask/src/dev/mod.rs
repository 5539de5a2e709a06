//! Commands for developing this project; deploying a stage needs none of them.

pub(crate) mod bench;
mod command_docs;
pub(crate) mod demo;
pub(crate) mod emulator;
pub(crate) mod generated;
mod links;
pub(crate) mod test;
