//! The one place that prints. What is for a person is escaped line by line: text of AWS may not play with the terminal.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "standard output carries the answer, standard error everything else; both are written here alone"
)]

use contract::printable_lines;

use crate::failure::AwsFailure;

/// The command's result, one line of JSON for a program or a person to read.
pub(crate) fn answer(json: &str) {
    println!("{json}");
}

/// What is happening, for a person who waits.
pub(crate) fn progress(line: &str) {
    eprintln!("{}", printable_lines(line));
}

/// Why the command failed, with the way to mend it on a line of its own.
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("error: {}", printable_lines(&format!("{error:#}")));
    if let Some(hint) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsFailure>()?.hint())
    {
        eprintln!("hint: {hint}");
    }
}
