//! Prints. Results go to standard output, everything else to standard error.
//!
//! Text for people is escaped here: strings from AWS or a Target account, such as a policy's Sid, must not move the cursor or hide
//! or reorder other text. Results for programs (JSON, rendered files) are written unchanged.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use contract::printable_lines;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints a result, unescaped, to standard output.
///
/// # Errors
/// Standard output is closed (`… | head`); the command then ends without a message.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Prints a result for people, escaped, to standard output.
///
/// # Errors
/// As for [`result`].
pub(crate) fn page(text: &str) -> io::Result<()> {
    result(&printable_lines(text))
}

/// Prints a line, escaped, to standard error, above the spinner if there is one.
pub(crate) fn note(text: &str) {
    coloured(&printable_lines(text));
}

/// Prints a line that is already escaped and colored to standard error.
pub(crate) fn coloured(text: &str) {
    match &*spinner() {
        Some(spinner) => spinner.suspend(|| to_standard_error(text)),
        None => to_standard_error(text),
    }
}

/// Writes a line to standard error and ignores errors; `eprintln!` would panic and change the exit status.
fn to_standard_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Removes the spinner from the screen.
pub(crate) fn end_progress() {
    if let Some(spinner) = spinner().take() {
        spinner.finish_and_clear();
    }
}

/// The spinner that is on the screen.
fn spinner() -> MutexGuard<'static, Option<ProgressBar>> {
    static SPINNER: Mutex<Option<ProgressBar>> = Mutex::new(None);
    SPINNER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Formats rows as aligned columns, two spaces apart.
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

/// Returns whether prompts are possible: standard input and standard error are terminals.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Returns whether to color standard error: it is a terminal, and `NO_COLOR` is not set (no-color.org).
pub(crate) fn has_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prompts for a line.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    let _ = write!(io::stderr(), "{} ", printable_lines(question));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Progress of a long step: a spinner with the elapsed time on a terminal, otherwise a line at the start and at the end.
#[derive(Debug)]
pub(crate) struct Step {
    label: String,
    started: Instant,
}

impl Step {
    /// Starts a step, such as `Building the function`.
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

    /// Ends the step and prints its label, `outcome` and duration in seconds.
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
