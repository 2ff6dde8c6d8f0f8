//! Takes each check of `tests/mutations.toml` out and runs the tests that could notice. Prints which ones fail, and ends
//! with exit code 1 when they are not those of the table.
//!
//! `cargo run -p postfach-tests --example mutations [WORD…]` tries those whose name or file contains one of the words;
//! without words, all. It works on a copy of the workspace in which every check stands behind a switch, so that one build
//! serves for all; the switch is an environment variable.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use postfach_tests::mutations::{Mutation, SWITCH, table};
use postfach_tests::repository_root;

/// Test binaries that could notice: package folder, name of the target, and the tests in it (all, where none is named).
const JUDGES: &[(&str, &str, &[&str])] = &[
    ("crates/domain", "postfach_domain", &[]),
    ("crates/envelope", "postfach_envelope", &[]),
    ("crates/ledger", "postfach_ledger", &[]),
    ("crates/ledger", "receipts", &[]),
    ("crates/sdk", "postfach_sdk", &[]),
    ("tests", "e2e", &["liar::", "evidence::", "rollback::", "erased::"]),
];

/// Seconds that one test binary may take.
const PATIENCE: &str = "240";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let chosen = |m: &Mutation| {
        words.is_empty() || words.iter().any(|word| m.lets_pass.contains(word) || m.file.contains(word))
    };
    let table = table();
    let judges = Copy::make().mutate(&table).build();
    let broken = judges.red(None);
    assert!(broken.is_empty(), "fails without a mutation: {broken:?}");
    let mut surprises = 0;
    for mutation in table.iter().filter(|m| chosen(m)) {
        let expected: BTreeSet<String> = mutation.red.iter().cloned().collect();
        let red = judges.red(Some(mutation));
        println!("{}", mutation.lets_pass);
        for test in &red {
            println!(
                "  red      {test}{}",
                if expected.contains(test) { "" } else { "  (not in the table)" }
            );
        }
        for test in expected.difference(&red) {
            println!("  not red  {test}");
        }
        surprises += usize::from(red.is_empty() || red != expected);
    }
    println!("{surprises} not as in the table");
    ExitCode::from(u8::from(surprises > 0))
}

/// A copy of the workspace with a build folder of its own.
struct Copy {
    source: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies what git knows, as it stands now.
    fn make() -> Self {
        let root = repository_root();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let copy = Self { source: target.join("mutations/source"), target: target.join("mutations/target") };
        let mut git = Command::new("git");
        let git = git.args(["ls-files", "-z", "-co", "--exclude-standard"]).current_dir(&root);
        let listed = git.output().unwrap();
        for name in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
            if let Ok(bytes) = std::fs::read(root.join(name)) {
                copy.write(name, &bytes);
            }
        }
        copy
    }

    /// Writes a file; one that is the same already keeps its time, so that nothing is built again.
    fn write(&self, name: &str, bytes: &[u8]) {
        let to = self.source.join(name);
        if std::fs::read(&to).ok().as_deref() != Some(bytes) {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(&to, bytes).unwrap();
        }
    }

    /// Puts every check behind its switch.
    fn mutate(self, table: &[Mutation]) -> Self {
        let files: BTreeSet<&str> = table.iter().map(|m| m.file.as_str()).collect();
        for file in files {
            let mut text = std::fs::read_to_string(repository_root().join(file)).unwrap();
            for mutation in table.iter().filter(|m| m.file == file) {
                text = text.replacen(&mutation.check, &mutation.switchable(), 1);
            }
            self.write(file, text.as_bytes());
        }
        self
    }

    /// Builds programs and tests; where the test binaries are.
    fn build(self) -> Judges {
        self.cargo(&["build", "--bins"]);
        let built = self.cargo(&["test", "--no-run", "--lib", "--test", "e2e", "--test", "receipts"]);
        let artifacts: Vec<serde_json::Value> =
            built.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let binary = |name: &str| {
            let found = artifacts
                .iter()
                .find(|a| a["target"]["name"] == name && a["profile"]["test"] == true)
                .and_then(|a| a["executable"].as_str());
            PathBuf::from(found.unwrap_or_else(|| panic!("no test binary {name}")))
        };
        let binaries = JUDGES.iter().map(|(_, name, _)| binary(name)).collect();
        Judges { source: self.source, binaries }
    }

    /// What cargo said, as JSON.
    fn cargo(&self, words: &[&str]) -> String {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(words).args(["--workspace", "--locked", "-q", "--message-format=json-render-diagnostics"]);
        cargo.env("CARGO_TARGET_DIR", &self.target).current_dir(&self.source);
        let out = cargo.output().unwrap();
        let problem = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "a check behind its switch does not build:\n{problem}");
        String::from_utf8(out.stdout).unwrap()
    }
}

/// The mutated test binaries, in the order of `JUDGES`.
struct Judges {
    source: PathBuf,
    binaries: Vec<PathBuf>,
}

impl Judges {
    /// Names of the tests that fail without a check; of those that fail anyhow, where none is named.
    fn red(&self, mutation: Option<&Mutation>) -> BTreeSet<String> {
        let mut red = BTreeSet::new();
        for ((package, name, tests), binary) in JUDGES.iter().zip(&self.binaries) {
            let failed = Self::run(&self.source.join(package), binary, tests, mutation);
            red.extend(failed.iter().map(|test| format!("{name}::{test}")));
        }
        red
    }

    /// Names of the tests of one binary that fail, or that do not end.
    fn run(package: &Path, binary: &Path, tests: &[&str], mutation: Option<&Mutation>) -> Vec<String> {
        // A check against endless answers is missed by never coming to an end.
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", PATIENCE]).arg(binary);
        command.args(tests).current_dir(package).env_remove(SWITCH);
        if let Some(mutation) = mutation {
            command.env(SWITCH, &mutation.lets_pass);
        }
        let out = command.output().unwrap();
        let lines = String::from_utf8_lossy(&out.stdout).into_owned();
        let with = |end: &str| -> BTreeSet<String> {
            let named = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(end)?.to_owned());
            lines.lines().filter_map(named).collect()
        };
        let (failed, passed) = (with(" ... FAILED"), with(" ... ok"));
        let slow = with(" has been running for over 60 seconds");
        let endless = slow.iter().filter(|test| !passed.contains(*test) && !failed.contains(*test));
        let red: Vec<String> = failed.iter().chain(endless).cloned().collect();
        assert_eq!(out.status.success(), red.is_empty(), "{}:\n{lines}", binary.display());
        red
    }
}
