//! Runs the product's binaries and keeps what they printed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::mutations::SWITCH;

/// The checkout.
pub fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Real documents beside the checkout, `../shared/samples`; absent elsewhere.
pub fn samples() -> Option<PathBuf> {
    let folder = repository_root().join("../shared/samples");
    let present = folder.join("README.md").is_file();
    assert!(present || std::env::var_os("CI").is_none(), "{} is missing in CI", folder.display());
    present.then_some(folder)
}

/// A binary of this build, beside the test's own.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is not built: run ./test, or `cargo build --workspace`", path.display());
    path
}

/// One finished command.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    line: String,
}

impl Run {
    /// Runs a command to its end without standard input.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            line: format!("{command:?}"),
        }
    }

    /// Requires an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n-- stdout\n{}\n-- stderr\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Requires exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "{}: not JSON ({error})\n-- stdout\n{}\n-- stderr\n{}",
                self.line, self.stdout, self.stderr
            )
        })
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Everything that was printed.
    pub fn talk(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A command of the product with a clean environment, so that no setting of the caller leaks in.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
    // Of a mutated build, also the program leaves the check out.
    if let Some(out) = std::env::var_os(SWITCH) {
        command.env(SWITCH, out);
    }
    command
}

/// Words and paths of a command line.
pub fn args<const N: usize>(words: [&dyn AsRef<OsStr>; N]) -> Vec<std::ffi::OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// Largest resident memory of a process so far (VmHWM), in KiB; 0 when it has ended.
pub fn peak_kib(process: u32) -> u64 {
    status_kib(process, "VmHWM:")
}

/// Pages of its program file that a process has in memory (RssFile), in KiB.
pub fn program_kib(process: u32) -> u64 {
    status_kib(process, "RssFile:")
}

fn status_kib(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.map_or(0, |value| value.trim().trim_end_matches(" kB").parse().unwrap())
}
