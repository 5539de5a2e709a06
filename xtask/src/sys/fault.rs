//! Whose fault a failure is, and how it is told: the exit status is chosen here and nowhere else.

use std::{collections::HashSet, io, process::ExitCode};

use crate::sys::console;

/// The input is at fault (flags, variables file, template): exit status 2. Every other error is exit status 1.
///
/// The text stands by itself: what, where, why and how to mend it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InputFault(pub(crate) String);

/// The input is at fault, and the text tells every fault in a form of its own, with the lines of the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FaultReport(pub(crate) String);

/// Whether the input is at fault.
pub(crate) fn is_of_input(error: &anyhow::Error) -> bool {
    error.is::<InputFault>() || error.is::<FaultReport>()
}

/// A check found something to mend and has told it already: exit status 1, and nothing more to say.
#[derive(Debug, thiserror::Error)]
#[error("already told")]
pub(crate) struct AlreadyTold;

/// Tells all of `faults` but the last, which is the caller's to pass on. What is at fault in every stage, as a template
/// is, is told once.
///
/// # Errors
/// The last of `faults`.
pub(crate) fn all_told(mut faults: Vec<anyhow::Error>) -> anyhow::Result<()> {
    let mut told = HashSet::new();
    faults.retain(|fault| told.insert(fault.to_string()));
    let Some(last) = faults.pop() else {
        return Ok(());
    };
    for fault in &faults {
        report(fault);
    }
    Err(last)
}

/// Tells the person, and gives the exit status.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(report) = error.downcast_ref::<FaultReport>() {
        console::coloured(&report.to_string());
        return ExitCode::from(2);
    }
    if error.is::<AlreadyTold>() {
        return ExitCode::FAILURE;
    }
    if error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    {
        // `… | head`: nobody reads on, which is no failure worth a message.
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
