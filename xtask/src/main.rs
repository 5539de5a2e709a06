//! Renders, builds and deploys the function, one stage at a time: `cargo xtask --help`.

mod console;
mod fault;
mod files;
mod process;
mod workspace;

fn main() {}
