//! The program. Everything is in the library, so that the reference can be made of the tree of commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    flinkctl::main()
}
