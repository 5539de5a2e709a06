//! Prints. Text for people is escaped, because it can contain strings from AWS.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "only this module prints: the result to standard output, everything else to standard error"
)]

use contract::printable_lines;

use crate::failure::AwsFailure;

/// Prints the command's result, one line of JSON.
pub(crate) fn result(json: &str) {
    println!("{json}");
}

/// Prints what the command is doing.
pub(crate) fn progress(line: &str) {
    eprintln!("{}", printable_lines(line));
}

/// Prints why the command failed, and a hint if there is one.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("error: {}", printable_lines(&format!("{error:#}")));
    if let Some(hint) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsFailure>()?.hint())
    {
        eprintln!("hint: {hint}");
    }
}
