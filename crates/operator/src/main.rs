//! What the workspace asks of AWS on behalf of a person at a terminal.
//!
//! `xtask` starts this binary, and builds it only when one of its commands needs AWS: that way `xtask` itself compiles
//! and starts without the SDK. The answer is one JSON object on standard output; progress and errors go to standard
//! error. Exit status: 0 done, 1 failed, 2 bad flags.
//!
//! What is *not* here: anything about stages and variables files (that is `xtask`'s), and the listing itself (the core
//! crate's).

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
mod patience;
mod stack;
mod terminal;
mod whoami;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(answer) => {
            terminal::answer(&answer);
            ExitCode::SUCCESS
        }
        Err(error) => {
            terminal::complain(&error);
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
