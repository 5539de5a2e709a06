//! The operating system, each part in one place: files, processes, signals, the terminal, and the exit status.

pub(crate) mod console;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod interrupt;
pub(crate) mod parallel;
pub(crate) mod process;
pub(crate) mod stage_lock;
pub(crate) mod unified_diff;
pub(crate) mod workspace;
