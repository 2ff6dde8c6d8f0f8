//! The real binary without a server: help texts frozen by files, and answers that need nobody else.

#![allow(clippy::unwrap_used)]

mod help;
mod offline;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `postfach` in a clean environment.
fn postfach(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postfach"))
        .args(words)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Standard output as text.
fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
