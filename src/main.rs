//! The `backstay` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    backstay::cli::run()
}
