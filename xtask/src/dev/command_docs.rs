//! Renders the command line as Markdown, from the definition that `--help` prints.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::cli;

/// Lists the commands by task: a row per command.
pub(crate) fn table() -> String {
    let mut table = "| task | command | does |\n|---|---|---|\n".to_owned();
    for (task, commands) in tasks() {
        let mut task = task;
        for command in commands {
            let name = command.get_name();
            let summary = summary(&command);
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {task} | `{name}` | {summary} |");
            task = "";
        }
    }
    table
}

/// Describes each command: its help and its flags.
pub(crate) fn reference() -> String {
    let mut text = String::new();
    for (task, commands) in tasks() {
        let _ = writeln!(text, "## {task}\n");
        for command in commands {
            let _ = writeln!(text, "### {}\n", command.get_name());
            let help = command
                .get_long_about()
                .map_or_else(|| summary(&command), ToString::to_string);
            // The first line is the summary, which has no period.
            let _ = writeln!(text, "{}\n", help.replacen("\n\n", ".\n\n", 1));
            let rows: String = command
                .get_arguments()
                .filter(|argument| !argument.is_global_set())
                .filter_map(row)
                .collect();
            if !rows.is_empty() {
                let _ = writeln!(text, "| flag | meaning |\n|---|---|\n{rows}");
            }
        }
    }
    text
}

fn tasks() -> impl Iterator<Item = (&'static str, Vec<Command>)> {
    let command = cli::command();
    cli::TASKS.into_iter().map(move |(task, names)| {
        let commands = names
            .iter()
            .filter_map(|name| command.find_subcommand(name).cloned());
        (task, commands.collect())
    })
}

fn summary(command: &Command) -> String {
    command
        .get_about()
        .map_or_else(String::new, ToString::to_string)
}

/// The table row of a flag.
fn row(argument: &Arg) -> Option<String> {
    let mut flag = format!("--{}", argument.get_long()?);
    let takes_value = argument.get_action().takes_values();
    if takes_value {
        for value in argument.get_value_names().unwrap_or_default() {
            let _ = write!(flag, " {value}");
        }
    }
    let mut meaning = argument.get_help()?.to_string();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| takes_value)
        .map(|value| {
            let help = value.get_help().map(ToString::to_string);
            format!("`{}`: {}", value.get_name(), help.unwrap_or_default())
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(meaning, ". {}", values.join("; "));
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .filter(|_| takes_value)
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if !defaults.is_empty() {
        let _ = write!(meaning, " (default: {})", defaults.join(", "));
    }
    Some(format!("| `{flag}` | {meaning} |\n"))
}
