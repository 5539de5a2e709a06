//! Sends the requests to AWS that `xtask` needs, with the user's credentials.
//!
//! `xtask` builds and starts this binary only for commands that contact AWS, so `xtask` itself compiles and starts without
//! the SDK. The result is one JSON object on standard output, a type of `operator_api`. Progress and errors go to standard
//! error. The exit status is 0 for success, 1 for a failure and 2 for invalid flags.
//!
//! Not here: stages and variables files (see `xtask`), and listing buckets (see the core crate).

mod apply;
mod arguments;
mod change_set;
mod connection;
mod credentials;
mod delete;
mod failure;
mod fetch;
mod files;
mod inspect;
mod invoke;
mod json_text;
mod key_value;
mod stack;
mod terminal;
mod wait;
mod whoami;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(result) => {
            terminal::result(&result);
            ExitCode::SUCCESS
        }
        Err(error) => {
            terminal::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<String> {
    Ok(match arguments.command {
        Command::Whoami(flags) => serde_json::to_string(&whoami::run(flags).await?),
        Command::Credentials(flags) => serde_json::to_string(&credentials::run(flags).await?),
        Command::Apply(flags) => serde_json::to_string(&apply::run(flags).await?),
        Command::Delete(flags) => serde_json::to_string(&delete::run(flags).await?),
        Command::Inspect(flags) => serde_json::to_string(&inspect::run(flags).await?),
        Command::Fetch(flags) => serde_json::to_string(&fetch::run(flags).await?),
        Command::Invoke(flags) => serde_json::to_string(&invoke::run(flags).await?),
    }?)
}
