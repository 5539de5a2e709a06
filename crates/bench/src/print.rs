//! Prints results to standard output and everything else to standard error.

use std::io::{self, Write as _};

/// Prints a result.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn result(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// An error with its causes.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  caused by: ")
}

/// Prints a message to standard error. A failure to do so cannot be reported.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
