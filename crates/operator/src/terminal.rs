//! The one place that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "standard output carries the answer, standard error everything else; both are written here alone"
)]

use crate::failure::AwsFailure;

/// The command's result, one line of JSON for a program or a person to read.
pub(crate) fn answer(json: &str) {
    println!("{json}");
}

/// What is happening, for a person who waits.
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

/// Why the command failed, with the way to mend it on a line of its own.
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
    if let Some(hint) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<AwsFailure>()?.hint())
    {
        eprintln!("hint: {hint}");
    }
}
