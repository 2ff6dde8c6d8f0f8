//! The binary `postfachd`: reads its words, runs one command, ends with its exit code. Everything else is the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    postfach_server::cli::main(std::env::args_os())
}
