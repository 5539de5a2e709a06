//! Reports errors and chooses the exit status.

use std::{collections::HashSet, io, process::ExitCode};

use crate::sys::console;

/// An invalid input (flags, variables file, template): exit status 2. All other errors are exit status 1.
///
/// The message is complete: what, where, why and how to fix it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InputError(pub(crate) String);

/// An invalid input with several problems, already formatted with the lines of the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ProblemReport(pub(crate) String);

/// Returns whether the input is invalid.
pub(crate) fn is_of_input(error: &anyhow::Error) -> bool {
    error.is::<InputError>() || error.is::<ProblemReport>()
}

/// A check failed and has printed its problems: exit status 1 without a message.
#[derive(Debug, thiserror::Error)]
#[error("already reported")]
pub(crate) struct AlreadyReported;

/// Prints all errors except the last, which it returns. Errors with the same text, such as those of a template that every stage
/// uses, are printed once.
///
/// # Errors
/// The last of `errors`.
pub(crate) fn report_all(mut errors: Vec<anyhow::Error>) -> anyhow::Result<()> {
    let mut reported = HashSet::new();
    errors.retain(|error| reported.insert(error.to_string()));
    let Some(last) = errors.pop() else {
        return Ok(());
    };
    for error in &errors {
        report(error);
    }
    Err(last)
}

/// Prints an error and returns the exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(report) = error.downcast_ref::<ProblemReport>() {
        console::coloured(&report.to_string());
        return ExitCode::from(2);
    }
    if error.is::<AlreadyReported>() {
        return ExitCode::FAILURE;
    }
    if error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    {
        // `… | head`: the reader has closed the pipe, which needs no message.
        return ExitCode::FAILURE;
    }
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    console::note(&format!("error: {}", causes.join("\n  caused by: ")));
    if is_of_input(error) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
