//! The one place that prints. Results go to standard output, everything else to standard error.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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

/// Prints a line for a person to standard error, above the spinner where there is one.
pub(crate) fn note(text: &str) {
    match &*spinner() {
        Some(spinner) => spinner.suspend(|| to_standard_error(text)),
        None => to_standard_error(text),
    }
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
    let _ = write!(io::stderr(), "{question} ");
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
            "{}{separator}{outcome} ({:.1} s)",
            self.label,
            self.started.elapsed().as_secs_f64()
        ));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        end_progress();
    }
}
