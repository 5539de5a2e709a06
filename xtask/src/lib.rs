//! Renders, builds and deploys the function, one stage at a time: `cargo xtask --help`.
//!
//! Data flows one way: variables file → `environment` → `render` → `build` → `deploy`. Each step
//! has a type that only the previous step creates, so nothing unchecked can be deployed.

mod build;
mod cli;
mod commands;
mod deploy;
mod dev;
mod diff;
mod doctor;
mod inspect;
mod policy;
mod render;
mod stages;
mod sys;
mod tools;

use std::process::ExitCode;

use cli::{Cli, Command};
use sys::{error, workspace::Workspace};

/// Runs the program: parses the arguments, reports an error, and returns the exit status.
pub fn main() -> ExitCode {
    let Cli { workspace, command } = cli::parse();
    let outcome =
        Workspace::locate(workspace.as_deref()).and_then(|workspace| run(&workspace, &command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error::report(&error),
    }
}

fn run(workspace: &Workspace, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Render(flags) => commands::render::run(workspace, flags),
        Command::Roles(flags) => commands::roles::run(workspace, flags),
        Command::Diagram(flags) => commands::diagram::run(workspace, flags),
        Command::Check(flags) => commands::check::run(workspace, flags),
        Command::Doctor(flags) => commands::doctor::run(workspace, flags),
        Command::Envs(flags) => commands::envs::run(workspace, flags),
        Command::Build(flags) => commands::build::run(workspace, flags),
        Command::Package(flags) => commands::package::run(workspace, flags),
        Command::Diff(flags) => commands::diff::run(workspace, flags),
        Command::Deploy(flags) => commands::deploy::run(workspace, flags),
        Command::Invoke(flags) => commands::invoke::run(workspace, flags),
        Command::Info(flags) => commands::info::run(workspace, flags),
        Command::Logs(flags) => commands::logs::run(workspace, flags),
        Command::Rollback(flags) => commands::rollback::run(workspace, flags),
        Command::Remove(flags) => commands::remove::run(workspace, flags),
        Command::Test(flags) => commands::test::run(workspace, flags),
        Command::Bench(flags) => commands::bench::run(workspace, flags),
        Command::Demo => commands::demo::run(workspace),
        Command::Emulator => commands::emulator::run(workspace),
        Command::Setup => commands::setup::run(workspace),
    }
}
