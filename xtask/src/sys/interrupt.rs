//! Cleans up on Ctrl-C or SIGTERM: ends child processes and removes temporary directories.
//!
//! Signal handlers are installed by the first [`on_interrupt`] or [`start`]; other commands pay nothing. SIGKILL cannot be caught:
//! programs that must end even then watch the standard input that
//! [`Program::start`](crate::sys::process::Program::start) gives them.

#![expect(
    clippy::exit,
    reason = "an interrupted process ends here, wherever it is; `main` chooses every other exit status"
)]

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::sys::{console, files};

/// The handled signals. The exit status is 128 plus the signal number, as in a shell. SIGHUP is left alone, because `nohup`
/// ignores it.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// A cleanup action.
pub(crate) enum Undo {
    /// Sends SIGTERM to a process group, waits up to two seconds for its leader, and then sends SIGKILL.
    EndGroup(u32),
    /// Sends SIGKILL to a process group.
    KillGroup(u32),
    /// Removes a directory and its contents.
    RemoveDirectory(PathBuf),
    /// Calls a function and waits for it for at most ten seconds. It must not register cleanup actions.
    Call(Box<dyn FnOnce() + Send>),
}

impl Undo {
    fn run(self) {
        // Errors are ignored: most often the process or directory is already gone.
        match self {
            Self::EndGroup(id) => {
                if let Some(id) = pid(id) {
                    let _ = kill_process_group(id, Signal::TERM);
                    wait_for_end(id);
                    let _ = kill_process_group(id, Signal::KILL);
                }
            }
            Self::KillGroup(id) => {
                if let Some(id) = pid(id) {
                    let _ = kill_process_group(id, Signal::KILL);
                }
            }
            Self::RemoveDirectory(path) => {
                let _ = files::remove_directory(&path);
            }
            Self::Call(action) => {
                let (done, is_done) = mpsc::channel::<()>();
                let called = thread::Builder::new().spawn(move || {
                    action();
                    drop(done);
                });
                if called.is_ok() {
                    let _ = is_done.recv_timeout(Duration::from_secs(10));
                }
            }
        }
    }
}

/// Waits, for at most two seconds, until the process has ended and its parent thread has reaped it.
fn wait_for_end(id: Pid) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while test_kill_process(id).is_ok() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Converts a process ID for system calls.
pub(crate) fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// A registered [`Undo`]; dropping it unregisters it.
#[derive(Debug)]
#[must_use = "dropping it unregisters the cleanup"]
pub(crate) struct Pending(u64);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(watch) = WATCH.get() {
            watch.undos.lock().remove(&self.0);
        }
    }
}

/// Registers `undo` to run on an interrupt, before those that were registered earlier.
///
/// # Errors
/// Signal handlers cannot be installed.
pub(crate) fn on_interrupt(undo: Undo) -> Result<Pending> {
    let ((), pending) = start(|| Ok(((), undo)))?;
    Ok(pending)
}

/// Starts something and registers its [`Undo`] atomically: an interrupt in between waits for both.
///
/// # Errors
/// It cannot be started, or signal handlers cannot be installed.
pub(crate) fn start<T>(starting: impl FnOnce() -> Result<(T, Undo)>) -> Result<(T, Pending)> {
    let (started, number) = Watch::get()?.undos.start(starting)?;
    Ok((started, Pending(number)))
}

/// Blocks forever if the process has been interrupted, so that the failure of a child that received the same signal is not
/// reported.
pub(crate) fn stop_here_if_interrupted() {
    let interrupted = |watch: &Watch| watch.interrupted.load(Ordering::SeqCst);
    if WATCH.get().is_some_and(interrupted) {
        loop {
            thread::park();
        }
    }
}

static WATCH: OnceLock<Watch> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// The signal watcher of this process.
struct Watch {
    undos: Undos,
    /// Set in the signal handler, before any child that received the same signal can have ended.
    interrupted: Arc<AtomicBool>,
}

impl Watch {
    /// Returns the watcher, and starts it on first use.
    fn get() -> Result<&'static Self> {
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = WATCH.get() {
            return Ok(watch);
        }
        let interrupted = Self::start().context("Failed to watch for interrupts")?;
        Ok(WATCH.get_or_init(|| Self {
            undos: Undos::default(),
            interrupted,
        }))
    }

    fn start() -> io::Result<Arc<AtomicBool>> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in SIGNALS {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let mut signals = Signals::new(SIGNALS)?;
        thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    end(signal);
                }
            })?;
        Ok(interrupted)
    }
}

/// The registered cleanup actions, by number.
#[derive(Default)]
struct Undos(Mutex<BTreeMap<u64, Undo>>);

impl Undos {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Undo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start<T>(&self, starting: impl FnOnce() -> Result<(T, Undo)>) -> Result<(T, u64)> {
        let mut undos = self.lock();
        let (started, undo) = starting()?;
        let number = undos.last_key_value().map_or(0, |(last, _)| last + 1);
        undos.insert(number, undo);
        Ok((started, number))
    }

    /// Runs all cleanup actions, the latest first. Nothing can be started while the returned guard is held.
    fn run(&self) -> MutexGuard<'_, BTreeMap<u64, Undo>> {
        let mut undos = self.lock();
        while let Some((_, undo)) = undos.pop_last() {
            undo.run();
        }
        undos
    }
}

/// Runs all cleanup actions, the latest first, and exits.
fn end(signal: i32) -> ! {
    console::end_progress();
    console::note(if signal == SIGINT {
        "Interrupted"
    } else {
        "Terminated"
    });
    // Held until the process exits.
    let _nothing_starts = WATCH.get().map(|watch| watch.undos.run());
    process::exit(128 + signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_starts_during_an_interrupt_is_cleaned_up() {
        let undos = Undos::default();
        let (called, calls) = mpsc::channel();
        let (starts, is_starting) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        thread::scope(|scope| {
            let undos = &undos;
            scope.spawn(move || {
                is_starting.recv().unwrap();
                drop(undos.run());
                ended.send(()).unwrap();
            });
            let started = undos.start(|| {
                starts.send(()).unwrap();
                // The interrupt must wait for the registration.
                let interrupt = has_ended.recv_timeout(Duration::from_millis(100));
                assert!(interrupt.is_err(), "the interrupt did not wait");
                Ok(((), Undo::Call(Box::new(move || called.send(()).unwrap()))))
            });
            assert!(started.is_ok());
        });
        assert!(calls.recv().is_ok(), "the cleanup did not run");
    }

    #[test]
    fn cleanup_runs_in_reverse_order() {
        let undos = Undos::default();
        let (called, calls) = mpsc::channel();
        for number in 0..3 {
            let called = called.clone();
            let undo = Undo::Call(Box::new(move || called.send(number).unwrap()));
            undos.start(|| Ok(((), undo))).unwrap();
        }
        drop((undos.run(), called));
        assert_eq!(calls.iter().collect::<Vec<_>>(), [2, 1, 0]);
    }
}
