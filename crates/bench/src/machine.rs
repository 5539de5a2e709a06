//! Describes the machine of a run.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::files;

/// The properties of a machine that figures depend on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Machine {
    /// The model name of its processor.
    pub(crate) processor: String,
    /// The number of cores that this process may use.
    pub(crate) cores: usize,
    /// Its memory, in GB.
    pub(crate) memory_gb: u64,
    /// The release of Linux.
    pub(crate) linux: String,
    /// The load average over a minute before the run (proc(5), `/proc/loadavg`).
    pub(crate) load: f64,
}

impl Machine {
    /// The current machine.
    ///
    /// # Errors
    /// This is not Linux.
    pub(crate) fn this() -> Result<Self> {
        let field = |path: &str, name: &str| -> Result<String> {
            let text = files::read(Path::new(path))?;
            let value = text
                .lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned());
            Ok(value.unwrap_or_else(|| "unknown".to_owned()))
        };
        let memory = field("/proc/meminfo", "MemTotal")?;
        let kilobytes = memory.split(' ').next().and_then(|text| text.parse().ok());
        Ok(Self {
            processor: field("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory_gb: kilobytes.unwrap_or(0_u64).div_ceil(1_000_000),
            linux: files::read(Path::new("/proc/sys/kernel/osrelease"))?
                .trim()
                .to_owned(),
            load: files::read(Path::new("/proc/loadavg"))?
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        })
    }

    /// Returns whether other processes use so much CPU time that times are unreliable.
    pub(crate) fn is_busy(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
        let half = self.cores as f64 / 2.0;
        self.load > half
    }
}
