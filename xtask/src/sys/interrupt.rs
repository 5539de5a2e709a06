//! What is undone when a person presses Ctrl-C, or something else asks xtask to end: processes it started, folders it
//! made for the time being.
//!
//! Nothing is set up before the first [`on_interrupt`]: a command that starts nothing pays nothing. A kill that cannot be
//! caught (SIGKILL) is not handled here; what has to end even then watches the standard input that
//! [`Program::start`](crate::sys::process::Program::start) gives it.

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

/// The signals that ask a process to end; each is an exit status of 128 and its number, as a shell has it. Not SIGHUP:
/// `nohup` has it ignored, and a process that it ends anyway is as dead as by SIGKILL.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// What is undone on an interrupt.
pub(crate) enum Undo {
    /// Asks a process group to end (SIGTERM), and kills it when its leader has ended or does not.
    EndGroup(u32),
    /// Kills a process group (SIGKILL).
    KillGroup(u32),
    /// Removes a folder with everything in it.
    RemoveFolder(PathBuf),
    /// Does this, and waits for it ten seconds at most. It must start nothing that is undone itself.
    Call(Box<dyn FnOnce() + Send>),
}

impl Undo {
    fn run(self) {
        // A failure means most often that it is gone already, and nothing can be done about another on the way out.
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
            Self::RemoveFolder(path) => {
                let _ = files::remove_folder(&path);
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

/// Waits until the thread that started the process has taken note of its end, two seconds at most.
fn wait_for_end(id: Pid) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while test_kill_process(id).is_ok() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A process id as the system calls take it.
pub(crate) fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// Holds an [`Undo`] ready; dropping it takes it back.
#[derive(Debug)]
#[must_use = "dropping it takes the undo back"]
pub(crate) struct Pending(u64);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(watch) = WATCH.get() {
            watch.undos.lock().remove(&self.0);
        }
    }
}

/// Has `undo` done when the process is interrupted, before those that were registered earlier.
///
/// # Errors
/// The system does not let us watch its signals.
pub(crate) fn on_interrupt(undo: Undo) -> Result<Pending> {
    let ((), pending) = start(|| Ok(((), undo)))?;
    Ok(pending)
}

/// Starts something together with its [`Undo`]: an interrupt in between waits until both are there.
///
/// # Errors
/// It does not start, or the system does not let us watch its signals.
pub(crate) fn start<T>(starting: impl FnOnce() -> Result<(T, Undo)>) -> Result<(T, Pending)> {
    let (started, number) = Watch::get()?.undos.start(starting)?;
    Ok((started, Pending(number)))
}

/// Does not return once the process has been interrupted: what a child says when it is interrupted with us is no failure
/// to report.
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

/// The watch over the process's signals.
struct Watch {
    undos: Undos,
    /// Set in the signal handler itself, so before any child that got the same signal can have ended.
    interrupted: Arc<AtomicBool>,
}

impl Watch {
    /// The watch, started if it was not.
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

/// What is to be undone, by number.
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

    /// Undoes everything, the latest first. Nothing is started as long as the result lives.
    fn run(&self) -> MutexGuard<'_, BTreeMap<u64, Undo>> {
        let mut undos = self.lock();
        while let Some((_, undo)) = undos.pop_last() {
            undo.run();
        }
        undos
    }
}

/// Undoes everything, the latest first, and ends the process.
fn end(signal: i32) -> ! {
    console::end_progress();
    console::note(if signal == SIGINT {
        "Interrupted"
    } else {
        "Asked to end"
    });
    // To the end of the process.
    let _nothing_starts = WATCH.get().map(|watch| watch.undos.run());
    process::exit(128 + signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_as_the_interrupt_comes_is_undone() {
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
                // The interrupt is over before the undo is there, or waits for it.
                let interrupt = has_ended.recv_timeout(Duration::from_millis(100));
                assert!(interrupt.is_err(), "the interrupt did not wait");
                Ok(((), Undo::Call(Box::new(move || called.send(()).unwrap()))))
            });
            assert!(started.is_ok());
        });
        assert!(calls.recv().is_ok(), "it was not undone");
    }

    #[test]
    fn the_latest_is_undone_first() {
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
