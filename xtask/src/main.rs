//! `cargo xtask`. All of it is in the library: cargo builds that while it still generates the code of what it rests on,
//! which saves a newcomer three seconds.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
