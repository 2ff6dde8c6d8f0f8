//! Help texts, frozen. After a change that is meant: `POSTFACH_WRITE_SNAPSHOTS=1 cargo test -p postfach-cli --test cli`.

use std::fmt::Write as _;
use std::path::Path;

use crate::{postfach, stdout};

const COMMANDS: &[&str] = &[
    "",
    "init",
    "address",
    "inbox",
    "sync",
    "read",
    "attachment",
    "attachment save",
    "confirm",
    "dispute",
    "delete",
    "receipt",
    "receipt save",
    "verify",
    "file-key",
    "raw",
    "keys",
    "keys export",
    "authority",
    "authority init",
    "authority send",
    "authority status",
    "authority receipts",
    "authority withdraw",
];

#[test]
fn help_texts_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    for lang in ["en", "de"] {
        let mut all = String::new();
        for command in COMMANDS {
            let words: Vec<&str> =
                command.split(' ').filter(|w| !w.is_empty()).chain(["--help", "--lang", lang]).collect();
            let output = postfach(folder.path(), &words);
            assert!(output.status.success(), "{command}");
            let text = stdout(&output);
            // The line of usage alone is not broken by clap.
            let wide = text.lines().skip(3).find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{command} in {lang}");
            write!(all, "==== postfach {command}\n{text}\n").unwrap();
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/help.{lang}.txt"));
        if std::env::var_os("POSTFACH_WRITE_SNAPSHOTS").is_some() {
            std::fs::write(&file, &all).unwrap();
        }
        let frozen = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(all == frozen, "{} differs; see the top of this test", file.display());
    }
}

#[test]
fn version_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let output = postfach(folder.path(), &["--version"]);
    assert_eq!(stdout(&output), format!("postfach {}\n", env!("CARGO_PKG_VERSION")));
}
