//! Subcommand: measure the function beside Python and beside what the machine allows, or the generator itself.

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
