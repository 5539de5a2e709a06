//! The CPU time and memory of a running process, from Linux.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::files;

/// The CPU time of a process, including threads that have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessorTime(ClockId);

impl ProcessorTime {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let process = i32::try_from(process).context("Invalid process ID")?;
        clock_getcpuclockid(Pid::from_raw(process))
            .map(Self)
            .context("Failed to get the CPU clock of a process")
    }

    /// The time since its start.
    pub(crate) fn so_far(self) -> Result<Duration> {
        clock_gettime(self.0)
            .map(Duration::from)
            .context("Failed to read the CPU time of a process")
    }
}

/// The peak resident memory of a process, in bytes (proc(5), `VmHWM`).
pub(crate) fn peak_memory(process: u32) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{process}/status"));
    let status = files::read(&path)?;
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok())
        .with_context(|| format!("`{}` has no `VmHWM`", path.display()))?;
    Ok(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use std::{hint, time::Instant};

    use super::*;

    #[test]
    fn this_process_has_used_cpu_time_and_memory() {
        let time = ProcessorTime::of(std::process::id()).unwrap();
        let before = time.so_far().unwrap();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(20) {
            hint::spin_loop();
        }
        // Other processes may have used most of the CPU time, but not all of it.
        assert!(time.so_far().unwrap() > before);
        assert!(peak_memory(std::process::id()).unwrap() > 100_000);
        assert!(peak_memory(u32::MAX).is_err());
    }
}
