//! Subcommand: benchmark the function or the generator.

use anyhow::Result;

use crate::{cli, dev::bench, sys::workspace::Workspace};

pub(crate) fn run(workspace: &Workspace, flags: &cli::Bench) -> Result<()> {
    bench::require_linux()?;
    if flags.generator {
        bench::generator(workspace)
    } else if flags.redraw {
        bench::redraw(workspace)
    } else {
        bench::function(workspace, flags.quick)
    }
}
