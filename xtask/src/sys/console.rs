//! The one place that prints. Results go to standard output, everything else to standard error.
//!
//! What is written for a person is escaped here: text of AWS or of a Target account, such as a policy's Sid, may not move the
//! cursor, hide or reorder what is shown. Results for programs (JSON, rendered files) are written as they are.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use contract::printable;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints a result, as it is, to standard output.
///
/// # Errors
/// Standard output is closed (`… | head`): the caller stops quietly.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Prints a result for a person to standard output.
///
/// # Errors
/// As for [`result`].
pub(crate) fn page(text: &str) -> io::Result<()> {
    result(&printable_lines(text))
}

/// Prints a line for a person to standard error, above the spinner where there is one.
pub(crate) fn note(text: &str) {
    coloured(&printable_lines(text));
}

/// As [`note`], for text that has been escaped and is coloured.
pub(crate) fn coloured(text: &str) {
    match &*spinner() {
        Some(spinner) => spinner.suspend(|| to_standard_error(text)),
        None => to_standard_error(text),
    }
}

/// Every line as [`printable`] has it; tabs stay, as a template may have them.
fn printable_lines(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let cells = line.split('\t').map(printable);
        cells.collect::<Vec<_>>().join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Nobody can be told that standard error takes nothing; `eprintln!` would panic, and the exit status be another.
fn to_standard_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Takes the spinner off the screen: nothing more will happen.
pub(crate) fn end_progress() {
    if let Some(spinner) = spinner().take() {
        spinner.finish_and_clear();
    }
}

/// The spinner on the screen.
fn spinner() -> MutexGuard<'static, Option<ProgressBar>> {
    static SPINNER: Mutex<Option<ProgressBar>> = Mutex::new(None);
    SPINNER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows as aligned columns, two spaces apart.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Whether a person is at the other end of standard input and standard error, and can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether standard error takes colours: a terminal, and `NO_COLOR` is not set (no-color.org).
pub(crate) fn has_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Asks a person for a line.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let _ = write!(io::stderr(), "{} ", printable_lines(question));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// A long step under way: a spinner with the time on a terminal, otherwise a plain line at its beginning and its end.
#[derive(Debug)]
pub(crate) struct Step {
    label: String,
    started: Instant,
}

impl Step {
    /// Announces the step: `Building the function`.
    pub(crate) fn begin(label: impl Into<String>) -> Self {
        let label = label.into();
        end_progress();
        if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner().with_message(label.clone());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            *spinner() = Some(bar);
        } else {
            to_standard_error(&format!("{label} …"));
        }
        Self {
            label,
            started: Instant::now(),
        }
    }

    /// The step is done; `outcome` is what it came to.
    pub(crate) fn done(self, outcome: &str) {
        end_progress();
        let separator = if outcome.is_empty() { "" } else { ": " };
        to_standard_error(&format!(
            "{}{separator}{} ({:.1} s)",
            self.label,
            printable_lines(outcome),
            self.started.elapsed().as_secs_f64()
        ));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        end_progress();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_a_person_cannot_play_with_the_terminal() {
        assert_eq!(
            printable_lines("a\n\tb \u{1b}[2J\u{202e}\r\n\u{2028}ü"),
            "a\n\tb \\u{1b}[2J\\u{202e}\\r\n\\u{2028}ü"
        );
    }
}
